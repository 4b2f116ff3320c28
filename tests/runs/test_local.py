"""Real processes: results, crashes, pruning, distributed runs; and the same with Ray."""

from __future__ import annotations

import json
import os
import signal
import time

import pandas as pd
import pytest

from atinuke_bench.errors import ConfigError
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.runs.executor import EpochDone, Failed, Finished, Job, Started, make_executor
from atinuke_bench.runs.local import LocalExecutor
from atinuke_bench.training.execution import Execution

QUIET = Execution(show_progress=False)
PAIR = Execution(devices=2, accelerator="cpu", show_progress=False)


@pytest.fixture
def executor():
    made = make_executor("local", 2)
    yield made
    made.close()


def until_the_end(executor, num_jobs, on_event=lambda event: None):
    """All events until so many jobs have ended."""
    events = []
    deadline = time.monotonic() + 300
    while sum(isinstance(event, Finished | Failed) for event in events) < num_jobs:
        assert time.monotonic() < deadline, events
        for event in executor.events(0.2):
            events.append(event)
            on_event(event)
    return events


def last_words(events):
    return {event.key: event for event in events if isinstance(event, Finished | Failed)}


def predictions(folder):
    return pd.read_parquet(folder / "predictions.parquet")


def test_results_do_not_depend_on_how_a_run_is_carried_out(executor, make_run, tmp_path):
    run = make_run("glue/wnli", seed=1)
    executor.start(Job("alone", run, tmp_path / "alone", "disabled", execution=QUIET))
    executor.start(Job("beside", run, tmp_path / "beside", "disabled", execution=QUIET))
    events = until_the_end(executor, 2)
    executor.start(Job("shared", run, tmp_path / "shared", "disabled", execution=PAIR))
    events += until_the_end(executor, 1)
    ends = last_words(events)
    assert all(isinstance(end, Finished) for end in ends.values()), ends
    folders = {event.key: event.folder for event in events if isinstance(event, Started)}
    assert len({folder.name for folder in folders.values()}) == 1
    written = [(folders[key] / "predictions.parquet").read_bytes() for key in ("alone", "beside")]
    assert written[0] == written[1]
    # Two processes share every step. The sums are rounded otherwise, and dropout is drawn elsewhere; what is measured,
    # and on which ids, is the same.
    alone, shared = predictions(folders["alone"]), predictions(folders["shared"])
    assert shared["id"].is_unique or not shared[["split", "id"]].duplicated().any()
    assert alone[["split", "id", "gold"]].equals(shared[["split", "id", "gold"]])
    results = {key: json.loads((folder / "result.json").read_text()) for key, folder in folders.items()}
    assert results["alone"]["protocol"] == results["shared"]["protocol"]
    steps = {key: [line["step"] for line in RunFolder(folder).read_history()] for key, folder in folders.items()}
    assert steps["alone"] == steps["shared"]
    assert [type(event) for event in events if event.key == "shared"] == [Started, EpochDone, EpochDone, Finished]
    execution = json.loads((folders["shared"] / "manifest.json").read_text())["execution"]
    assert (execution["devices"], execution["rank"]) == (2, 0)


@pytest.mark.parametrize("execution", [QUIET, PAIR], ids=["one process", "two processes"])
def test_a_run_that_is_told_so_ends_after_its_epoch(executor, make_run, tmp_path, execution):
    run = make_run("glue/wnli", training__max_epochs=50)
    executor.start(Job("trial", run, tmp_path, "disabled", execution=execution, asks=True))

    def decide(event):
        if isinstance(event, EpochDone):
            executor.answer("trial", go_on=event.record["epoch"] < 1)

    events = until_the_end(executor, 1, decide)
    assert sum(isinstance(event, EpochDone) for event in events) == 2
    assert (events[-1].failure_class, events[-1].message) == ("pruned", "stopped after epoch 2 of 50")
    folder = next(event.folder for event in events if isinstance(event, Started))
    assert json.loads((folder / "failure.json").read_text())["class"] == "pruned"
    assert not (folder / "result.json").exists()


def test_a_crash_and_a_wrong_run_are_failures_of_their_own_class(executor, make_run, tmp_path):
    long, wrong = make_run("glue/wnli", training__max_epochs=500), make_run("glue/wnli", options__no_such=1)
    executor.start(Job("long", long, tmp_path, "disabled", execution=QUIET))
    executor.start(Job("wrong", wrong, tmp_path, "disabled", execution=QUIET))

    def kill(event):
        if isinstance(event, EpochDone) and event.record["epoch"] == 0:
            os.kill(executor.processes("long")[0], signal.SIGKILL)

    ends = last_words(until_the_end(executor, 2, kill))
    assert ends["long"].failure_class == "killed"
    assert "SIGKILL" in ends["long"].message
    assert ends["wrong"].failure_class == "data"
    assert "no_such" in ends["wrong"].message


