"""SLURM's warning that a job is about to end (SIGUSR1): the command ends in order and the job is queued again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import typer

#: How long SLURM's controller may take to answer.
_SECONDS = 30


@contextlib.contextmanager
def requeued_when_preempted() -> Iterator[None]:
    """Take SIGUSR1, in a SLURM job, for the wish to end in order and to be queued again.

    Whoever wants that has SLURM send it (`sbatch --signal=USR1@120 --requeue`). SIGTERM alone requeues nothing: that is
    what `scancel` sends. Of several processes the first one asks, and none does after its command has finished.
    """
    job = os.environ.get("SLURM_JOB_ID")
    if job is None:
        yield
        return
    warned = False

    def end_in_order(signum: int, frame: Any) -> None:
        nonlocal warned
        warned = True
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            raise KeyboardInterrupt
        os.kill(os.getpid(), signal.SIGTERM)  # whoever carries something out ends it at that

    previous = signal.signal(signal.SIGUSR1, end_in_order)
    is_done = False
    try:
        yield
        is_done = True
    except SystemExit as end:
        is_done = not end.code
        raise
    finally:
        signal.signal(signal.SIGUSR1, previous)
        if warned and not is_done and os.environ.get("SLURM_PROCID", "0") == "0":
            _requeue(job)


def _requeue(job: str) -> None:
    try:
        subprocess.run(["scontrol", "requeue", job], check=True, capture_output=True, text=True, timeout=_SECONDS)
    except subprocess.CalledProcessError as error:
        typer.echo(f"job {job} could not be queued again: {error.stderr.strip() or error}", err=True)
    except (OSError, subprocess.TimeoutExpired) as error:
        typer.echo(f"job {job} could not be queued again: {error}", err=True)
    else:
        typer.echo(f"job {job} is queued again, and goes on where it stopped", err=True)
