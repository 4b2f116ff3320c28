"""Executors by name, with room for what there is to run on."""

from __future__ import annotations

from atinuke_bench.errors import ConfigError, UnknownNameError
from atinuke_bench.runs.jobs.local import LocalExecutor
from atinuke_bench.runs.jobs.ray import RayExecutor
from atinuke_bench.runs.jobs.types import Executor
from atinuke_bench.training.launchers import own_cores, own_gpus

EXECUTORS = ("local", "ray")


def make_executor(kind: str, slots: int | None = None, devices_per_run: int = 1, threads_per_run: int = 1) -> Executor:
    """The executor of a kind with room for `slots` jobs; ConfigError or MissingDependencyError.

    Without a number there is room for what this process may use of its machine, or for what Ray's cluster has: a job
    for every `devices_per_run` GPUs, or, without GPUs, for every `devices_per_run` times `threads_per_run` cores.
    """
    if kind == "local":
        gpus = own_gpus()
        if gpus and (slots or 1) * devices_per_run > len(gpus):
            asked = f"{slots or 1} runs of {devices_per_run} side by side"
            side_by_side = len(gpus) // devices_per_run
            nearest = f"--workers {side_by_side}" if side_by_side else f"runs of {len(gpus)}"
            raise ConfigError(f"each run has GPUs of its own; found {len(gpus)} for {asked}; nearest: {nearest}")
        room = len(gpus) or own_cores() // threads_per_run
        return LocalExecutor(slots or max(1, room // devices_per_run), gpus)
    if kind == "ray":
        if devices_per_run > 1:
            raise ConfigError("executor 'ray' gives each run one device; nearest: executor 'local', or torchrun")
        return RayExecutor(slots, threads_per_run)
    raise UnknownNameError("executor", kind, EXECUTORS, f"it is one of {', '.join(EXECUTORS)}")
