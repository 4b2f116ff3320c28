"""Which processes take part in a study, and whether one that holds a trial still lives.

On one machine a file lock shows it: the system frees it when its holder dies in any way. Between machines a worker's
beat shows it: a number in the database that it raises now and then. No clocks are compared, since machines' clocks
differ.
"""

from __future__ import annotations

import os
import socket
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from atinuke_bench.files import make_folder

if TYPE_CHECKING:
    from atinuke_bench.sweeps.study import Study

BEAT_SECONDS = 15.0
#: A worker on another machine whose beat has not changed for this long is dead.
SILENT_SECONDS = 120.0


class Worker:
    """This process's part in a study, from `with` on."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.folder = make_folder(study.folder / "workers")
        self.id = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._lock = FileLock(self.folder / f"{self.id}.lock", timeout=0)
        self._beat = 0
        self._next_beat = 0.0
        #: Beat of each other worker, and when it was first seen.
        self._seen: dict[str, tuple[Any, float]] = {}

    def __enter__(self) -> Worker:
        self._lock.acquire()
        self.beat()
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()
        Path(self._lock.lock_file).unlink(missing_ok=True)

    def owner(self) -> dict[str, str]:
        """What a trial keeps of who carries it out."""
        return {"worker": self.id, "host": socket.gethostname(), "folder": str(self.folder.absolute())}

    def beat(self) -> None:
        """Show that this process lives, if it is time to."""
        if time.monotonic() >= self._next_beat:
            self._beat += 1
            self.study.set_beat(self.id, self._beat)
            self._next_beat = time.monotonic() + BEAT_SECONDS

    def is_alive(self, owner: dict[str, str] | None) -> bool:
        """Whether the owner of a trial lives. A trial without one was left between being drawn and being taken."""
        if owner is None:
            return False
        if owner["worker"] == self.id:
            return True
        if owner["host"] == socket.gethostname() and owner["folder"] == str(self.folder.absolute()):
            lock = self.folder / f"{owner['worker']}.lock"
            if is_held(lock):
                return True
            lock.unlink(missing_ok=True)
            return False
        return self._beats(owner["worker"])

    def _beats(self, worker: str) -> bool:
        beat = self.study.beat_of(worker)
        now = time.monotonic()
        last, since = self._seen.get(worker, (None, now))
        if beat != last or worker not in self._seen:
            self._seen[worker] = (beat, now)
            return True
        return now - since < SILENT_SECONDS


def is_held(path: Path) -> bool:
    """Whether a process, this one or another, holds a file lock this moment."""
    if not path.exists():
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True
