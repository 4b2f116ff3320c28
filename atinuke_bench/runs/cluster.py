"""Jobs spread over the machines of a Ray cluster; Ray only decides where each of them runs.

Every job is a task of Ray that starts a process of its own, so that a run's signals, crashes and memory are its own
and not those of a Ray worker. The process calls back over TCP, with a key that only this executor's jobs know.
The store must be on a file system that all machines share, like the data.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import secrets
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from multiprocessing.connection import Client, Connection, Listener, wait
from typing import Any

from atinuke_bench.runs.executor import Event, Failed, Finished, Job
from atinuke_bench.runs.local import reason
from atinuke_bench.runs.worker import GRACE_SECONDS, work

_KEY_VARIABLE = "ATINUKE_JOB_KEY"


@dataclass
class _Placed:
    """A job that Ray has, and its connection once its process has called."""

    job: Job
    task: Any
    connection: Connection | None = None
    ended: Finished | Failed | None = None
    deadline: float | None = None
    is_stopped: bool = False


class RayExecutor:
    """Joins the cluster that `RAY_ADDRESS` names, or starts one on this machine."""

    def __init__(self, slots: int | None = None, threads_per_run: int = 1) -> None:
        # An extra: whoever reads or tests this module need not have it.
        import ray

        self._ray = ray
        self._is_ours = not ray.is_initialized()
        if self._is_ours:
            # Ray would hide the GPUs from a task that has asked for none, and copy the working directory.
            address = os.environ.get("RAY_ADDRESS")
            cores = {} if address or slots is None else {"num_cpus": slots * threads_per_run}
            ray.init(address=address, include_dashboard=False, logging_level="ERROR", log_to_driver=False, **cores)
        resources = ray.cluster_resources()
        self.slots = slots or max(1, int(resources.get("GPU") or resources.get("CPU", 1) // threads_per_run))
        self._key = secrets.token_bytes(32)
        host = ray.util.get_node_ip_address()
        self._listener = Listener((host, 0), backlog=128, authkey=self._key)
        self._placed: dict[str, _Placed] = {}
        self._lock = threading.Lock()
        threading.Thread(target=self._take_calls, name="listener", daemon=True).start()

    def start(self, job: Job) -> None:
        options: dict[str, Any] = {"num_cpus": job.execution.threads, "max_retries": 0}
        if self._ray.cluster_resources().get("GPU", 0) > 0:
            options |= {"num_cpus": 1, "num_gpus": 1}
        process = self._ray.remote(_process).options(**options)
        task = process.remote(pickle.dumps(job), self._listener.address, self._key.hex(), sys.path)
        with self._lock:
            self._placed[job.key] = _Placed(job, task)

    def events(self, timeout: float) -> list[Event]:
        until = time.monotonic() + timeout
        while True:
            events = self._heard(min(0.1, timeout)) + self._ended()
            if events or time.monotonic() >= until:
                return events

    def answer(self, key: str, go_on: bool) -> None:
        self._tell(key, go_on)

    def stop(self, key: str, *, at_once: bool = False) -> None:
        placed = self._placed.get(key)
        if placed is None:
            return
        placed.is_stopped = True
        grace = 0.0 if at_once else GRACE_SECONDS
        placed.deadline = min(placed.deadline or float("inf"), time.monotonic() + grace)
        if not self._tell(key, "stop"):
            self._ray.cancel(placed.task)  # not yet started, or just about to call: then `_take_calls` says stop

    def close(self) -> None:
        self._listener.close()
        for placed in self._placed.values():
            if placed.connection is not None:
                placed.connection.close()  # at which the process ends itself
            with contextlib.suppress(Exception):
                self._ray.cancel(placed.task, force=True)
        self._placed.clear()
        if self._is_ours:
            self._ray.shutdown()

    def _take_calls(self) -> None:
        while True:
            try:
                connection = self._listener.accept()
                key = connection.recv()
            except Exception as error:
                if isinstance(error, OSError) and getattr(self._listener, "_listener", None) is None:
                    return  # closed
                continue  # a stranger
            with self._lock:
                placed = self._placed.get(key)
                if placed is not None:
                    placed.connection = connection
            if placed is None or placed.is_stopped:
                with contextlib.suppress(OSError):
                    connection.send("stop")

    def _heard(self, timeout: float) -> list[Event]:
        with self._lock:
            waiting = {placed.connection: placed for placed in self._placed.values() if placed.connection is not None}
        if not waiting:
            time.sleep(timeout)
            return []
        events: list[Event] = []
        for connection in wait(list(waiting), timeout):
            placed = waiting[connection]  # type: ignore[index]
            try:
                event = connection.recv()  # type: ignore[union-attr]
            except (EOFError, OSError):
                placed.connection = None
                continue
            if isinstance(event, Finished | Failed):
                placed.ended = event
            else:
                events.append(event)
        return events

    def _ended(self) -> list[Event]:
        """The last words of jobs whose task is over; their connections have been read to the end by then."""
        events: list[Event] = []
        for key, placed in list(self._placed.items()):
            if placed.deadline is not None and placed.deadline <= time.monotonic():
                self._ray.cancel(placed.task, force=True)
                placed.deadline = None
            if placed.connection is not None:
                continue
            done, _ = self._ray.wait([placed.task], timeout=0)
            if done:
                events.append(placed.ended or Failed(key, *_why(placed.task)))
                with self._lock:
                    del self._placed[key]
        return events

    def _tell(self, key: str, word: bool | str) -> bool:
        placed = self._placed.get(key)
        if placed is None or placed.connection is None:
            return False
        with contextlib.suppress(OSError):
            placed.connection.send(word)
        return True


def _process(job: bytes, address: tuple[str, int], key: str, path: list[str]) -> int:
    """Start the job's process where Ray has put it; its exit code."""
    environment = {**os.environ, _KEY_VARIABLE: key, "PYTHONPATH": os.pathsep.join(filter(None, path))}
    command = [sys.executable, "-m", "atinuke_bench.runs.cluster", address[0], str(address[1])]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment)
    try:
        process.communicate(job)
    except BaseException:
        process.kill()
        raise
    return process.returncode


def _why(task: Any) -> tuple[str, str]:
    """Failure class and message of a task that ended without its process having said anything."""
    import ray

    try:
        return reason(ray.get(task))
    except ray.exceptions.OutOfMemoryError as error:
        return "out-of-memory", str(error).splitlines()[0]
    except (
        ray.exceptions.TaskCancelledError,
        ray.exceptions.WorkerCrashedError,
        ray.exceptions.NodeDiedError,
    ) as error:
        return "killed", f"{type(error).__name__}: {str(error).splitlines()[0]}"
    except Exception as error:
        return "internal", f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"


def _main() -> None:
    host, port = sys.argv[1:]
    # The job comes from the parent that also gave the key of the call; nobody else can write to this process's input.
    job = pickle.loads(sys.stdin.buffer.read())
    connection = Client((host, int(port)), authkey=bytes.fromhex(os.environ.pop(_KEY_VARIABLE)))
    connection.send(job.key)
    work(job, connection)


if __name__ == "__main__":
    _main()
