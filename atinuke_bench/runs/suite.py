"""A suite carried out: cells wait, run, finish or fail; whatever happens, the run folders tell where it stands."""

from __future__ import annotations

import contextlib
import signal
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from atinuke_bench import registry
from atinuke_bench.config import InitConfig, RunConfig, SourceConfig, SuiteConfig
from atinuke_bench.errors import RunFolderError
from atinuke_bench.files import read_json, sha256_json, write_json
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.runs.executor import EpochDone, Event, Executor, Failed, Finished, Job, Started
from atinuke_bench.runs.grid import Cell
from atinuke_bench.runs.suite_record import RecordedCell, SuiteRecord, data_stamp, grid_stamp
from atinuke_bench.training.execution import Execution
from atinuke_bench.training.failure import failure_record

Status = Literal["waiting", "running", "elsewhere", "finished", "failed"]

# How often a run that another process is carrying out is looked at.
_LOOK_AGAIN_SECONDS = 2.0
# The record of a suite is written at most this often while runs come and go.
_RECORD_SECONDS = 2.0
# Runs that were ended from outside go on by themselves; what failed for a reason of its own would fail again.
_GOES_ON = ("killed",)


@dataclass
class CellState:
    """Where a cell stands."""

    cell: Cell
    key: str
    status: Status = "waiting"
    folder: RunFolder | None = None
    result: dict[str, Any] | None = None
    failure: tuple[str, str] | None = None
    #: The newest line of the run's history, while it runs.
    epoch: dict[str, Any] | None = None
    started: float = 0.0
    seconds: float | None = None
    look_again: float = 0.0


@dataclass(frozen=True)
class SuiteOptions:
    """How a suite is carried out."""

    store: Path
    wandb: str = "offline"
    execution: Execution = field(default_factory=lambda: Execution(show_progress=False))
    #: Seconds that one run may take before it counts as hanging; None for no limit.
    timeout: float | None = None
    retry_failed: bool = False


