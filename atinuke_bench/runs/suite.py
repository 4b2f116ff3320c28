"""Carries out a suite: cells wait, run, finish or fail, and the run folders always show how far it is."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from atinuke_bench.config import InitConfig, RunConfig
from atinuke_bench.errors import FailureClass, RunFolderError
from atinuke_bench.files import write_json
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.runs.cells import CellState
from atinuke_bench.runs.jobs.loop import LOOK_AGAIN_SECONDS, JobLoop
from atinuke_bench.runs.jobs.types import EpochDone, Event, Executor, Failed, Finished, Job, Started, WandbMode
from atinuke_bench.runs.suite_record import SuiteRecord
from atinuke_bench.training.execution import Execution
from atinuke_bench.training.failure import failure_record

# The record of a suite is written at most this often while runs come and go.
_RECORD_SECONDS = 2.0


@dataclass(frozen=True)
class SuiteOptions:
    """How a suite is carried out."""

    store: Path
    wandb: WandbMode = "offline"
    execution: Execution = field(default_factory=lambda: Execution(show_progress=False))
    #: Seconds that one run may take before it counts as hanging; None for no limit.
    timeout: float | None = None
    #: Trains every run again, once.
    rerun: bool = False
    #: Splits without labels are predicted too.
    predicts_unlabelled: bool = False


class Suite:
    """Carries out the cells that wait, at most `executor.slots` at a time."""

    def __init__(
        self,
        name: str,
        states: list[CellState],
        record: SuiteRecord,
        executor: Executor,
        options: SuiteOptions,
        changed: Callable[[CellState], None] = lambda state: None,
    ) -> None:
        """`changed` is called with every cell whose status has changed."""
        self.name = name
        self.states = states
        self.record = record
        self.executor = executor
        self.options = options
        self.changed = changed
        self._by_key = {state.key: state for state in states}
        self._by_path = {state.cell.path: state for state in states}
        self._recorded = {cell.key: cell for cell in record.cells}
        self._record_due: float | None = None
        self._rerun: set[str] = set()
        self._loop = JobLoop(executor, self)
        self._on_tick: Callable[[], None] = lambda: None

    def counts(self) -> Counter[str]:
        """How many cells have each status."""
        return Counter(state.status for state in self.states)

    def results(self) -> list[tuple[str, dict[str, Any]]]:
        """Column and result of every finished cell."""
        return [(state.cell.variant, state.result) for state in self.states if state.result is not None]

    def failed(self) -> list[CellState]:
        """The cells that failed."""
        return [state for state in self.states if state.status == "failed"]

    def seconds_left(self) -> float | None:
        """A guess from the runs since the start: mean seconds of each task, or of all tasks where one has none."""
        seen = [(state.cell.run.task, state.seconds) for state in self.states if state.seconds is not None]
        if not seen:
            return None
        overall = statistics.mean(seconds for _, seconds in seen)
        total = 0.0
        for state in self.states:
            if state.status in ("waiting", "running"):
                same = [seconds for task, seconds in seen if task == state.cell.run.task]
                spent = time.monotonic() - state.started if state.status == "running" else 0.0
                total += max(0.0, (statistics.mean(same) if same else overall) - spent)
        return total / self.executor.slots

    def run(self, on_tick: Callable[[], None] = lambda: None) -> None:
        """Carry out what waits, as `JobLoop.run` does; `on_tick` is called about twice a second."""
        self._on_tick = on_tick
        try:
            self._loop.run()
        finally:
            self.executor.close()
            self._write_record()

    def next_job(self) -> Job | None:
        for state in self.states:
            if state.status == "elsewhere" and state.look_again <= time.monotonic():
                self._look_elsewhere(state)
            if state.status == "waiting" and self._can_start(state):
                return self._job_of(state)
        return None

    def is_over(self) -> bool:
        return not any(state.status in ("waiting", "running", "elsewhere") for state in self.states)

    def handle(self, event: Event) -> None:
        state = self._by_key[event.key]
        match event:
            case Started(folder=folder):
                state.folder = RunFolder(folder)
                self._recorded[state.key].folder = folder.relative_to(self.options.store).as_posix()
                self._record_due = self._record_due or time.monotonic() + _RECORD_SECONDS
            case EpochDone(record=record):
                state.epoch = record
            case Finished(result=result):
                state.status, state.result, state.failure = "finished", result, None
                state.seconds = time.monotonic() - state.started
                self.changed(state)
            case Failed(failure_class=FailureClass.BUSY):
                state.status, state.look_again = "elsewhere", time.monotonic() + LOOK_AGAIN_SECONDS
                self.changed(state)
            case Failed(failure_class=FailureClass.KILLED as failure_class, message=message) if (
                self._loop.is_stopping and state.failure is None
            ):
                # It ended because the suite does, and goes on with it.
                state.failure = (failure_class, message)
                _leave_failure(state)
                state.status, state.failure = "waiting", None
            case Failed(failure_class=failure_class, message=message):
                state.status, state.failure = "failed", state.failure or (failure_class, message)
                _leave_failure(state)
                self.changed(state)

    def tick(self) -> None:
        now, limit = time.monotonic(), self.options.timeout
        if limit is not None and not self._loop.is_stopping:
            for state in self.states:
                if state.status == "running" and state.failure is None and now - state.started > limit:
                    state.failure = (FailureClass.TIMEOUT, f"ended after {limit:g} s, the limit of a run")
                    self.executor.stop(state.key)
        if self._record_due is not None and self._record_due <= now:
            self._write_record()
            self._record_due = None
        self._on_tick()

    def _can_start(self, state: CellState) -> bool:
        """Whether the run that a cell starts from is there; a cell whose origin failed fails too."""
        if state.cell.origin is None:
            return True
        origin = self._by_path[state.cell.origin]
        if origin.status == "failed":
            state.status = "failed"
            state.failure = (FailureClass.ORIGIN, f"the run it starts from failed: {origin.cell.path}")
            self.changed(state)
        return origin.status == "finished"

    def _run_of(self, state: CellState) -> RunConfig:
        run = state.cell.run
        if state.cell.origin is None:
            return run
        folder = self._by_path[state.cell.origin].folder
        assert folder is not None, "a finished run has a folder"
        extra = {} if run.init_from is None else run.init_from.model_dump(exclude={"run"})
        return run.model_copy(update={"init_from": InitConfig(run=folder.path, **extra)})

    def _job_of(self, state: CellState) -> Job:
        options = self.options
        state.status, state.started, state.epoch = "running", time.monotonic(), None
        self.changed(state)
        run = self._run_of(state)
        # Two columns may hold the same run, which is trained again for the first of them alone.
        name = run.model_dump_json()
        rerun = options.rerun and name not in self._rerun
        self._rerun.add(name)
        return Job(
            state.key,
            run,
            options.store,
            options.wandb,
            self.name,
            options.execution,
            rerun=rerun,
            predicts_unlabelled=options.predicts_unlabelled,
        )

    def _write_record(self) -> None:
        # A full disk must not end a suite: the record can be made again from the run folders.
        with contextlib.suppress(RunFolderError):
            self.record.write()

    def _look_elsewhere(self, state: CellState) -> None:
        """Take the result of another process that had the run, or the run itself when it is free again."""
        assert state.folder is not None, "a job that is busy has named its folder"
        state.look_again = time.monotonic() + LOOK_AGAIN_SECONDS
        if not state.folder.is_finished() and state.folder.is_locked():
            return
        state.look_into(state.folder, retry_failed=True)
        if state.status == "finished":
            self.changed(state)


def _leave_failure(state: CellState) -> None:
    """Write `failure.json` for a run that could not do so itself, since it was killed or hung."""
    if state.folder is None or state.failure is None or state.folder.is_finished():
        return
    failure_class, message = state.failure
    try:
        known = state.folder.read_failure()
        if known is not None and known.failure_class == failure_class:
            return
    except RunFolderError:
        pass  # damaged: replaced
    with contextlib.suppress(RunFolderError):
        write_json(state.folder.failure, failure_record(failure_class, "Failed", message))
