"""Real processes, here and on a Ray cluster: results, crashes, pruning, distributed runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from multiprocessing import forkserver
from pathlib import Path

import pandas as pd
import pytest

from atinuke_bench.errors import ConfigError, MissingDependencyError
from atinuke_bench.run_folder import RunFolder, find_runs
from atinuke_bench.runs.jobs import factory
from atinuke_bench.runs.jobs.factory import make_executor
from atinuke_bench.runs.jobs.local import LocalExecutor
from atinuke_bench.runs.jobs.types import GRACE_SECONDS, EpochDone, Event, Failed, Finished, Job, Started
from atinuke_bench.training.execution import Execution

QUIET = Execution(show_progress=False)
# Epochs of a run that lasts until it is ended.
LONG = 20_000
PAIR = Execution(devices=2, accelerator="cpu", show_progress=False)


RAY = pytest.param("ray", marks=(pytest.mark.cluster, pytest.mark.filterwarnings("ignore")))  # Ray's own warnings
KINDS = ["local", RAY]


@pytest.fixture(params=KINDS)
def executor(request):
    if request.param == "ray":
        pytest.importorskip("ray", reason="needs the extra 'cluster'")
    made = make_executor(request.param, 2)
    yield made
    made.close()


@pytest.fixture
def local():
    made = make_executor("local", 2)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("workers", "devices", "message"),
    [
        (3, 1, "found 2 for 3 runs of 1 side by side; nearest: --workers 2"),
        (2, 2, "found 2 for 2 runs of 2 side by side; nearest: --workers 1"),
        (None, 3, "found 2 for 1 runs of 3 side by side; nearest: runs of 2"),
    ],
)
def test_gpus_that_are_not_there_are_refused(monkeypatch, workers, devices, message):
    monkeypatch.setattr(factory, "own_gpus", lambda: ["0", "1"])
    with pytest.raises(ConfigError, match=message):
        make_executor("local", workers, devices)
    assert make_executor("local", None, 1).slots == 2
    monkeypatch.setattr(factory, "own_gpus", list)
    assert make_executor("local", workers, devices).slots >= 1, "runs on processors may be more than there are cores"


def until_the_end(executor, num_jobs, on_event=lambda event: None):
    """All events until so many jobs have ended."""
    events: list[Event] = []
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


def first_process(executor, key):
    """Process id of a job."""
    if isinstance(executor, LocalExecutor):
        return executor.processes(key)[0]
    import ray

    return ray.get(executor._placed[key].actor.processes.remote(key))[0]


def test_results_do_not_depend_on_how_a_run_is_carried_out(local, make_run, tmp_path):
    run = make_run("glue/wnli", seed=1)
    local.start(Job("alone", run, tmp_path / "alone", "disabled", execution=QUIET))
    local.start(Job("beside", run, tmp_path / "beside", "disabled", execution=QUIET))
    events = until_the_end(local, 2)
    server = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    assert os.getpgid(server) != os.getpgrp(), "who ends the group would end what reports how its jobs ended"
    local.start(Job("shared", run, tmp_path / "shared", "disabled", execution=PAIR))
    events += until_the_end(local, 1)
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


@pytest.mark.parametrize("core", ["bilstm", "majority"])
def test_a_rerun_in_two_processes_sets_aside_what_was_there(local, make_run, tmp_path, core):
    run = make_run("glue/wnli", core)
    job = Job("run", run, tmp_path, "disabled", execution=PAIR)
    for number in range(3):
        local.start(replace(job, rerun=number > 0))
        assert isinstance(last_words(until_the_end(local, 1))["run"], Finished)
    (folder,) = find_runs(tmp_path)
    assert folder.is_finished()
    earlier = [RunFolder(folder.path / f".earlier-{number}") for number in (1, 2)]
    assert all(past.is_finished() for past in earlier)
    assert {len(past.read_history()) for past in [*earlier, folder]} == {len(folder.read_history())}


@pytest.mark.parametrize("execution", [QUIET, PAIR], ids=["one process", "two processes"])
def test_a_run_that_is_told_so_ends_after_its_epoch(executor, make_run, tmp_path, execution):
    if execution is PAIR and not isinstance(executor, LocalExecutor):
        pytest.skip("Ray gives a run one device")
    run = make_run("glue/wnli", training__max_epochs=50)
    executor.start(Job("trial", run, tmp_path, "disabled", execution=execution, asks=True))

    def decide(event):
        if isinstance(event, EpochDone):
            executor.answer("trial", should_continue=event.record["epoch"] < 1)

    events = until_the_end(executor, 1, decide)
    assert sum(isinstance(event, EpochDone) for event in events) == 2
    assert (events[-1].failure_class, events[-1].message) == ("pruned", "stopped after epoch 2 of 50")
    folder = next(event.folder for event in events if isinstance(event, Started))
    assert json.loads((folder / "failure.json").read_text())["class"] == "pruned"
    assert not (folder / "result.json").exists()


def test_a_crash_and_a_wrong_run_are_failures_of_their_own_class(executor, make_run, tmp_path):
    long, wrong = (
        make_run("glue/wnli", training__max_epochs=LONG, training__patience=LONG),
        make_run("glue/wnli", options__no_such=1),
    )
    executor.start(Job("long", long, tmp_path, "disabled", execution=QUIET))
    executor.start(Job("wrong", wrong, tmp_path, "disabled", execution=QUIET))

    def kill(event):
        if isinstance(event, EpochDone) and event.record["epoch"] == 0:
            os.kill(first_process(executor, "long"), signal.SIGKILL)

    ends = last_words(until_the_end(executor, 2, kill))
    assert ends["long"].failure_class == "killed"
    assert "SIGKILL" in ends["long"].message
    assert ends["wrong"].failure_class == "config"
    assert "no_such" in ends["wrong"].message


def test_a_job_that_is_stopped_leaves_its_folder_in_order(executor, make_run, tmp_path):
    executor.start(
        Job(
            "long",
            make_run("glue/wnli", training__max_epochs=LONG, training__patience=LONG),
            tmp_path,
            "disabled",
            execution=QUIET,
        )
    )
    events = until_the_end(executor, 1, lambda event: isinstance(event, EpochDone) and executor.stop("long"))
    assert events[-1].failure_class == "killed"
    folder = next(event.folder for event in events if isinstance(event, Started))
    assert json.loads((folder / "failure.json").read_text())["class"] == "killed"
    assert (folder / "checkpoints" / "last.safetensors").exists()


def test_a_run_that_another_process_carries_out_is_left_alone(executor, make_run, tmp_path):
    run = make_run("glue/wnli", training__max_epochs=LONG, training__patience=LONG)
    executor.start(Job("first", run, tmp_path, "disabled", execution=QUIET))

    def second(event):
        if isinstance(event, EpochDone) and event.record["epoch"] == 0:
            executor.start(Job("second", run, tmp_path, "disabled", execution=QUIET))
        if isinstance(event, Failed) and event.key == "second":
            executor.stop("first")

    ends = last_words(until_the_end(executor, 2, second))
    assert ends["second"].failure_class == "busy"
    assert ends["first"].failure_class == "killed"


DRIVER = """
import sys
from pathlib import Path
from atinuke_bench.config import RunConfig
from atinuke_bench.runs.jobs import factory
from atinuke_bench.runs.jobs.factory import make_executor
from atinuke_bench.runs.jobs.types import EpochDone, Job

