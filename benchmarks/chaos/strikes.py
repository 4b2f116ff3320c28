"""What befalls a suite on its way: processes are killed or stopped, at a random moment or while a file is written."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from multiprocessing.context import ForkProcess
from pathlib import Path

from atinuke_bench.run_folder import RunFolder, find_runs
from chaos.commands import MOST_SECONDS, finish
from chaos.stores import Store

#: Seconds that an orphan may live on after its suite was killed.
_ORPHAN_SECONDS = 60
#: Seconds to wait for a file to be written, and between two looks.
_WRITE_SECONDS, _LOOK_SECONDS = 20.0, 0.0005
#: Looks after which there may be another run.
_LOOKS = 200
_STOP_SECONDS = 1.0


@dataclass
class Suite:
    """The suite's processes on this machine; it is started again whenever it has ended before its runs have."""

    store: Store
    chance: random.Random
    #: Seconds up to a strike, at most, once a run's process is there.
    longest: float
    process: ForkProcess | None = None
    num_starts: int = 0
    _seen: set[int] = field(default_factory=set)

    def is_over(self) -> bool:
        """Whether the suite has carried out all of its runs."""
        return self.process is not None and self.process.exitcode == 0

    def runs(self) -> bool:
        """Let the suite run, and a worker of it be at work; False when nothing is left to do."""
        until = time.monotonic() + MOST_SECONDS
        while time.monotonic() < until:
            if self.process is None or self.process.exitcode not in (None, 0):
                self.process = self.store.start_suite()
                self.num_starts += 1
            if self.is_over():
                return False
            if self.workers():
                return True
            time.sleep(0.05)
        raise SystemExit(f"no worker within {MOST_SECONDS} s; see {self.store.log}")

    def wait_a_moment(self) -> None:
        time.sleep(self.chance.uniform(0, self.longest))

    @property
    def pid(self) -> int:
        assert self.process is not None
        assert self.process.pid is not None
        return self.process.pid

    def server(self) -> list[int]:
        """The process that forks the workers."""
        return [pid for pid in children(self.pid) if b"resource_tracker" not in _words(pid)]

    def workers(self) -> list[int]:
        found = [pid for server in self.server() for pid in children(server)]
        self._seen.update(found)
        return found

    def kill(self, *pids: int, kind: signal.Signals = signal.SIGKILL) -> bool:
        """Send a signal; whether all were there. Once the suite itself has ended, nothing of it is left."""
        self.workers()
        found = [_send(pid, kind) for pid in pids]
        if self.pid in pids:
            assert self.process is not None
            finish(self.process)
            self.process = None
            require_ended(self._seen)
        return bool(found) and all(found)


def require_ended(pids: Iterable[int]) -> None:
    """Wait for processes that lost their parent; SystemExit when one stays."""
    until = time.monotonic() + _ORPHAN_SECONDS
    while (alive := [pid for pid in pids if _state(pid) not in ("", "Z")]) and time.monotonic() < until:
        time.sleep(0.05)
    if alive:
        raise SystemExit(f"processes {alive} outlive their suite by {_ORPHAN_SECONDS} s")


def kill_supervisor(suite: Suite) -> bool:
    suite.wait_a_moment()
    return suite.kill(suite.pid)


def kill_worker(suite: Suite) -> bool:
    suite.wait_a_moment()
    return suite.kill(*suite.workers()[:1])


def kill_server(suite: Suite) -> bool:
    suite.wait_a_moment()
    return suite.kill(*suite.server())


def kill_both(suite: Suite) -> bool:
    """The worker and, before it can notice, the supervisor."""
    suite.wait_a_moment()
    return suite.kill(*suite.workers()[:1], suite.pid)


def kill_all(suite: Suite) -> bool:
    """Supervisor, server and worker, as a machine does that loses its power."""
    suite.wait_a_moment()
    return suite.kill(*suite.workers()[:1], *suite.server(), suite.pid)


def end_in_order(suite: Suite) -> bool:
    suite.wait_a_moment()
    return suite.kill(suite.pid, kind=suite.chance.choice([signal.SIGTERM, signal.SIGINT]))


def stop_worker(suite: Suite) -> bool:
    suite.wait_a_moment()
    return _stopped(suite.workers()[:1])


def stop_supervisor(suite: Suite) -> bool:
    suite.wait_a_moment()
    return _stopped([suite.pid])


def kill_in_checkpoint(suite: Suite) -> bool:
    """The worker, or both, while a checkpoint is being written."""
    return _kill_in_write(suite, "checkpoints", ".part", with_supervisor=suite.chance.random() < 0.5)


