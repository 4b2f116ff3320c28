"""The supervisor of a suite, against an executor whose jobs end as they are told."""

from __future__ import annotations

import errno
import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
import yaml
from filelock import FileLock

from atinuke_bench.config import RunConfig, SourceConfig, SuiteConfig, parse
from atinuke_bench.errors import FailureClass, RunFolderError
from atinuke_bench.reports.reading.suites import read_suites
from atinuke_bench.run_folder import RunFolder, folder_of
from atinuke_bench.runs.cells import cell_states
from atinuke_bench.runs.grid import expand
from atinuke_bench.runs.jobs.types import EpochDone, Event, Failed, Finished, Job, Started
from atinuke_bench.runs.suite import Suite, SuiteOptions
from atinuke_bench.runs.suite_record import (
    RecordedCell,
    SuiteRecord,
    finished_results,
    open_record,
    read_record,
    record_path,
)

CORES = {"floor": {"core": "majority"}, "small": {"core": "atinuke", "preset": "nano"}}
CONFIG = {
    "name": "trial",
    "tasks": ["glue/wnli"],
    "cores": CORES,
    "seeds": [0, 1, 2],
}


#: The class and message of a failure, a job that never ends, or None for a result.
Fate = tuple[str, str] | Literal["hangs"] | None


def whole_result(run: RunConfig, score: float) -> dict[str, Any]:
    """All that a result must hold."""
    core = {"core": run.core.name, "core_label": run.core.label()}
    measured = {
        "split": "dev",
        "metric": "accuracy",
        "higher_is_better": True,
        "score": score,
        "slices": {},
        "interval": None,
        "selection": None,
    }
    protocol = {"source": "local", "is_cut": False, "selection": "held-out", "pretraining": "none"}
    return {"task": run.task, **core, "seed": run.seed, "identity": "0", **measured, "protocol": protocol,
            "scores": {"dev": {"accuracy": score}}, "cost": {}, "seconds": 1.0}  # fmt: skip


@dataclass
class FakeExecutor:
    """Ends every job at once: with a result, or as `fate(job)` says. It counts what it is asked to do."""

    fate: Callable[[Job], Fate] = lambda job: None
    slots: int = 2
    started: list[Job] = field(default_factory=list)
    stopped: list[tuple[str, bool]] = field(default_factory=list)
    most: int = 0
    queue: list[Event] = field(default_factory=list)
    running: set[str] = field(default_factory=set)

    def start(self, job: Job) -> None:
        self.started.append(job)
        self.running.add(job.key)
        self.most = max(self.most, len(self.running))
        folder = folder_of(job.store, job.run, job.key[:10])
        folder.create()
        folder.write_config(job.run)
        self.queue.append(Started(job.key, folder.path))
        fate = self.fate(job)
        if fate is None:
            result = whole_result(job.run, 50.0)
            folder.write_result(result)
            self.queue += [EpochDone(job.key, {"epoch": 0, "loss": 1.0, "score": 50.0}), Finished(job.key, result)]
        elif fate != "hangs":
            failure_class, message = fate
            self.queue.append(Failed(job.key, FailureClass(failure_class), message))

    def events(self, timeout: float) -> list[Event]:
        events, self.queue = self.queue, []
        self.running -= {event.key for event in events if isinstance(event, Finished | Failed)}
        if not events:
            time.sleep(0.01)
        return events

    def answer(self, key: str, should_continue: bool) -> None:
        raise AssertionError("a suite asks nothing")

    def stop(self, key: str, *, at_once: bool = False) -> None:
        self.stopped.append((key, at_once))
        self.queue.append(Failed(key, FailureClass.KILLED, "told to stop"))

    def close(self) -> None:
        pass


@pytest.fixture
def carry_out(tmp_path, official):
    def carry(executor, config=CONFIG, retry_failed=False, rerun=False, changed=str, **options):
        suite = parse(SuiteConfig, config, "suite")
        source = SourceConfig(data_dir=official)
        chosen = SuiteOptions(tmp_path, rerun=rerun, **options)
        record = open_record(tmp_path, suite.name)
        cells = expand(suite, source)
        looks = {"retry_failed": retry_failed, "rerun": rerun, "look_again": chosen.predicts_unlabelled}
        states = cell_states(cells, suite, source, record, **looks)
        work = Suite("trial", states, record, executor, chosen)
        work.changed = lambda state: changed(state.status)
        work.run()
        return work

    return carry


