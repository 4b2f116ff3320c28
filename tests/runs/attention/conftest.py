"""Small runs whose attention heads are looked at."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from atinuke_bench.config import SourceConfig, make_run_config
from atinuke_bench.core.build import build_core
from atinuke_bench.run_folder import RunFolder, folder_of
from atinuke_bench.runs.attention.opened import Opened, part_of
from atinuke_bench.training.execution import Execution
from atinuke_bench.training.predict import Predictor
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.train import train_and_evaluate

SMALL = {"training.max_epochs": 1, "training.batch_tokens": 512, "tokenizer.vocab_size": 300}


def prepared_on(task: str, core: str, sizes: dict[str, int], **changes):
    torch.set_num_threads(1)
    source = SourceConfig(kind="microworld", microworld=sizes)
    return prepare(make_run_config(task, core, preset="nano", source=source, overrides={**SMALL, **changes}))


@pytest.fixture(scope="session")
def opened_at_random():
    """`opened_at_random(task, core, sizes, **changes)`: a run with random weights, opened on its test split."""

    def make(task: str, core: str, sizes: dict[str, int], **changes) -> Opened:
        prepared = prepared_on(task, core, sizes, **changes)
        torch.manual_seed(0)
        core_module = build_core(prepared.run.core, prepared.tokenizer.get_vocab_size())
        module = prepared.task.model.build(core_module, prepared.run).eval()
        predictor = Predictor(prepared.run, prepared.task, module, prepared.tokenizer, {})
        part = part_of(predictor, "test", prepared.loaded.splits["test"], None)
        return Opened(RunFolder(Path()), {}, predictor, core_module.attention_layers(), part, None)

    return make


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a run of snli by the transformer, one by a core without attention heads, and the floor."""
    store = tmp_path_factory.mktemp("attention") / "runs"
    for core in ("transformer", "bilstm", "majority"):
        prepared = prepared_on("snli", core, {"train": 60, "dev": 12, "test": 30}, **{"training.learning_rate": 0.01})
        train_and_evaluate(prepared, folder_of(store, prepared.run, prepared.identity), Execution(show_progress=False))
    return store


@pytest.fixture
def store(trained: Path, tmp_path: Path) -> Path:
    """A copy of the store that a test may change."""
    return Path(shutil.copytree(trained, tmp_path / "runs"))


@pytest.fixture
def run(store: Path) -> RunFolder:
    return RunFolder(next((store / "snli" / "transformer").iterdir()))