def kill_in_record(suite: Suite) -> bool:
    """The worker, between the files that an epoch leaves: weights, history, state."""
    return _kill_in_write(suite, "", suite.chance.choice([".part", ".jsonl"]), delay=suite.chance.uniform(0, 0.02))


def _kill_in_write(suite: Suite, below: str, ending: str, *, with_supervisor: bool = False, delay: float = 0) -> bool:
    suite.wait_a_moment()
    workers = suite.workers()[:1]
    is_writing = _caught_writing(workers, lambda: [run.path / below for run in _unfinished(suite.store)], ending, delay)
    return suite.kill(*workers, *([suite.pid] if with_supervisor else [])) and is_writing


def _unfinished(store: Store) -> list[RunFolder]:
    return [run for run in find_runs(store.runs) if not run.result.exists()]


def kill_report(suite: Suite) -> bool:
    """A report on the half-done store."""
    out = suite.store.root / "report"
    return _kill_beside(suite, suite.store.start_report, lambda: [out, out / "figures", out / "tables"])


def kill_sync(suite: Suite) -> bool:
    """An upload of the half-done store; W&B's own program stays behind, or goes too."""
    return _kill_beside(suite, suite.store.start_sync, lambda: [run.path for run in find_runs(suite.store.runs)])


def _kill_beside(suite: Suite, start: Callable[[], ForkProcess], places: Callable[[], list[Path]]) -> bool:
    command = start()
    assert command.pid is not None
    if suite.chance.random() < 0.5:
        command.join(suite.chance.uniform(1.0, 12.0))
    else:
        _caught_writing([command.pid], places, ".part")
    with contextlib.suppress(ProcessLookupError):
        (os.killpg if suite.chance.random() < 0.5 else os.kill)(command.pid, signal.SIGKILL)
    return finish(command) == -signal.SIGKILL


def _stopped(pids: list[int]) -> bool:
    found = [_send(pid, signal.SIGSTOP) for pid in pids]
    time.sleep(_STOP_SECONDS)
    for pid in pids:
        _send(pid, signal.SIGCONT)
    return bool(found) and all(found)


def _caught_writing(pids: list[int], places: Callable[[], list[Path]], ending: str, delay: float = 0) -> bool:
    """Wait until a new file of this ending is in one of the places, and stop the processes; False when none comes."""
    until, known, look = time.monotonic() + _WRITE_SECONDS, _files(places(), ending), 0
    folders = places()
    while time.monotonic() < until and all(_state(pid) not in ("", "Z") for pid in pids[:1]):
        look += 1
        if look % _LOOKS == 0:
            folders = places()
        if _files(folders, ending) - known:
            time.sleep(delay)
            for pid in pids:
                _send(pid, signal.SIGSTOP)
            return True
        time.sleep(_LOOK_SECONDS)
    return False


def _files(places: list[Path], ending: str) -> set[tuple[str, int]]:
    """Names and times of files."""
    found = set[tuple[str, int]]()
    for place in places:
        with contextlib.suppress(OSError):
            entries = [entry for entry in os.scandir(place) if entry.name.endswith(ending)]
            found.update((entry.path, entry.stat().st_mtime_ns) for entry in entries)
    return found


def _send(pid: int, kind: signal.Signals) -> bool:
    try:
        os.kill(pid, kind)
    except ProcessLookupError:
        return False
    return True


def children(pid: int) -> list[int]:
    """Process ids of the children of a process that have not ended."""
    found = []
    for place in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = place.read_text().rpartition(")")[2].split()[:2]
            if int(parent) == pid and state != "Z":
                found.append(int(place.parent.name))
    return sorted(found)


def _state(pid: int) -> str:
    """The system's letter for a process's state; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def _words(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


#: Every kind of strike; whether it struck is its value.
STRIKES: dict[str, Callable[[Suite], bool]] = {
    "supervisor killed": kill_supervisor,
    "worker killed": kill_worker,
    "fork server killed": kill_server,
    "worker and supervisor killed": kill_both,
    "all three killed": kill_all,
    "killed in a checkpoint": kill_in_checkpoint,
    "killed as an epoch is recorded": kill_in_record,
    "supervisor ended in order": end_in_order,
    "worker stopped for 1 s": stop_worker,
    "supervisor stopped for 1 s": stop_supervisor,
    "report killed": kill_report,
    "sync killed": kill_sync,
}