def test_every_cell_runs_once_and_never_more_than_there_are_slots(carry_out):
    executor = FakeExecutor()
    work = carry_out(executor)
    assert work.counts() == {"finished": 6}
    assert len(executor.started) == 6
    assert executor.most <= 2


def test_finished_runs_are_asked_for_predictions_that_they_may_lack(carry_out):
    first, again = FakeExecutor(), FakeExecutor()
    carry_out(first)
    assert not any(job.predicts_unlabelled for job in first.started)
    assert carry_out(again, predicts_unlabelled=True).counts() == {"finished": 6}
    assert [job.predicts_unlabelled for job in again.started] == [True] * 6


def test_a_second_start_repeats_nothing(carry_out, tmp_path, official):
    carry_out(FakeExecutor())
    again = FakeExecutor()
    assert carry_out(again).counts() == {"finished": 6}
    assert again.started == []
    suite = parse(SuiteConfig, CONFIG, "suite")
    results = finished_results(open_record(tmp_path, "trial"), suite, SourceConfig(data_dir=official), tmp_path)
    assert results is not None
    assert [variant for variant, _ in results] == ["floor", "small"] * 3


def test_a_rerun_repeats_every_run_once(carry_out):
    twice: dict[str, Any] = {**CONFIG, "cores": {**CORES, "again": {"core": "atinuke", "preset": "nano"}}}
    carry_out(FakeExecutor(), twice)
    again = FakeExecutor()
    assert carry_out(again, twice, rerun=True).counts() == {"finished": 9}
    assert len(again.started) == 9
    rerun = [job.run for job in again.started if job.rerun]
    assert len(rerun) == 6
    assert all(rerun.count(run) == 1 for run in rerun)


def test_a_finished_suite_is_looked_into_again_when_the_data_or_the_suite_has_changed(carry_out, tmp_path, official):
    carry_out(FakeExecutor())
    record = open_record(tmp_path, "trial")

    def known(seeds=(0, 1, 2), folder=official):
        suite = parse(SuiteConfig, {**CONFIG, "seeds": list(seeds)}, "suite")
        return finished_results(record, suite, SourceConfig(data_dir=folder), tmp_path)

    assert len(known()) == 6
    assert known(seeds=[0]) is None
    assert known(folder=tmp_path / "other") is None
    RunFolder(tmp_path / record.cells[0].folder).result.write_text("{")
    assert known() is None


def test_a_failure_does_not_end_the_suite_and_is_retried_only_when_asked(carry_out):
    def fate(job):
        return ("diverged", "the loss is nan") if job.run.seed == 1 and job.run.core.name == "atinuke" else None

    work = carry_out(FakeExecutor(fate))
    assert work.counts() == {"finished": 5, "failed": 1}
    failed = next(state for state in work.states if state.status == "failed")
    assert json.loads(failed.folder.failure.read_text())["class"] == "diverged"
    again = FakeExecutor()
    assert carry_out(again).counts() == {"finished": 5, "failed": 1}
    assert again.started == []
    retried = FakeExecutor()
    assert carry_out(retried, retry_failed=True).counts() == {"finished": 6}
    assert len(retried.started) == 1


def test_a_killed_run_goes_on_at_the_next_start(carry_out):
    carry_out(FakeExecutor(lambda job: ("killed", "killed by SIGKILL") if job.run.seed == 2 else None))
    again = FakeExecutor()
    assert carry_out(again).counts() == {"finished": 6}
    assert {job.run.seed for job in again.started} == {2}


def test_a_run_that_hangs_is_ended_and_filed_as_such(carry_out):
    executor = FakeExecutor(lambda job: "hangs" if job.run.seed == 0 else None)
    work = carry_out(executor, timeout=0.1)
    assert work.counts() == {"finished": 4, "failed": 2}
    for state in work.states:
        if state.status == "failed":
            assert json.loads(state.folder.failure.read_text())["class"] == "timeout"
    assert len(executor.stopped) == 2
    again = FakeExecutor()
    carry_out(again)
    assert again.started == []  # what hung once would hang again


