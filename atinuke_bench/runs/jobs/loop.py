"""The loop that carries out jobs: it starts them while there is room, passes on their events, and ends them in order.

What is started and what is made of an event is up to an agenda: a suite, a sweep, or a batch of jobs.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

from atinuke_bench.errors import FailureClass
from atinuke_bench.runs.jobs.types import GRACE_SECONDS, Event, Executor, Failed, Finished, Job, Started

#: How often to look at a run that another process is carrying out.
LOOK_AGAIN_SECONDS = 2.0
_POLL_SECONDS = 0.5
# How long to wait for running jobs once they were asked to end; an executor kills them before that.
_STOP_SECONDS = GRACE_SECONDS + 5.0


class Agenda(Protocol):
    """What there is to carry out."""

    def next_job(self) -> Job | None:
        """The job to start now that there is room; None while there is none."""

    def is_over(self) -> bool:
        """Whether nothing will follow; asked when no job runs and none can start."""

    def handle(self, event: Event) -> None:
        """Handle what a job reports. Once the loop stops, jobs end because they were asked to."""

    def tick(self) -> None:
        """Called about twice a second."""


class JobLoop:
    """Carries out an agenda, at most `executor.slots` jobs at a time."""

    def __init__(self, executor: Executor, agenda: Agenda) -> None:
        self.executor = executor
        self.agenda = agenda
        self.running: set[str] = set()
        #: Whether the running jobs were asked to end.
        self.is_stopping = False
        self._events: deque[Event] = deque()
        self._num_signals = 0

    def run(self) -> None:
        """Start jobs and wait for them until the agenda is over.

        A first signal (Ctrl-C, SIGTERM, SIGHUP) ends the running jobs in order and raises KeyboardInterrupt; a second
        one ends them at once. An error of the agenda ends them in order too.
        """
        with self._signals_counted():
            try:
                while not self._is_over():
                    self._pass_on(_POLL_SECONDS)
            except BaseException:
                self._stop()
                raise

    def _is_over(self) -> bool:
        """Fill the free slots; True when nothing runs after that and nothing will."""
        if self._num_signals:
            raise KeyboardInterrupt
        self.agenda.tick()
        while len(self.running) < self.executor.slots and not self._num_signals:
            job = self.agenda.next_job()
            if job is None:
                break
            self.executor.start(job)
            self.running.add(job.key)
        return not self.running and self.agenda.is_over()

    def _pass_on(self, timeout: float) -> None:
        # An event that an error keeps from being handled is handled later, not lost.
        self._events += self.executor.events(timeout)
        while self._events:
            event = self._events.popleft()
            if isinstance(event, Finished | Failed):
                self.running.discard(event.key)
            self.agenda.handle(event)

    def _stop(self) -> None:
        """End the running jobs, in order or, after a further signal, at once, and wait for them."""
        self.is_stopping = True
        num_signals, deadline = self._num_signals, time.monotonic() + _STOP_SECONDS
        self._tell_to_stop(at_once=num_signals > 1)
        while self.running and time.monotonic() < deadline:
            if self._num_signals > num_signals:
                num_signals = self._num_signals
                self._tell_to_stop(at_once=True)
            self._pass_on(_POLL_SECONDS)
            self.agenda.tick()

    def _tell_to_stop(self, *, at_once: bool) -> None:
        for key in self.running:
            self.executor.stop(key, at_once=at_once)

    @contextlib.contextmanager
    def _signals_counted(self) -> Iterator[None]:
        """Count signals instead of raising in the middle of something: an event must not be lost."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def count(signum: int, frame: Any) -> None:
            self._num_signals += 1

        previous = {kind: signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        for kind, handler in previous.items():
            if handler is not signal.SIG_IGN:  # as nohup has it
                signal.signal(kind, count)
        try:
            yield
        finally:
            for kind, handler in previous.items():
                signal.signal(kind, handler)


def carry_out(
    jobs: Iterable[Job],
    executor: Executor,
    on_end: Callable[[Finished | Failed], None] = lambda event: None,
    *,
    awaits_others: bool = False,
) -> tuple[dict[str, Path], dict[str, Finished | Failed]]:
    """Carry out jobs that are known beforehand; the folder and the end of each, by its key.

    With `awaits_others`, a run that another process is carrying out is looked at again until it is done.
    """
    batch = _Batch(jobs, on_end, awaits_others)
    JobLoop(executor, batch).run()
    return batch.folders, batch.ends


class _Batch:
    def __init__(
        self, jobs: Iterable[Job], on_end: Callable[[Finished | Failed], None], awaits_others: bool = False
    ) -> None:
        self.waiting = deque(jobs)
        self.on_end = on_end
        self._jobs: dict[str, Job] = {}
        self._awaits_others = awaits_others
        #: Jobs whose runs others are carrying out, and when to look again.
        self._elsewhere: deque[tuple[float, Job]] = deque()
        self.folders: dict[str, Path] = {}
        self.ends: dict[str, Finished | Failed] = {}

    def next_job(self) -> Job | None:
        if self.waiting:
            job = self.waiting.popleft()
        elif self._elsewhere and self._elsewhere[0][0] <= time.monotonic():
            job = self._elsewhere.popleft()[1]
        else:
            return None
        self._jobs[job.key] = job
        return job

    def is_over(self) -> bool:
        return not self.waiting and not self._elsewhere

    def handle(self, event: Event) -> None:
        match event:
            case Started(key=key, folder=folder):
                self.folders[key] = folder
            case Failed(failure_class=FailureClass.BUSY) if self._awaits_others:
                self._elsewhere.append((time.monotonic() + LOOK_AGAIN_SECONDS, self._jobs[event.key]))
            case Finished() | Failed():
                self.ends[event.key] = event
                self.on_end(event)

    def tick(self) -> None:
        pass
