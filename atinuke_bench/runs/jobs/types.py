"""A job is one run in a separate process, which reports its progress and its end as events.

An executor starts jobs and passes on their events. It decides nothing: its caller chooses what to start, in which
order, and what to do about a failure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from atinuke_bench import registry
from atinuke_bench.config import RunConfig
from atinuke_bench.errors import FailureClass
from atinuke_bench.training.execution import Execution

WandbMode = Literal["online", "offline", "disabled"]

# How long a job that was asked to end may take to leave its folder in order.
GRACE_SECONDS = 15.0


@dataclass(frozen=True)
class Job:
    """One run to carry out. `key` names it among the jobs of one executor."""

    key: str
    run: RunConfig
    store: Path
    wandb: WandbMode = "offline"
    group: str | None = None
    execution: Execution = field(default_factory=lambda: Execution(show_progress=False))
    #: After every epoch the job waits for `Executor.answer`.
    asks: bool = False
    #: Trains again what is finished; the files that are there are set aside.
    rerun: bool = False
    #: Splits without labels are predicted too.
    predicts_unlabelled: bool = False
    #: Cores that the caller's process was given as classes, which the job's process must know too.
    cores: Mapping[str, str] = field(default_factory=lambda: dict(registry.GIVEN_CORES))


@dataclass(frozen=True)
class Started:
    """The job knows its data and so its folder; training begins."""

    key: str
    folder: Path


@dataclass(frozen=True)
class EpochDone:
    """An epoch is on disk; `record` is its line of the run's history."""

    key: str
    record: dict[str, Any]


@dataclass(frozen=True)
class Finished:
    """The job's folder is finished; `result` is what its `result.json` holds."""

    key: str
    result: dict[str, Any]


@dataclass(frozen=True)
class Failed:
    """The job ended without a result; after `FailureClass.BUSY` nothing was done."""

    key: str
    failure_class: FailureClass
    message: str


Event = Started | EpochDone | Finished | Failed


class Executor(Protocol):
    """Carries out at most `slots` jobs at a time; the caller counts."""

    slots: int

    def start(self, job: Job) -> None:
        """Begin a job."""

    def events(self, timeout: float) -> list[Event]:
        """What happened since the last call; waits for at most `timeout` seconds where nothing has."""

    def answer(self, key: str, should_continue: bool) -> None:
        """Let a job that asks train another epoch, or end it as pruned."""

    def stop(self, key: str, *, at_once: bool = False) -> None:
        """Have a job end: by a signal, so that its folder is left in order, and by force after a while or `at_once`."""

    def close(self) -> None:
        """End every job by force and free what the executor holds."""
