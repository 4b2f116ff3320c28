"""Every setting of a training does what it says, in a real run."""

from __future__ import annotations

from typing import Any

import pytest

from atinuke_bench.config import TrainingConfig
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.step_record import read_steps
from atinuke_bench.training import prepare as module
from atinuke_bench.training.execution import Execution
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.schedule import warmup_then_linear
from atinuke_bench.training.train import train_and_evaluate

QUIET = Execution(show_progress=False)
#: A change of each setting, and what both runs need for it to show.
CHANGES: dict[str, tuple[Any, dict[str, Any]]] = {
    "max_epochs": (3, {}),
    "batch_tokens": (128, {}),
    "batch_rows": (2, {}),
    "max_length": (8, {}),
    "learning_rate": (5e-3, {}),
    "core_learning_rate": (1e-4, {}),
    "weight_decay": (0.9, {}),
    "warmup_fraction": (0.6, {}),
    "gradient_clip": (0.01, {}),
    "precision": ("bfloat16", {}),
    "select_on": ("dev", {}),
    "held_out_fraction": (0.3, {}),
    "held_out_limit": (2, {}),
    "patience": (1, {"training__learning_rate": 1e-9, "training__max_epochs": 4, "training__patience": 4}),
    "train_limit": (20, {}),
    "drop_overlap": (True, {"task": "glue/wnli"}),
}


def history(run, place):
    folder = RunFolder(place)
    train_and_evaluate(prepare(run), folder, QUIET)
    return [(record["loss"], record["score"]) for record in folder.read_history()]


@pytest.fixture(scope="module")
def known():
    """Histories of runs, by their settings."""
    return {}


def test_all_settings_are_tried():
    assert set(CHANGES) == set(TrainingConfig.model_fields)


@pytest.mark.parametrize("setting", CHANGES)
def test_a_setting_changes_the_training(make_run, tmp_path, known, setting):
    value, shared = CHANGES[setting]
    if str(shared) not in known:
        known[str(shared)] = history(make_run(core="bilstm", **shared), tmp_path / "as it is")
    changed = history(make_run(core="bilstm", **{**shared, f"training__{setting}": value}), tmp_path / "changed")
    assert changed != known[str(shared)]


@pytest.mark.parametrize("fraction", [0.1, 0.5])
def test_the_rate_of_each_step_is_that_of_the_schedule(make_run, tmp_path, fraction):
    run = make_run(training__warmup_fraction=fraction, training__max_epochs=6, training__patience=6)
    folder = RunFolder(tmp_path)
    train_and_evaluate(prepare(run), folder, QUIET)
    rates = list(read_steps(folder.steps)["learning_rate"])
    num_steps = len(rates)
    num_warmup = round(fraction * num_steps)
    assert num_warmup > 1
    factors = [warmup_then_linear(step, num_warmup, num_steps) for step in range(num_steps)]
    assert rates == pytest.approx([run.training.learning_rate * factor for factor in factors])
    assert rates[0] < run.training.learning_rate


def test_runs_of_another_schedule_have_another_name_and_floors_keep_theirs(make_run, monkeypatch):
    before = [prepare(make_run(core=core)).identity for core in ("bilstm", "majority")]
    monkeypatch.setattr(module, "SCHEDULE_VERSION", 99)
    after = [prepare(make_run(core=core)).identity for core in ("bilstm", "majority")]
    assert (before[0] == after[0], before[1] == after[1]) == (False, True)
