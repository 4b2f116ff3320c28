"""A folder with a small corpus of named entities in Devanagari, and runs of seconds on it."""

from __future__ import annotations

import random

import pytest
import torch

from atinuke_bench.config import find_task, make_run_config
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.training.execution import Execution
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.train import train_and_evaluate

NAMES = {"PER": ("राम", "सीता", "मोहन दास", "गीता"), "LOC": ("दिल्ली", "मुंबई", "नई दिल्ली")}
DECLARATION = """\
name: hindi
kind: tagging
splits: {train: train.conll, dev: dev.conll, test: test.conll}
metric: seqeval_f1
"""


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def sentences(number, seed):
    """Who lives where, as (word, tag) pairs; some with an emoji."""
    draw, found = random.Random(seed), []
    for _ in range(number):
        pairs = []
        for kind, rest in (("PER", ("कल", "शहर")[: draw.randint(0, 2)]), ("LOC", ("में", "रहता", "है", "😀", "।"))):
            words = draw.choice(NAMES[kind]).split()
            pairs += [(word, ("I-" if place else "B-") + kind) for place, word in enumerate(words)]
            pairs += [(word, "O") for word in rest]
        found.append(pairs)
    return found


def write_conll(path, found, documents=0):
    """Four columns; `documents` is how many sentences each has, 0 for a file without."""
    lines = []
    for number, pairs in enumerate(found):
        if documents and number % documents == 0:
            lines += ["-DOCSTART- -X- O O", ""]
        lines += [f"{word} _ _ {tag}" for word, tag in pairs] + [""]
    path.write_text("\n".join(lines), encoding="utf-8")


@pytest.fixture
def hindi(tmp_path):
    """`hindi.yaml` with its three files; documents of two sentences."""
    for seed, (split, number) in enumerate({"train": 80, "dev": 12, "test": 24}.items()):
        write_conll(tmp_path / f"{split}.conll", sentences(number, seed), documents=2)
    (tmp_path / "hindi.yaml").write_text(DECLARATION)
    return tmp_path


@pytest.fixture
def make_tagging():
    """`make_tagging(file, core, **overrides)`: a run of seconds."""

    def make(file, core="bilstm", **overrides):
        name, declaration = find_task(str(file))
        small = {"training.max_epochs": 1, "training.batch_tokens": 256, "training.max_length": 48}
        if core != "pretrained":
            small["tokenizer.vocab_size"] = 200
        changed = {path.replace("__", "."): value for path, value in overrides.items()}
        return make_run_config(name, core, preset="nano", overrides={**small, **changed}, declaration=declaration)

    return make


@pytest.fixture
def carry_out(tmp_path):
    """The prepared run, its folder and its result."""

    def carry_out(run, name="run"):
        prepared, folder = prepare(run), RunFolder(tmp_path / name)
        return prepared, folder, train_and_evaluate(prepared, folder, Execution(show_progress=False))

    return carry_out
