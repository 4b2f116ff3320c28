"""Jobs as processes of this machine, forked from a server that has loaded torch once and started no threads."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from multiprocessing.util import get_temp_dir

from atinuke_bench.errors import ConfigError, FailureClass
from atinuke_bench.runs.jobs.types import GRACE_SECONDS, Event, Failed, Finished, Job
from atinuke_bench.runs.jobs.worker import work
from atinuke_bench.training.launchers import rank_environment

# What the server imports, so that a job does not: all that a run of any built-in task needs.
_PRELOADED = ["atinuke_bench.runs.jobs.preload", "atinuke_bench.runs.jobs.worker"]
# The system takes this many bytes of a socket's path; multiprocessing adds two names of 14 to the temporary folder's.
_MOST_PATH_BYTES, _NAMES_BYTES = 107, 28
# How long the other processes of a run may take to end once one of them has ended with a failure, in order.
_ORDERLY_SECONDS = 5.0


@dataclass
class _Running:
    """The processes of a job, the first rank first."""

    job: Job
    processes: list[BaseProcess]
    connections: list[Connection]
    #: GPUs that are the job's alone, by their names for CUDA.
    gpus: list[str] = field(default_factory=list)
    #: When the processes are killed, once they were asked to end.
    deadline: float | None = None
    ended: Finished | Failed | None = None
    #: Ranks that have done their part, and ranks whose connection has closed.
    done: set[int] = field(default_factory=set)
    disconnected: set[int] = field(default_factory=set)


class LocalExecutor:
    """Processes on this machine; a job with several devices has one process a device.

    Where there are GPUs, each job sees only those that are its own while it runs.
    """

    def __init__(self, slots: int, gpus: Sequence[str] = ()) -> None:
        self.slots = slots
        self._free_gpus, self._has_gpus = list(gpus), bool(gpus)
        self._running: dict[str, _Running] = {}
        self._context = process_context()

    def start(self, job: Job) -> None:
        size = job.execution.devices
        if self._has_gpus and len(self._free_gpus) < size:
            free = len(self._free_gpus)
            raise ConfigError(f"a run of {size} devices needs {size} GPUs of its own; {free} are free")
        port = free_port() if size > 1 else 0
        gpus, self._free_gpus = self._free_gpus[:size], self._free_gpus[size:]
        shared = {"CUDA_VISIBLE_DEVICES": ",".join(gpus)} if gpus else {}
        processes: list[BaseProcess] = []
        connections: list[Connection] = []
        for rank in range(size):
            ours, theirs = self._context.Pipe()
            execution = replace(job.execution, rank=rank, show_progress=job.execution.show_progress and rank == 0)
            environment = shared if size == 1 else {**shared, **rank_environment(rank, size, port)}
            process = self._context.Process(
                target=work, args=(replace(job, execution=execution), theirs, environment), name=job.key
            )
            process.start()
            theirs.close()  # so that the end of the process ends the connection
            processes.append(process)
            connections.append(ours)
        self._running[job.key] = _Running(job, processes, connections, gpus)

    def events(self, timeout: float) -> list[Event]:
        self._kill_overdue()
        waiting = {
            connection: (running, rank)
            for running in self._running.values()
            for rank, connection in enumerate(running.connections)
            if rank not in running.disconnected
        }
        if not waiting:
            time.sleep(timeout)
            return []
        deadlines = [running.deadline for running in self._running.values() if running.deadline is not None]
        if deadlines:
            timeout = max(0.0, min(timeout, min(deadlines) - time.monotonic()))
        events: list[Event] = []
        for connection in wait(list(waiting), timeout):
            events += self._receive(*waiting[connection])  # type: ignore[index]
        return events

    def answer(self, key: str, should_continue: bool) -> None:
        if (running := self._running.get(key)) is not None:
            _send(running.connections[0], should_continue)

    def stop(self, key: str, *, at_once: bool = False) -> None:
        if (running := self._running.get(key)) is None:
            return
        for connection in running.connections:
            _send(connection, "stop")
        grace = 0.0 if at_once else GRACE_SECONDS
        running.deadline = min(running.deadline or float("inf"), time.monotonic() + grace)
        self._kill_overdue()

    def processes(self, key: str) -> list[int]:
        """Process ids of a job, the first rank first; none when it has ended."""
        running = self._running.get(key)
        return [process.pid or 0 for process in running.processes] if running is not None else []

    def close(self) -> None:
        for running in self._running.values():
            _kill(running.processes)
        for running in self._running.values():
            for process, connection in zip(running.processes, running.connections, strict=True):
                process.join()
                connection.close()
        self._running.clear()

    def _receive(self, running: _Running, rank: int) -> list[Event]:
        """The events of one connection that has something to read, or has ended."""
        try:
            event = running.connections[rank].recv()
        except (EOFError, OSError):
            return self._on_disconnect(running, rank)
        if isinstance(event, Finished | Failed):
            # The last event is passed on once the process is gone, so that nothing of the job is left by then.
            running.done.add(rank)
            if running.ended is None and (rank == 0 or isinstance(event, Failed)):
                running.ended = event
            return []
        return [event] if rank == 0 else []

    def _on_disconnect(self, running: _Running, rank: int) -> list[Event]:
        process = running.processes[rank]
        process.join(GRACE_SECONDS)  # the connection ends moments before the process
        if process.is_alive():
            _kill([process])
            process.join()
        running.disconnected.add(rank)
        if running.ended is None and rank not in running.done:
            running.ended = _died(running.job.key, process.exitcode)
        if isinstance(running.ended, Failed):
            if rank in running.done:
                # It ended in order, and the others may be doing so: the first one writes why.
                running.deadline = running.deadline or time.monotonic() + _ORDERLY_SECONDS
            else:
                # What is left of a distributed run would wait for the lost process.
                _kill(running.processes)
        if len(running.disconnected) < len(running.processes):
            return []
        for connection in running.connections:
            connection.close()
        self._free_gpus += running.gpus
        del self._running[running.job.key]
        assert running.ended is not None, "the first rank has said something or was lost"
        return [running.ended]

    def _kill_overdue(self) -> None:
        now = time.monotonic()
        for running in self._running.values():
            if running.deadline is not None and running.deadline <= now:
                _kill(running.processes)
                running.deadline = None


def _died(key: str, exit_code: int | None) -> Failed:
    """The failure of a job whose process ended without reporting one."""
    if exit_code == -signal.SIGKILL:
        message = "killed by SIGKILL; the system does this to a process when memory runs out"
        return Failed(key, FailureClass.KILLED, message)
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name
        is_ours = name in ("SIGTERM", "SIGINT", "SIGHUP")
        failure_class = FailureClass.KILLED if is_ours else FailureClass.INTERNAL
        return Failed(key, failure_class, f"the process was ended by {name}")
    return Failed(key, FailureClass.INTERNAL, f"the process ended with exit code {exit_code} and without a result")


def _kill(processes: list[BaseProcess]) -> None:
    for process in processes:
        if process.pid is not None and process.is_alive():
            # Its group too, since a run may have started processes. Before it has a group there is only itself.
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            process.kill()


def _send(connection: Connection, word: bool | str) -> None:
    with contextlib.suppress(OSError):
        connection.send(word)


def _choose_folder_for_sockets() -> None:
    """Have multiprocessing put its sockets elsewhere where the temporary folder's path is too long for them."""
    if len(os.fsencode(tempfile.gettempdir())) + _NAMES_BYTES <= _MOST_PATH_BYTES:
        return
    usual = tempfile.tempdir
    tempfile.tempdir = next((place for place in ("/tmp", "/var/tmp") if os.access(place, os.W_OK)), usual)
    try:
        get_temp_dir()  # a private folder, which it keeps to
    finally:
        tempfile.tempdir = usual


def process_context() -> SpawnContext | ForkServerContext:
    """How a process starts that finds all loaded that a run needs."""
    # Apple's frameworks do not survive a fork.
    context = get_context("spawn") if sys.platform == "darwin" else get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    _choose_folder_for_sockets()
    return context


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]
