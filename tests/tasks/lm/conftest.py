"""Small runs of language modelling."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from atinuke_bench.config import SourceConfig, make_run_config

WORDS = ("the", "a", "cat", "dog", "sees", "helps", "house", "tree", "runs", "red", "big", "Ada", "likes", "never")


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def text_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("text") / "lm"
    folder.mkdir()
    draw = np.random.default_rng(0)
    blocks = [_walk(draw, int(draw.integers(10, 50))) for _ in range(60)]
    (folder / "story.txt").write_text("\n\n".join(blocks) + "\n", encoding="utf-8")
    return folder.parent


def _walk(draw, length):
    """Words of which each allows two to follow: far more predictable than their frequencies."""
    place, words = int(draw.integers(len(WORDS))), []
    for _ in range(length):
        words.append(WORDS[place])
        place = (place + 1 + 4 * int(draw.integers(2))) % len(WORDS)
    return " ".join(words) + "."


@pytest.fixture
def make_lm(text_dir):
    def make(core="atinuke", seed=0, **overrides):
        small = {
            "training.max_epochs": 2,
            "training.max_length": 24,
            "training.batch_tokens": 256,
            "tokenizer.vocab_size": 120,
        }
        overrides = {name.replace("__", "."): value for name, value in overrides.items()}
        return make_run_config(
            "lm",
            core,
            preset="nano",
            source=SourceConfig(data_dir=text_dir),
            seed=seed,
            overrides={**small, **overrides},
        )

    return make