if __name__ == "__main__":
    kind, run, store = sys.argv[1:]
    executor = make_executor(kind, 1)
    executor.start(Job("long", RunConfig.model_validate_json(run), Path(store), "disabled"))
    while True:
        for event in executor.events(0.2):
            print(type(event).__name__, event.folder if hasattr(event, "folder") else "", flush=True)
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes through /proc")
@pytest.mark.parametrize("kind", KINDS)
def test_a_job_ends_in_order_when_its_driver_is_killed(kind, make_run, tmp_path):
    if kind == "ray":
        pytest.importorskip("ray", reason="needs the extra 'cluster'")
    (tmp_path / "driver.py").write_text(DRIVER)
    run = make_run("glue/wnli", training__max_epochs=LONG, training__patience=LONG).model_dump_json()
    command = [sys.executable, str(tmp_path / "driver.py"), kind, run, str(tmp_path / "store")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout is not None
        name, _, place = driver.stdout.readline().strip().partition(" ")
        assert name == "Started"
        assert driver.stdout.readline().startswith("EpochDone")
        driver.kill()
    folder = RunFolder(Path(place))
    deadline = time.monotonic() + 2 * GRACE_SECONDS
    while folder.is_locked():
        assert time.monotonic() < deadline, "the job outlives its driver"
        time.sleep(0.1)
    assert json.loads(folder.failure.read_text())["class"] == "killed"
    assert folder.last_checkpoint.exists()


def test_ray_gives_the_same_result(executor, make_run, tmp_path):
    if isinstance(executor, LocalExecutor):
        pytest.skip("the reference")
    run = make_run("glue/wnli", seed=1, training__max_epochs=1)
    scores = []
    for one in (LocalExecutor(1), executor):
        one.start(Job("good", run, tmp_path / type(one).__name__, "disabled", execution=QUIET))
        started, *_, end = until_the_end(one, 1)
        assert isinstance(end, Finished)
        scores.append(predictions(started.folder))
    assert scores[0].equals(scores[1])


def test_a_job_that_waits_for_a_free_machine_can_be_stopped(executor, make_run, tmp_path):
    if isinstance(executor, LocalExecutor):
        pytest.skip("starts every job at once")
    for key in ("first", "second", "third"):  # the cluster has two cores
        run = make_run("glue/wnli", training__max_epochs=LONG, training__patience=LONG)
        executor.start(Job(key, run, tmp_path / key, "disabled", execution=QUIET))
    waiting = {"first", "second", "third"}

    def stop_what_waits(event):
        waiting.discard(event.key)
        if len(waiting) == 1:
            executor.stop(*waiting)

    (end,) = last_words(until_the_end(executor, 1, stop_what_waits)).values()
    assert end.failure_class == "killed"


def test_ray_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'atinuke-bench\[cluster\]'"):
        make_executor("ray")


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
    monkeypatch.setattr("atinuke_bench.runs.jobs.factory.own_gpus", lambda: ["0", "1", "2", "3"])
    assert make_executor("local").slots == 4
    assert make_executor("local", devices_per_run=2).slots == 2
    with pytest.raises(ConfigError, match="found 4 for 3 runs of 2"):
        make_executor("local", 3, devices_per_run=2)
    monkeypatch.setattr("atinuke_bench.runs.jobs.factory.own_gpus", list)
    monkeypatch.setattr("atinuke_bench.runs.jobs.factory.own_cores", lambda: 8)
    assert make_executor("local", threads_per_run=2, devices_per_run=2).slots == 2


def test_ray_gives_a_run_one_device():
    with pytest.raises(ConfigError, match="one device"):
        make_executor("ray", devices_per_run=2)
