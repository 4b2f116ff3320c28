"""Real runs in processes of their own: a sweep that is killed, and trials that are pruned under DDP."""

from __future__ import annotations

import json

import pytest

from atinuke_bench.runs.jobs.factory import make_executor
from atinuke_bench.runs.jobs.local import LocalExecutor
from atinuke_bench.runs.jobs.types import Job
from atinuke_bench.sweeps.opening import create_or_join
from atinuke_bench.sweeps.sweep import Sweep
from atinuke_bench.training.execution import Execution


# Python 3.12 warns of a fork beside threads; the forked processes use none of them.
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_sweep_that_is_killed_again_and_again_comes_out_whole(kills, official, tmp_path):
    config = kills.make_config(official, 4, overrides={"training.max_epochs": 1, "tokenizer.vocab_size": 200})
    struck = kills.fire(config, tmp_path / "runs", kills.Way(), num_kills=3, longest=2.5, seed=3)
    study = create_or_join(config, tmp_path / "runs")
    assert struck >= 1
    assert kills.broken_rules(study) == []
    assert study.tally().failed == 0
    study.close()


def test_a_pruned_trial_ends_on_all_ranks_within_an_evaluation(kills, official, tmp_path, monkeypatch):
    settings = {"overrides": {"training.max_epochs": 5, "tokenizer.vocab_size": 200}, "pruner": "median"}
    study = create_or_join(kills.make_config(official, 1, **settings), tmp_path / "runs")
    # Whatever the pruner thinks, the second epoch is to be the last.
    report = study.report
    monkeypatch.setattr(
        study, "report", lambda number, history, **ask: [report(number, history, **ask), len(history) == 2][1]
    )
    executor = make_executor("local", 1)
    assert isinstance(executor, LocalExecutor)
    template = Job(
        "",
        study.config.make_run({}),
        study.store,
        wandb="disabled",
        execution=Execution(devices=2, accelerator="cpu", show_progress=False),
    )
    try:
        Sweep(study, executor, template).run()
        assert not executor._running
    finally:
        executor.close()
    (trial,) = study.trials()
    assert trial.state.name == "PRUNED"
    assert list(trial.intermediate_values) == [1, 2]
    folder = study.store / trial.user_attrs["folder"]
    assert json.loads((folder / "failure.json").read_text())["class"] == "pruned"
    assert len((folder / "history.jsonl").read_text().splitlines()) == 2
    study.close()
