"""A store of small finished runs, and test sets made of generated pairs."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from atinuke_bench.config import SourceConfig, make_run_config
from atinuke_bench.microworld import load_microworld
from atinuke_bench.run_folder import RunFolder, folder_of
from atinuke_bench.tasks.snli.task import SNLI
from atinuke_bench.training.execution import Execution
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.train import train_and_evaluate

SIZES = {"train": 120, "dev": 20, "test": 40}
SMALL = {
    "training.max_epochs": 12,
    "training.patience": 12,
    "training.learning_rate": 0.01,
    "training.batch_tokens": 512,
    "tokenizer.vocab_size": 300,
}


def train(store: Path, task: str, core: str, seed: int = 0) -> RunFolder:
    torch.set_num_threads(1)
    source = SourceConfig(kind="microworld", microworld=SIZES)
    prepared = prepare(make_run_config(task, core, preset="nano", source=source, seed=seed, overrides=SMALL))
    folder = folder_of(store, prepared.run, prepared.identity)
    train_and_evaluate(prepared, folder, Execution(show_progress=False))
    return folder


@pytest.fixture(scope="session")
def trained_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("evaluated") / "runs"
    for seed in (0, 1):
        train(store, "snli", "bilstm", seed)
    others = (("snli", "majority"), ("glue/stsb", "bilstm"), ("squad-v1.1", "bilstm"), ("lm", "bilstm"))
    for task, core in others:
        train(store, task, core)
    return store


@pytest.fixture
def store(trained_store: Path, tmp_path: Path) -> Path:
    """A copy of the store that a test may change."""
    return Path(shutil.copytree(trained_store, tmp_path / "runs"))


@pytest.fixture
def snli(store: Path) -> list[RunFolder]:
    """The runs of SNLI, by seed."""
    return [RunFolder(path) for path in sorted((store / "snli" / "bilstm").iterdir())]


@pytest.fixture(scope="session")
def pairs() -> list[dict[str, str]]:
    """Generated pairs, each with a part that it is of."""
    source = SourceConfig(kind="microworld", microworld={"train": 10, "dev": 2, "test": 90})
    test = load_microworld("snli", SNLI.features, source).splits["test"]
    names = SNLI.features["label"].names
    return [
        {
            "key": f"p{number}",
            "first": row["sentence1"],
            "second": row["sentence2"],
            "verdict": names[row["label"]],
            "part": ("short", "long")[len(row["sentence1"]) > 40],
        }
        for number, row in enumerate(test)
    ]


@pytest.fixture
def write_set(tmp_path: Path) -> Callable[..., Path]:
    """`write_set(name, records, **fields)`: the YAML file of a test set, whose records are a tsv."""

    def write(name: str, records: list[dict[str, str]], extra: str = "", ending: str = "tsv") -> Path:
        folder = tmp_path / "sets"
        folder.mkdir(exist_ok=True)
        with (folder / f"{name}.{ending}").open("w", newline="") as file:
            rows = csv.DictWriter(file, records[0].keys(), delimiter="\t")
            rows.writeheader()
            rows.writerows(records)
        path = folder / f"{name}.yaml"
        path.write_text(
            f"name: {name}\nkind: classification\nsplits: {{test: {name}.{ending}}}\n"
            f"fields: {{premise: first, hypothesis: second, label: verdict, id: key}}\n{extra}"
        )
        return path

    return write


@pytest.fixture
def two_way(write_set, pairs) -> Path:
    """The pairs with two labels, in a file whose ending says nothing, and their parts as slices."""
    records = [
        {**pair, "verdict": pair["verdict"] if pair["verdict"] == "entailment" else "non-entailment"} for pair in pairs
    ]
    extra = "format: tsv\nslices: [part]\nmap: {entailment: entailment, non-entailment: [neutral, contradiction]}\n"
    return write_set("two-way", records, extra, ending="txt")
