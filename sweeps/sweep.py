"""Carries out a sweep: draws trials, starts their runs, passes on pruning decisions, and tells the study the outcomes.

Only this process talks to the database; the runs' own processes know nothing of a study. Several such processes, on
one machine or many, may serve one study.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from atinuke_bench.errors import FailureClass, StudyError
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.runs.jobs.loop import JobLoop
from atinuke_bench.runs.jobs.types import EpochDone, Event, Executor, Failed, Finished, Job, Started
from atinuke_bench.source_code import code_note
from atinuke_bench.sweeps.assignments import Assigned, Infeasible, Refused, Undefined
from atinuke_bench.sweeps.recovery import settle
from atinuke_bench.sweeps.study import Study
from atinuke_bench.sweeps.workers import Worker

#: How often trials of dead processes are looked for.
_SETTLE_SECONDS = 5.0
#: So many trials in a row whose runs were all done before: the space holds nothing new.
_MOST_REPEATS = 200
#: So many trials in a row whose values make no run, with nothing else between: it is no matter of single values.
_MOST_REFUSED = 10

#: So many draws in a row that would all cost more than they may: the space holds next to nothing that may be trained.
_MOST_INFEASIBLE = 200


@dataclass(frozen=True)
class Ended:
    """The outcome of a trial, as it is shown.

    That is complete, pruned, failed, infeasible (over a limit), repeated (queued once more), settled, or noted.

    The last two have no number, only a message.
    """

    number: int | None
    outcome: str
    message: str = ""


@dataclass
class _Active:
    assigned: Assigned
    #: Which of its runs is being carried out.
    place: int = 0
    folder: RunFolder | None = None
    #: The history that the run reported, epoch by epoch; one that was there before is reported again.
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
        #: Trials of which a part has finished and the next one is to begin.
        self._going_on: deque[_Active] = deque()
        self._num_repeats = 0
        self._num_refused = 0
        self._num_infeasible = 0
        self._next_settle = 0.0
        self._worker = Worker(self.study)
        self._loop = JobLoop(self.executor, self)

    def run(self) -> None:
        """Serve the study until it is over. An interruption leaves its trials queued for the next process."""
        with self._worker:
            try:
                self._loop.run()
            except BaseException:
                left = [active.assigned for active in (*self._active.values(), *self._going_on)]
                for assigned in [*left, *(assigned for _, assigned in self._parked)]:
                    self._requeue(assigned.number)
                raise

    def next_job(self) -> Job | None:
        if self._going_on:
            return self._begin(self._going_on.popleft())
        while (assigned := self._next()) is not None:
            if isinstance(assigned, Refused):
                self._refused(assigned.number, assigned.reason)
            elif isinstance(assigned, Infeasible):
                self._infeasible(assigned)
            elif self._is_to_be_trained(assigned):
                return self._begin(_Active(assigned))
        return None

    def _begin(self, active: _Active) -> Job:
        number, place = active.assigned.number, active.place
        key = f"{number}.{place}" if place else str(number)
        self._active[key] = active
        return replace(self.template, key=key, run=active.assigned.runs[place], asks=self.study.asks)

    def is_over(self) -> bool:
        # Other processes' trials are awaited, since theirs may have to be taken over.
        return not self._parked and not self._going_on and self.study.is_over()

    def tick(self) -> None:
        if self._loop.is_stopping:
            return
        self._worker.beat()
        if time.monotonic() >= self._next_settle:
            self._settle()

    def handle(self, event: Event) -> None:
        active = self._active.get(event.key)
        if active is None:
            return
        match event:
            case Started():
                active.folder = RunFolder(event.folder)
                self.study.begin_part(active.assigned.number, active.place, _relative(event.folder, self.study.store))
            case EpochDone():
                if not self._loop.is_stopping:
                    self._epoch(event, active)
            case Finished():
                self._finished(event, active)
            case Failed():
                del self._active[event.key]
                if self._loop.is_stopping:  # it was asked to end, for which nothing is to blame
                    self._requeue(active.assigned.number)
                else:
                    self._failed(event, active)

    def _settle(self) -> None:
        ours = {active.assigned.number for active in (*self._active.values(), *self._going_on)}
        ours |= {assigned.number for _, assigned in self._parked}
        for line in settle(self.study, self._worker, ours):
            self.on_end(Ended(None, "settled", line))
        self._next_settle = time.monotonic() + _SETTLE_SECONDS

    def _next(self) -> Assigned | Refused | Infeasible | None:
        now = time.monotonic()
        for place, (when, assigned) in enumerate(self._parked):
            if when <= now:
                del self._parked[place]
                return assigned
        return self.study.ask(self._worker.owner())

    def _is_to_be_trained(self, assigned: Assigned) -> bool:
        """Whether a trial's run must be carried out now; the outcome of a done one is told, a running one is parked."""
        twin = self.study.twin_of(assigned)
        if twin is not None:
            self.study.copy_outcome(assigned.number, twin)
            self._num_repeats += 1
            self.on_end(Ended(assigned.number, "complete" if twin.state.name == "COMPLETE" else "pruned", "known run"))
            if self._num_repeats >= _MOST_REPEATS:
                raise StudyError(
                    f"study {self.study.config.name!r}: the last {_MOST_REPEATS} trials were all repetitions; "
                    "its space holds nothing new"
                )
            return False
        if any(active.assigned.runs == assigned.runs for active in (*self._active.values(), *self._going_on)):
            self._park(assigned)
            return False
        self._num_repeats = self._num_infeasible = 0
        return True

    def _park(self, assigned: Assigned) -> None:
        self._parked.append((time.monotonic() + 1.0, assigned))

    def _epoch(self, event: EpochDone, active: _Active) -> None:
        self._num_refused = 0
        active.history.append(event.record)
        number, place = active.assigned.number, active.place
        is_last = event.record["epoch"] + 1 >= active.assigned.runs[place].training.max_epochs
        decide = self.study.asks and not is_last
        prune = self.study.report(number, active.history, place=place, decide=decide)
        if self.study.asks:
            self.executor.answer(event.key, not prune)

    def _finished(self, event: Finished, active: _Active) -> None:
        del self._active[event.key]
        number, place = active.assigned.number, active.place
        history = active.history
        if active.folder is not None:
            history = active.folder.read_history()
            run = active.assigned.runs[place]
            if note := code_note(active.folder.manifest, run.task, run.core.name):
                self.on_end(Ended(None, "noted", f"trial {number}: {note}"))
        seconds = time.monotonic() - active.started
        is_last = place + 1 == len(active.assigned.runs)
        # After the last epoch of a part that others follow the question is the same as after any other.
        stop = self.study.report(number, history, place=place, decide=self.study.asks and not is_last)
        value = self.study.end_part(number, place, event.result, history, seconds=seconds)
        failed: Undefined | None
        if isinstance(value, Undefined):
            failed = value
        elif stop:
            self.study.prune(number, seconds=seconds)
            self.on_end(Ended(number, "pruned"))
            return
        elif not is_last:
            self._going_on.append(_Active(active.assigned, place + 1, started=active.started))
            return
        else:
            failed = self.study.complete(number, value, event.result, seconds=seconds)
        self.on_end(Ended(number, "complete") if failed is None else Ended(number, "failed", failed.reason))

    def _failed(self, event: Failed, active: _Active) -> None:
        number = active.assigned.number
        spent: dict[str, Any] = {"seconds": time.monotonic() - active.started}
        match event.failure_class:
            case FailureClass.BUSY:
                self._park(active.assigned)
            case FailureClass.PRUNED:
                self.study.prune(number, **spent)
                self.on_end(Ended(number, "pruned"))
            case FailureClass.KILLED:
                self.study.note(number, **spent)
                repeats = self.study.fail_and_repeat(number, event.failure_class, event.message, blames=True)
                self.on_end(Ended(number, "repeated" if repeats else "failed", event.message))
            case FailureClass.DATA:
                # Not of the trial's values: the next one would fail the same way.
                self.study.fail(number, event.failure_class, event.message, counts=False, **spent)
                self.on_end(Ended(number, "failed", event.message))
                raise StudyError(f"study {self.study.config.name!r} stops: {event.message}")
            case FailureClass.CONFIG:
                # Its task refuses these values; others may do.
                self.study.fail(number, event.failure_class, event.message, **spent)
                self._refused(number, event.message)
            case failure_class:
                self.study.fail(number, failure_class, event.message, **spent)
                self.on_end(Ended(number, "failed", f"{failure_class}: {event.message}"))

    def _refused(self, number: int, reason: str) -> None:
        self.on_end(Ended(number, "failed", f"{FailureClass.CONFIG}: {reason}"))
        self._num_refused += 1
        if self._num_refused >= _MOST_REFUSED:
            raise StudyError(
                f"study {self.study.config.name!r} stops: the last {_MOST_REFUSED} trials were all refused; the last "
                f"one: {reason}"
            )

    def _infeasible(self, drawn: Infeasible) -> None:
        self.on_end(Ended(drawn.number, "infeasible", drawn.reason))
        self._num_infeasible += 1
        if self._num_infeasible >= _MOST_INFEASIBLE:
            raise StudyError(
                f"study {self.study.config.name!r} stops: the last {_MOST_INFEASIBLE} draws were all over --at-most; "
                f"the last one: {drawn.reason}; nearest: a higher limit, or a space of smaller cores"
            )

    def _requeue(self, number: int) -> None:
        self.study.fail_and_repeat(number, "interrupted", "the sweep was interrupted", as_attempt=False)
        self.on_end(Ended(number, "repeated", "interrupted; the next sweep takes it up"))


def _relative(folder: Path, store: Path) -> str:
    try:
        return str(folder.relative_to(store))
    except ValueError:
        return str(folder)