def cell_states(
    cells: list[Cell], suite: SuiteConfig, source: SourceConfig, record: SuiteRecord, options: SuiteOptions
) -> list[CellState]:
    """Every cell with what the store already knows of it; the record takes the grid."""
    data = data_stamp(source)
    versions = {name: registry.load_task(name).result_version for name in suite.tasks}
    keys = _keys(cells, versions, data)
    states = [CellState(cell, keys[cell.path]) for cell in cells]
    recorded = [
        RecordedCell(state.key, state.cell.run.task, state.cell.variant, state.cell.run.core.name, state.cell.run.seed)
        for state in states
    ]
    record.replace_grid(suite, grid_stamp(suite, source), recorded)
    record.write()
    # Where it cannot be told whether the data changed, every run finds its folder anew.
    folders = record.folders() if data is not None else {}
    for state in states:
        if (place := folders.get(state.key)) is not None:
            _look_into(state, RunFolder(options.store / place), options.retry_failed)
    return states


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
        """`changed` is told every cell whose status has changed."""
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
        self._signals = 0

    def counts(self) -> Counter[str]:
        """How many cells have each status."""
        return Counter(state.status for state in self.states)

    def seconds_left(self) -> float | None:
        """A guess from the runs since the start: mean seconds of each task, those of all where a task has none."""
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

    def run(self, tick: Callable[[], None] = lambda: None) -> None:
        """Carry out what waits. `tick` is called about twice a second.

        A first signal (Ctrl-C, SIGTERM, SIGHUP) ends the running jobs in order and raises KeyboardInterrupt; a second
        one ends them at once.
        """
        with self._signals_counted():
            try:
                while self.counts()["waiting"] + self.counts()["running"] + self.counts()["elsewhere"]:
                    if self._signals:
                        raise KeyboardInterrupt
                    self._fill()
                    self._advance()
                    tick()
            except KeyboardInterrupt:
                self._wind_up(tick)
                raise
            finally:
                self.executor.close()
                self._write_record()

    def _fill(self) -> None:
        free = self.executor.slots - self.counts()["running"]
        for state in self.states:
            if free <= 0:
                return
            if state.status == "elsewhere" and state.look_again <= time.monotonic():
                self._look_elsewhere(state)
            if state.status == "waiting" and self._can_start(state):
                self._start(state)
                free -= 1

    def _can_start(self, state: CellState) -> bool:
        """Whether the run that a cell starts from is there; a cell whose origin failed fails too."""
        if state.cell.origin is None:
            return True
        origin = self._by_path[state.cell.origin]
        if origin.status == "failed":
            state.status, state.failure = "failed", ("origin", f"the run it starts from failed: {origin.cell.path}")
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

    def _start(self, state: CellState) -> None:
        options = self.options
        state.status, state.started, state.epoch = "running", time.monotonic(), None
        job = Job(state.key, self._run_of(state), options.store, options.wandb, self.name, options.execution)
        self.executor.start(job)
        self.changed(state)

    def _advance(self) -> None:
        for event in self.executor.events(0.5):
            self._take(event)
        now, limit = time.monotonic(), self.options.timeout
        for state in self.states:
            is_late = limit is not None and state.status == "running" and now - state.started > limit
            if is_late and state.failure is None:
                state.failure = ("timeout", f"ended after {limit:g} s, the limit of a run")
                self.executor.stop(state.key)
        if self._record_due is not None and self._record_due <= now:
            self._write_record()
            self._record_due = None

    def _write_record(self) -> None:
        # A full disk must not end a suite for the sake of what is computed again from the run folders.
        with contextlib.suppress(RunFolderError):
            self.record.write()

    def _take(self, event: Event) -> None:
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
            case Failed(failure_class="busy"):
                state.status, state.look_again = "elsewhere", time.monotonic() + _LOOK_AGAIN_SECONDS
                self.changed(state)
            case Failed(failure_class=failure_class, message=message):
                state.status, state.failure = "failed", state.failure or (failure_class, message)
                _leave_failure(state)
                self.changed(state)

    def _look_elsewhere(self, state: CellState) -> None:
        """Take the result of another process that had the run, or the run itself when it is free again."""
        assert state.folder is not None, "a job that is busy has named its folder"
        state.look_again = time.monotonic() + _LOOK_AGAIN_SECONDS
        if not state.folder.is_finished() and _is_locked(state.folder):
            return
        _look_into(state, state.folder, retry_failed=True)
        if state.status == "finished":
            self.changed(state)

    def _wind_up(self, tick: Callable[[], None]) -> None:
        """End the running jobs and wait for them."""
        for state in self.states:
            if state.status == "running":
                self.executor.stop(state.key, at_once=self._signals > 1)
        signals = self._signals
        while self.counts()["running"]:
            if self._signals > signals:
                for state in self.states:
                    if state.status == "running":
                        self.executor.stop(state.key, at_once=True)
                signals = self._signals
            for event in self.executor.events(0.2):
                self._take(event)
            tick()

    @contextlib.contextmanager
    def _signals_counted(self) -> Iterator[None]:
        """Count signals instead of raising in the middle of something: an event must not be lost."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def count(signum: int, frame: Any) -> None:
            self._signals += 1

        kinds = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        previous = {kind: signal.signal(kind, count) for kind in kinds}
        try:
            yield
        finally:
            for kind, handler in previous.items():
                signal.signal(kind, handler)


def _keys(cells: list[Cell], task_versions: dict[str, int], data: str | None) -> dict[str, str]:
    """The key of each cell by its path; that of a cell which starts from another holds the other's."""
    by_path = {cell.path: cell for cell in cells}
    keys: dict[str, str] = {}

    def key_of(path: str) -> str:
        if path not in keys:
            cell = by_path[path]
            own = _key(cell, task_versions, data)
            keys[path] = own if cell.origin is None else sha256_json([own, key_of(cell.origin)])[:16]
        return keys[path]

    for cell in cells:
        key_of(cell.path)
    return keys


def _key(cell: Cell, task_versions: dict[str, int], data: str | None) -> str:
    source = cell.run.source.model_dump(mode="json")
    core = registry.load_core(cell.run.core.name).result_version
    # Two columns may hold the same run; each has its own cell.
    return sha256_json([cell.variant, cell.run.determinants(), source, task_versions[cell.run.task], core, data])[:16]


def _look_into(state: CellState, folder: RunFolder, retry_failed: bool) -> None:
    """Set a cell's status from its run folder."""
    state.folder, state.status, state.failure = folder, "waiting", None
    try:
        state.result = folder.read_result()
        state.status = "finished"
    except RunFolderError:
        if retry_failed or not folder.failure.exists():
            return
        with contextlib.suppress(RunFolderError, KeyError, TypeError):
            record = read_json(folder.failure)
            if record["class"] not in _GOES_ON:
                state.status, state.failure = "failed", (record["class"], record["message"])


def _leave_failure(state: CellState) -> None:
    """Write `failure.json` for a run that could not do so itself, since it was killed or hung."""
    if state.folder is None or state.failure is None or state.folder.is_finished():
        return
    failure_class, message = state.failure
    with contextlib.suppress(RunFolderError):
        if not state.folder.failure.exists() or read_json(state.folder.failure).get("class") != failure_class:
            write_json(state.folder.failure, failure_record(failure_class, "Failed", message))


def _is_locked(folder: RunFolder) -> bool:
    try:
        with FileLock(folder.path / ".lock", timeout=0):
            return False
    except Timeout:
        return True
