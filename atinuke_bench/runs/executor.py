"""How runs are carried out beside each other: a job is one run in a process of its own, and says what becomes of it.

An executor starts jobs and passes on their events. It decides nothing: what is started, in which order, and what is
done about a failure is the business of a suite or a study.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from atinuke_bench.config import RunConfig
from atinuke_bench.errors import ConfigError, MissingDependencyError, UnknownNameError
from atinuke_bench.training.execution import Execution

EXECUTORS = ("local", "ray")


@dataclass(frozen=True)
class Job:
    """One run to carry out. `key` names it among the jobs of one executor."""

    key: str
    run: RunConfig
    store: Path
    wandb: str = "offline"
    group: str | None = None
    execution: Execution = field(default_factory=lambda: Execution(show_progress=False))
    #: After every epoch the job waits for `Executor.answer`.
    asks: bool = False


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
    """The job ended without a result.

    `failure_class` is data, diverged, out-of-memory, killed, timeout, pruned, internal, or busy: then another process
    is carrying out the same run and nothing was done.
    """

    key: str
    failure_class: str
    message: str


Event = Started | EpochDone | Finished | Failed


class Executor(Protocol):
    """Carries out at most `slots` jobs at a time; the caller counts."""

    slots: int

    def start(self, job: Job) -> None:
        """Begin a job."""

    def events(self, timeout: float) -> list[Event]:
        """What happened since the last call; waits for at most `timeout` seconds where nothing has."""

    def answer(self, key: str, go_on: bool) -> None:
        """Let a job that asks train another epoch, or end it as pruned."""

    def stop(self, key: str, *, at_once: bool = False) -> None:
        """Have a job end: by a signal, so that its folder is left in order, and by force after a while or `at_once`."""

    def close(self) -> None:
        """End every job by force and free what the executor holds."""


def make_executor(kind: str, slots: int | None = None, devices_per_run: int = 1, threads_per_run: int = 1) -> Executor:
    """The executor of a kind with room for `slots` jobs; ConfigError or MissingDependencyError.

    Without a number there is room for what this machine, or Ray's cluster, has: a job for every `devices_per_run` GPUs,
    or for every so many times `threads_per_run` cores where there are no GPUs.
    """
    from atinuke_bench.runs.local import LocalExecutor, visible_gpus

    if kind == "local":
        gpus = visible_gpus()
        if gpus and (slots or 1) * devices_per_run > len(gpus):
            asked = f"{slots or 1} runs of {devices_per_run} side by side"
            raise ConfigError(f"each run has GPUs of its own; found {len(gpus)} for {asked}")
        room = len(gpus) or (os.cpu_count() or 1) // threads_per_run
        return LocalExecutor(slots or max(1, room // devices_per_run), gpus)
    if kind == "ray":
        if devices_per_run > 1:
            raise ConfigError("executor 'ray' gives each run one device; nearest: executor 'local', or torchrun")
        try:
            from atinuke_bench.runs.cluster import RayExecutor
        except ImportError as error:
            raise MissingDependencyError(
                "executor 'ray' needs the package ray: pip install 'atinuke-bench[cluster]'"
            ) from error
        return RayExecutor(slots, threads_per_run)
    raise UnknownNameError("executor", kind, EXECUTORS, f"it is one of {', '.join(EXECUTORS)}")
