"""The loop of a sweep: draws trials, starts their runs, passes on pruning decisions, tells what became of them.

Only this process talks to the database; the runs' own processes know nothing of a study. Several such loops, on one
machine or many, may serve one study.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from atinuke_bench.errors import StudyError
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.runs.executor import EpochDone, Event, Executor, Failed, Finished, Job, Started
from atinuke_bench.sweeps.recovery import settle
from atinuke_bench.sweeps.study import Assigned, Study
from atinuke_bench.sweeps.workers import Worker

#: How long a run may take to end in order once it was told to.
_STOP_SECONDS = 20.0
#: How often trials of dead processes are looked for.
_SETTLE_SECONDS = 5.0
_POLL_SECONDS = 0.5
#: So many trials in a row whose runs were all done before: the space holds nothing new.
_MOST_REPEATS = 200


@dataclass(frozen=True)
class Ended:
    """What became of a trial, as it is shown: complete, pruned, failed, repeated (queued once more), or settled."""

    number: int | None
    outcome: str
    message: str = ""


@dataclass
class _Active:
    assigned: Assigned
    folder: RunFolder | None = None
    #: The history that the run told, epoch by epoch.
    history: list[dict[str, Any]] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)


@dataclass
class Sweep:
    """Carries out trials of a study until its budget is used up."""

    study: Study
    executor: Executor
    #: The run of each job is put in; everything else of it holds for all.
    template: Job
    on_end: Callable[[Ended], None] = lambda ended: None

    def __post_init__(self) -> None:
        self._active: dict[str, _Active] = {}
        #: Trials whose run is being carried out elsewhere, and when to try again.
        self._parked: list[tuple[float, Assigned]] = []
        self._num_repeats = 0
        self._next_settle = 0.0

    def run(self) -> None:
        """Serve the study until it is over. An interruption leaves its trials queued for the next process."""
        with Worker(self.study) as worker:
            try:
                while not self._step(worker):
                    pass
            except BaseException:
                self._abandon()
                raise

    def _step(self, worker: Worker) -> bool:
        """Fill the free slots and handle what has happened; True when the study is over."""
        worker.beat()
        self._settle(worker)
        self._fill(worker)
        if self._active:
            for event in self.executor.events(_POLL_SECONDS):
                self._handle(event)
            return False
        if not self._parked and self.study.is_over():
            return True
        time.sleep(_POLL_SECONDS)  # other processes' trials are awaited, since theirs may have to be taken over
        return False

    def _settle(self, worker: Worker) -> None:
        if time.monotonic() < self._next_settle:
            return
        ours = {active.assigned.number for active in self._active.values()}
        ours |= {assigned.number for _, assigned in self._parked}
        for line in settle(self.study, worker, ours):
            self.on_end(Ended(None, "settled", line))
        self._next_settle = time.monotonic() + _SETTLE_SECONDS

    def _fill(self, worker: Worker) -> None:
        while len(self._active) < self.executor.slots:
            assigned = self._next(worker)
            if assigned is None:
                return
            self._begin(assigned)

    def _next(self, worker: Worker) -> Assigned | None:
        now = time.monotonic()
        for place, (when, assigned) in enumerate(self._parked):
            if when <= now:
                del self._parked[place]
                return assigned
        return self.study.ask(worker.owner())

    def _begin(self, assigned: Assigned) -> None:
        twin = self.study.twin_of(assigned.number, assigned.draw.overrides)
        if twin is not None:
            self.study.copy_outcome(assigned.number, twin)
            self._num_repeats += 1
            self.on_end(Ended(assigned.number, "complete" if twin.state.name == "COMPLETE" else "pruned", "known run"))
            if self._num_repeats >= _MOST_REPEATS:
                raise StudyError(
                    f"study {self.study.config.name!r}: the last {_MOST_REPEATS} trials were all repetitions; "
                    "its space holds nothing new"
                )
            return
        if any(active.assigned.draw.overrides == assigned.draw.overrides for active in self._active.values()):
            self._park(assigned)
            return
        self._num_repeats = 0
        key = str(assigned.number)
        self._active[key] = _Active(assigned)
        self.executor.start(replace(self.template, key=key, run=assigned.run, asks=self.study.asks))

    def _park(self, assigned: Assigned) -> None:
        self._parked.append((time.monotonic() + 1.0, assigned))

    def _handle(self, event: Event) -> None:
        active = self._active.get(event.key)
        if active is None:
            return
        match event:
            case Started():
                active.folder = RunFolder(event.folder)
                self.study.note(active.assigned.number, folder=_relative(event.folder, self.study.store))
            case EpochDone():
                self._epoch(event, active)
            case Finished():
                self._finished(event, active)
            case Failed():
                self._failed(event, active)

    def _epoch(self, event: EpochDone, active: _Active) -> None:
        self._catch_up(active, event.record)
        is_last = event.record["epoch"] + 1 >= active.assigned.run.training.max_epochs
        decide = self.study.asks and not is_last
        prune = self.study.report(active.assigned.number, active.history, decide=decide)
        if self.study.asks:
            self.executor.answer(event.key, not prune)

    def _catch_up(self, active: _Active, record: dict[str, Any]) -> None:
        """Add an epoch. A run that was taken up again has epochs on disk that nobody was told of."""
        if active.folder is not None and len(active.history) < record["epoch"]:
            active.history = [past for past in active.folder.read_history() if past["epoch"] < record["epoch"]]
        active.history.append(record)

    def _finished(self, event: Finished, active: _Active) -> None:
        del self._active[event.key]
        number = active.assigned.number
        if active.folder is not None:
            self.study.report(number, active.folder.read_history())
        reason = self.study.complete(number, event.result, seconds=time.monotonic() - active.started)
        self.on_end(Ended(number, "complete" if reason is None else "failed", reason or ""))

    def _failed(self, event: Failed, active: _Active) -> None:
        del self._active[event.key]
        number, spent = active.assigned.number, {"seconds": time.monotonic() - active.started}
        match event.failure_class:
            case "busy":
                self._park(active.assigned)
            case "pruned":
                self.study.prune(number, **spent)
                self.on_end(Ended(number, "pruned"))
            case "killed":
                self.study.note(number, **spent)
                repeats = self.study.fail_and_repeat(number, "killed", event.message, blames=True)
                self.on_end(Ended(number, "repeated" if repeats else "failed", event.message))
            case "data":
                # Not of the trial's values: the next one would fail the same way.
                self.study.fail(number, "data", event.message, counts=False, **spent)
                self.on_end(Ended(number, "failed", event.message))
                raise StudyError(f"study {self.study.config.name!r} stops: {event.message}")
            case failure_class:
                self.study.fail(number, failure_class, event.message, **spent)
                self.on_end(Ended(number, "failed", f"{failure_class}: {event.message}"))

    def _abandon(self) -> None:
        """End the runs in order and queue their trials, which nobody is to blame for."""
        for key in list(self._active):
            self.executor.stop(key)
        deadline = time.monotonic() + _STOP_SECONDS
        while self._active and time.monotonic() < deadline:
            for event in self.executor.events(_POLL_SECONDS):
                if isinstance(event, Started):
                    self._handle(event)
                elif isinstance(event, Finished) and event.key in self._active:
                    self._finished(event, self._active[event.key])
                elif isinstance(event, Failed) and event.key in self._active:
                    self._requeue(self._active.pop(event.key).assigned.number)
        for number in [
            *(active.assigned.number for active in self._active.values()),
            *(assigned.number for _, assigned in self._parked),
        ]:
            self._requeue(number)
        self._active.clear()

    def _requeue(self, number: int) -> None:
        self.study.fail_and_repeat(number, "interrupted", "the sweep was interrupted", as_attempt=False)
        self.on_end(Ended(number, "repeated", "interrupted; the next sweep takes it up"))


def _relative(folder: Path, store: Path) -> str:
    try:
        return str(folder.relative_to(store))
    except ValueError:
        return str(folder)
