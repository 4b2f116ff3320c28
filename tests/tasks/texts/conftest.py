"""A folder with small tables of a user's own."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from atinuke_bench.config import RunConfig, find_task, make_run_config

WORDS = {"pos": ("great", "lovely", "superb"), "neg": ("awful", "dull", "poor")}


def reviews(number: int, seed: int) -> list[tuple[str, str, str]]:
    """Id, text and label of reviews that one word decides."""
    draw = random.Random(seed)
    rows = []
    for place in range(number):
        label = draw.choice(["pos", "neg"])
        words = [draw.choice(["the", "film", "was", "story", "and"]) for _ in range(6)]
        words.insert(draw.randrange(6), draw.choice(WORDS[label]))
        rows.append((f"r{place}", " ".join(words), label))
    return rows


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """`reviews.yaml`, with train as csv in two files and test as jsonl."""
    for name, seed in (("a.csv", 0), ("b.csv", 1)):
        (tmp_path / "train").mkdir(exist_ok=True)
        with (tmp_path / "train" / name).open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["key", "body", "stars"])
            rows.writerows((f"{name}-{key}", *rest) for key, *rest in reviews(30, seed))
    lines = [json.dumps({"key": key, "body": text, "stars": label}) for key, text, label in reviews(20, 2)]
    (tmp_path / "test.jsonl").write_text("\n".join(lines) + "\n")
    (tmp_path / "reviews.yaml").write_text(
        "name: reviews\nkind: classification\nsplits: {train: train/*.csv, test: test.jsonl}\n"
        "fields: {text: body, label: stars, id: key}\n"
    )
    return tmp_path


@pytest.fixture
def make_own() -> Callable[..., RunConfig]:
    """`make_own(file, core, **overrides)`: a run of seconds of a declared task."""

    def make(file: Path, core: str = "bilstm", **overrides: object) -> RunConfig:
        name, declaration = find_task(str(file))
        small = {"training.max_epochs": 1, "training.batch_tokens": 256, "tokenizer.vocab_size": 200}
        changed = {path.replace("__", "."): value for path, value in overrides.items()}
        return make_run_config(name, core, preset="nano", overrides={**small, **changed}, declaration=declaration)

    return make