def test_a_job_that_is_stopped_leaves_its_folder_in_order(executor, make_run, tmp_path):
    executor.start(Job("long", make_run("glue/wnli", training__max_epochs=500), tmp_path, "disabled", execution=QUIET))
    events = until_the_end(executor, 1, lambda event: isinstance(event, EpochDone) and executor.stop("long"))
    assert events[-1].failure_class == "killed"
    folder = next(event.folder for event in events if isinstance(event, Started))
    assert json.loads((folder / "failure.json").read_text())["class"] == "killed"
    assert (folder / "checkpoints" / "last.safetensors").exists()


def test_a_run_that_another_process_carries_out_is_left_alone(executor, make_run, tmp_path):
    run = make_run("glue/wnli", training__max_epochs=500)
    executor.start(Job("first", run, tmp_path, "disabled", execution=QUIET))

    def second(event):
        if isinstance(event, EpochDone) and event.record["epoch"] == 0:
            executor.start(Job("second", run, tmp_path, "disabled", execution=QUIET))
        if isinstance(event, Failed) and event.key == "second":
            executor.stop("first")

    ends = last_words(until_the_end(executor, 2, second))
    assert ends["second"].failure_class == "busy"
    assert ends["first"].failure_class == "killed"


@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_ray_gives_the_same_result(make_run, tmp_path):
    pytest.importorskip("ray", reason="needs the extra 'cluster'")
    run = make_run("glue/wnli", seed=1, training__max_epochs=1)
    scores = {}
    for kind in ("local", "ray"):
        executor = make_executor(kind, 2)
        try:
            executor.start(Job("good", run, (tmp_path / kind).absolute(), "disabled", execution=QUIET))
            if kind == "ray":
                wrong = make_run("glue/wnli", options__no_such=1)
                executor.start(Job("wrong", wrong, (tmp_path / kind).absolute(), "disabled", execution=QUIET))
            events = until_the_end(executor, 1 if kind == "local" else 2)
        finally:
            executor.close()
        ends = last_words(events)
        scores[kind] = predictions(next(e.folder for e in events if isinstance(e, Started) and e.key == "good"))
        assert isinstance(ends["good"], Finished)
    assert ends["wrong"].failure_class == "data"
    assert scores["local"].equals(scores["ray"])


def test_every_job_sees_gpus_of_its_own(monkeypatch, make_run, tmp_path):
    started = []

    class Process:
        pid, exitcode = 0, 0

        def __init__(self, target, args, name):
            started.append((name, args[2].get("CUDA_VISIBLE_DEVICES"), args[2].get("LOCAL_RANK")))
            self.start = lambda: None
            self.is_alive = lambda: False
            self.join = lambda timeout=None: None

    executor = LocalExecutor(2, gpus=["4", "5", "6"])
    monkeypatch.setattr(executor._context, "Process", Process, raising=False)
    run = make_run("glue/wnli")
    executor.start(Job("pair", run, tmp_path, execution=Execution(devices=2)))
    executor.start(Job("single", run, tmp_path))
    assert started == [("pair", "4,5", "0"), ("pair", "4,5", "1"), ("single", "6", None)]
    while executor.events(0.1):  # they are gone at once
        pass
    executor.start(Job("next", run, tmp_path))
    assert started[-1][1] in {"4", "5", "6"}
    executor.close()


def test_a_job_without_enough_free_gpus_is_not_started_on_those_of_another(make_run, tmp_path):
    executor = LocalExecutor(2, gpus=["0"])
    with pytest.raises(ConfigError, match="needs 2 GPUs"):
        executor.start(Job("pair", make_run("glue/wnli"), tmp_path, execution=Execution(devices=2)))


def test_gpus_decide_how_many_runs_stand_side_by_side(monkeypatch):
    monkeypatch.setattr("atinuke_bench.runs.local.visible_gpus", lambda: ["0", "1", "2", "3"])
    assert make_executor("local").slots == 4
    assert make_executor("local", devices_per_run=2).slots == 2
    with pytest.raises(ConfigError, match="found 4 for 3 runs of 2"):
        make_executor("local", 3, devices_per_run=2)
    monkeypatch.setattr("atinuke_bench.runs.local.visible_gpus", list)
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    assert make_executor("local", threads_per_run=2, devices_per_run=2).slots == 2


def test_ray_gives_a_run_one_device():
    with pytest.raises(ConfigError, match="one device"):
        make_executor("ray", devices_per_run=2)
