"""Jobs spread over the machines of a Ray cluster: Ray decides where each runs, and a local executor there runs it.

That executor is a Ray actor, one a job. So a job is a separate process, as on one machine, and its signals, crashes and
memory do not affect a Ray worker. Ray ends an actor whose driver has died, and a job ends itself when its executor is
gone. The store must be on a file system that all machines share, like the data.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any

from atinuke_bench.errors import ConfigError, FailureClass, MissingDependencyError, first_line
from atinuke_bench.runs.jobs.local import LocalExecutor
from atinuke_bench.runs.jobs.types import Event, Failed, Finished, Job

#: How long an actor waits for an event before it answers that there was none; a job that should stop learns of it then.
_POLL_SECONDS = 1.0
#: How long actors may take to end their jobs by force before they are ended themselves.
_CLOSE_SECONDS = 5.0


@dataclass
class _Placed:
    """A job that Ray has: its actor, and the actor's call that is not answered yet."""

    actor: Any
    call: Any
    has_begun: bool = False


class RayExecutor:
    """Joins the cluster that `RAY_ADDRESS` names, or starts one on this machine."""

    def __init__(self, slots: int | None = None, threads_per_run: int = 1) -> None:
        try:
            import ray
        except ImportError as error:
            raise MissingDependencyError(
                "executor 'ray' needs the package ray: pip install 'atinuke-bench[cluster]'"
            ) from error
        self._ray = ray
        self._is_ours = not ray.is_initialized()
        if self._is_ours:
            address = os.environ.get("RAY_ADDRESS")
            cores = {} if address or slots is None else {"num_cpus": slots * threads_per_run}
            quiet: dict[str, Any] = {"include_dashboard": False, "logging_level": "ERROR", "log_to_driver": False}
            try:
                ray.init(address=address, **quiet, **cores)
            except (ConnectionError, ray.exceptions.RayError) as error:
                where = f"at {address}, which RAY_ADDRESS names" if address else "on this machine"
                raise ConfigError(f"executor 'ray' reaches no cluster {where}: {first_line(error)}") from error
        resources = ray.cluster_resources()
        self.slots = slots or max(1, int(resources.get("GPU") or resources.get("CPU", 1) // threads_per_run))
        self._placed: dict[str, _Placed] = {}

    def start(self, job: Job) -> None:
        needs = {"num_cpus": job.execution.threads}
        if self._ray.cluster_resources().get("GPU", 0) > 0:
            needs = {"num_cpus": 1, "num_gpus": 1}
        actor = self._ray.remote(LocalExecutor).options(**needs).remote(1)
        self._placed[job.key] = _Placed(actor, actor.start.remote(job))

    def events(self, timeout: float) -> list[Event]:
        until = time.monotonic() + timeout
        while True:
            events = self._answers(max(0.0, until - time.monotonic()))
            if events or time.monotonic() >= until:
                return events

    def answer(self, key: str, should_continue: bool) -> None:
        if (placed := self._placed.get(key)) is not None:
            placed.actor.answer.remote(key, should_continue)

    def stop(self, key: str, *, at_once: bool = False) -> None:
        if (placed := self._placed.get(key)) is None:
            return
        if placed.has_begun:
            placed.actor.stop.remote(key, at_once=at_once)
        else:
            self._ray.kill(placed.actor)  # it may wait for a free machine

    def close(self) -> None:
        begun = [placed.actor.close.remote() for placed in self._placed.values() if placed.has_begun]
        if begun:
            self._ray.wait(begun, num_returns=len(begun), timeout=_CLOSE_SECONDS)
        for placed in self._placed.values():
            self._ray.kill(placed.actor)
        self._placed.clear()
        if self._is_ours:
            self._ray.shutdown()

    def _answers(self, timeout: float) -> list[Event]:
        """The events of all actors that answer; they are asked again at the next call, once the caller has replied."""
        if not self._placed:
            time.sleep(timeout)
            return []
        for placed in self._placed.values():
            placed.call = placed.call or placed.actor.events.remote(_POLL_SECONDS)
        keys = {placed.call: key for key, placed in self._placed.items()}
        self._ray.wait(list(keys), timeout=timeout)
        answered, _ = self._ray.wait(list(keys), num_returns=len(keys), timeout=0)
        return [event for call in answered for event in self._answer_of(keys[call])]

    def _answer_of(self, key: str) -> list[Event]:
        placed = self._placed[key]
        try:
            events = self._ray.get(placed.call) or []
        except self._ray.exceptions.RayError as error:
            events = [Failed(key, self._class_of(error), first_line(error, with_class=True))]
        placed.call, placed.has_begun = None, True
        if any(isinstance(event, Finished | Failed) for event in events):
            self._ray.kill(placed.actor)
            del self._placed[key]
        return events

    def _class_of(self, error: Exception) -> FailureClass:
        """Why an actor does not answer."""
        lost = self._ray.exceptions
        if isinstance(error, lost.OutOfMemoryError):
            return FailureClass.OUT_OF_MEMORY
        is_lost = isinstance(error, lost.RayActorError | lost.WorkerCrashedError | lost.NodeDiedError)
        return FailureClass.KILLED if is_lost else FailureClass.INTERNAL