def test_a_run_that_another_process_has_is_waited_for_and_its_result_taken(carry_out, monkeypatch):
    monkeypatch.setattr("atinuke_bench.runs.suite.LOOK_AGAIN_SECONDS", 0.05)
    held: dict[str, Any] = {}

    def fate(job):
        if job.run.seed != 0 or job.run.core.name != "majority" or held.get("done"):
            return None
        folder = folder_of(job.store, job.run, job.key[:10])
        held["lock"] = FileLock(folder.path / ".lock")
        held["lock"].acquire()
        held["folder"], held["done"] = folder, True
        return "busy", "another process is carrying out this run"

    class FinishedElsewhere(FakeExecutor):
        looked = 0

        def events(self, timeout):
            if "lock" in held and not self.running:
                self.looked += 1
                if self.looked == 30:
                    held["folder"].write_result(whole_result(held["folder"].read_config(), 41.0))
                    held.pop("lock").release()
            return super().events(timeout)

    executor = FinishedElsewhere(fate)
    work = carry_out(executor)
    assert work.counts() == {"finished": 6}
    assert work.states[0].result["score"] == 41.0
    assert len(executor.started) == 6  # not started a second time


def test_a_run_whose_other_holder_died_is_taken_over(carry_out, monkeypatch):
    monkeypatch.setattr("atinuke_bench.runs.suite.LOOK_AGAIN_SECONDS", 0.01)
    refused: list[str] = []

    def fate(job):
        if job.run.seed == 0 and job.run.core.name == "majority" and not refused:
            refused.append(job.key)
            return "busy", "another process is carrying out this run"
        return None

    executor = FakeExecutor(fate)
    assert carry_out(executor).counts() == {"finished": 6}
    assert len(executor.started) == 7


def test_an_edited_suite_keeps_its_earlier_runs_and_says_that_they_are_not_in_the_grid(carry_out, tmp_path):
    carry_out(FakeExecutor())
    edited = {**CONFIG, "seeds": [0, 3]}
    executor = FakeExecutor()
    work = carry_out(executor, edited)
    assert {job.run.seed for job in executor.started} == {3}
    kept = [cell for cell in work.record.cells if not cell.in_grid]
    assert {cell.seed for cell in kept} == {1, 2}
    assert all(RunFolder(tmp_path / cell.folder).is_finished() for cell in kept)


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_running_jobs_and_is_raised(carry_out, kind):
    class Interrupted(FakeExecutor):
        def start(self, job: Job) -> None:
            super().start(job)
            os.kill(os.getpid(), kind)

    executor = Interrupted(lambda job: "hangs")
    before = signal.getsignal(signal.SIGTERM)
    told: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        carry_out(executor, changed=told.append)
    assert {key for key, _ in executor.stopped} == {job.key for job in executor.started}
    assert set(told) == {"running"}, "what goes on with the suite has not failed"
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_finished_suite_is_shown_from_a_store_that_cannot_be_written(carry_out, monkeypatch):
    carry_out(FakeExecutor())

    def refuse(*arguments, **options):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("atinuke_bench.runs.suite_record.held", refuse)
    executor = FakeExecutor()
    assert carry_out(executor).counts() == {"finished": 6}
    assert executor.started == []
    with pytest.raises(RunFolderError, match=r"trial\.json: cannot be written \(Read-only file system\)"):
        carry_out(executor, {**CONFIG, "seeds": [3]})


def test_a_damaged_record_is_made_again(carry_out, tmp_path):
    carry_out(FakeExecutor())
    record_path(tmp_path, "trial").write_text("{'")
    executor = FakeExecutor()
    assert carry_out(executor).counts() == {"finished": 6}
    assert yaml.safe_load(record_path(tmp_path, "trial").read_text())["name"] == "trial"


NAMES = ("a b", "a-b", "a—b", "быстро", "медленно", "快速", "慢速", "🚀", "🛰", "", ".", "x" * 300, "x" * 301)


def test_each_suite_has_its_own_record_whatever_its_name(carry_out, tmp_path):
    for name in NAMES:
        carry_out(FakeExecutor(), {**CONFIG, "name": name, "seeds": [0]})
    records = [json.loads(path.read_text()) for path in (tmp_path / "suites").glob("[!.]*.json")]
    assert sorted(record["name"] for record in records) == sorted(NAMES)
    assert all(len(record["cells"]) == 2 for record in records)
    assert sorted(suite.name for suite in read_suites([tmp_path])[0]) == sorted(NAMES)


def test_a_record_of_another_suite_is_not_taken_for_this_ones(tmp_path):
    path = tmp_path / "quick.json"
    SuiteRecord(path, "Quick", cells=[RecordedCell("k", "snli", "a", "atinuke", 0, "snli/atinuke/seed-0-1")]).write()
    assert len(read_record(path, "Quick").cells) == 1
    assert read_record(path, "quick").cells == []
