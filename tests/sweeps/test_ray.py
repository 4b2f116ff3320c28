"""Studies on a Ray cluster of this machine: decisions pass, whatever is killed, and no trial runs for ever."""

from __future__ import annotations

import os
import signal

import pytest

from atinuke_bench.runs.jobs.factory import make_executor
from atinuke_bench.runs.jobs.ray import RayExecutor
from atinuke_bench.runs.jobs.types import Job
from atinuke_bench.sweeps.opening import create_or_join
from atinuke_bench.sweeps.sweep import Sweep
from atinuke_bench.training.execution import Execution

ray = pytest.importorskip("ray", reason="needs the extra 'cluster'")
pytestmark = [pytest.mark.cluster, pytest.mark.filterwarnings("ignore")]  # Ray's own warnings
SMALL = {"training.max_epochs": 2, "tokenizer.vocab_size": 200}


def test_decisions_pass_and_killed_processes_are_repeated(kills, official, tmp_path, monkeypatch):
    settings = {"overrides": {**SMALL, "training.max_epochs": 3}, "pruner": "median"}
    study = create_or_join(kills.make_config(official, 3, **settings), tmp_path / "runs")
    executor = make_executor("ray", 2)
    assert isinstance(executor, RayExecutor)
    report, begin, struck = study.report, study.begin_part, set[int]()

    def decided(number, history, **ask):
        # Whatever the pruner thinks, trial 1 ends after its second epoch and no other.
        report(number, history, **ask)
        return number == 1 and len(history) == 2

    def begun(number, place, folder):
        begin(number, place, folder)
        # The first trial, and later one that repeats none: which number it has depends on how soon a death is noticed.
        repeats = study.trials()[number].user_attrs.get("retry_of") is not None
        if number == 1 or repeats or (number and len(struck) == 2):
            return
        struck.add(number)
        actor = executor._placed[str(number)].actor
        if number == 0:  # the run's own process, then the process that Ray watches
            pid = ray.get(actor.processes.remote("0"))[0]
        else:
            pid = ray.get(actor.__ray_call__.remote(lambda actor: os.getpid()))
        os.kill(pid, signal.SIGKILL)

    monkeypatch.setattr(study, "report", decided)
    monkeypatch.setattr(study, "begin_part", begun)
    template = Job(
        "", study.config.make_run({}), study.store, wandb="disabled", execution=Execution(show_progress=False)
    )
    try:
        Sweep(study, executor, template).run()
        assert not executor._placed
    finally:
        executor.close()
    trials, now = study.trials(), study.tally()
    assert len(struck) == 2
    assert (now.counted, now.running, now.waiting, now.pruned) == (3, 0, 0, 1)
    assert trials[1].state.name == "PRUNED"
    assert list(trials[1].intermediate_values) == [1, 2]
    assert [trials[number].user_attrs["failure_class"] for number in struck] == ["killed", "killed"]
    assert {trial.user_attrs.get("retry_of") for trial in trials} == {None, *struck}
    assert kills.broken_rules(study) == []
    study.close()


def test_a_driver_that_is_killed_leaves_no_trial_running(kills, official, tmp_path):
    config = kills.make_config(official, 3, overrides=SMALL)
    with kills.running_cluster(2):
        struck = kills.fire(config, tmp_path / "runs", kills.Way(executor="ray"), num_kills=2, longest=0.5, seed=1)
    study = create_or_join(config, tmp_path / "runs")
    repeated = [trial.number for trial in study.trials() if "retry_of" in trial.user_attrs]
    assert struck == 2
    assert repeated, "a trial was carried out when its driver was killed"
    assert kills.broken_rules(study) == []
    assert study.tally().failed == 0
    study.close()
