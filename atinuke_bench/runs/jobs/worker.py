"""The process of one job: it carries out a run, reports to the process that started it, and ends when that is gone."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import threading
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import Any

from atinuke_bench import registry
from atinuke_bench.errors import FailureClass, first_line
from atinuke_bench.run_folder import folder_of
from atinuke_bench.runs.jobs.types import GRACE_SECONDS, EpochDone, Event, Failed, Finished, Job, Started
from atinuke_bench.runs.tracking import make_tracker
from atinuke_bench.training.failure import classify
from atinuke_bench.training.launchers import forget_launcher
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.tracker import NoTracker
from atinuke_bench.training.train import train_and_evaluate


def work(job: Job, connection: Connection, environment: Mapping[str, str] | None = None) -> None:
    """Carry out a job and report through the connection: events out; answers and the word `stop` in.

    `environment` holds what a process of a distributed run must know; only the first of its processes reports.
    """
    # A separate group: Ctrl-C in a terminal then reaches the parent alone, which decides what to do with its jobs, and
    # a signal to the group reaches everything that the run has started.
    if os.getpgrp() != os.getpid():
        os.setpgrp()
    for kind in (signal.SIGINT, signal.SIGUSR1):
        signal.signal(kind, signal.SIG_IGN)
    forget_launcher()  # it started this process's parent, maybe as one of several; the job is another matter
    os.environ.update({"OMP_NUM_THREADS": str(job.execution.threads), "TOKENIZERS_PARALLELISM": "false"})
    os.environ.update(environment or {})
    registry.GIVEN_CORES.update(job.cores)
    parent = ParentChannel(connection)
    try:
        parent.send(Finished(job.key, _carry_out(job, parent)))
    except BaseException as error:
        failure_class = classify(error)
        parent.send(Failed(job.key, failure_class, first_line(error)))
        if failure_class in (FailureClass.KILLED, FailureClass.OUT_OF_MEMORY):
            raise SystemExit(1) from None


def _carry_out(job: Job, parent: ParentChannel) -> dict[str, Any]:
    prepared = prepare(job.run, predicts_unlabelled=job.predicts_unlabelled)
    folder = folder_of(job.store, prepared.run, prepared.identity)
    parent.send(Started(job.key, folder.path))
    tracker = make_tracker(job.wandb, group=job.group) if job.execution.rank == 0 else NoTracker()

    def should_continue(record: dict[str, Any]) -> bool:
        parent.send(EpochDone(job.key, record))
        return parent.wait_for_answer() if job.asks else True

    execution = job.execution.under_launcher()
    return train_and_evaluate(prepared, folder, execution, tracker, should_continue, rerun=job.rerun)


class ParentChannel:
    """The job's end of the connection. A thread listens, since the parent may vanish or say stop at any moment."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._answers: queue.Queue[bool] = queue.Queue()
        threading.Thread(target=self._listen, name="listener", daemon=True).start()

    def send(self, event: Event) -> None:
        # Where nobody listens, the listener is about to end this process.
        with contextlib.suppress(OSError):
            self._connection.send(event)

    def wait_for_answer(self) -> bool:
        """Whether to train another epoch."""
        return self._answers.get()

    def _listen(self) -> None:
        while True:
            try:
                word = self._connection.recv()
            except (EOFError, OSError):
                break
            if word == "stop":
                break
            self._answers.put(word)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE_SECONDS)
        os.killpg(os.getpgrp(), signal.SIGKILL)
