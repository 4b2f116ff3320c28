"""Which processes take part in a study, and whether one that holds a trial still lives.

On one machine a file lock shows it: the system frees it when its holder dies in any way. Between machines a worker's
beat shows it: a number in the database that it raises now and then. No clocks are compared, since machines' clocks
differ.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
import uuid
from typing import TYPE_CHECKING, Any

from atinuke_bench.files import make_folder
from atinuke_bench.locks import held, is_held

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
        self._lock = contextlib.ExitStack()
        self._beat = 0
        self._next_beat = 0.0
        #: Beat of each other worker, and when it was first seen.
        self._seen: dict[str, tuple[Any, float]] = {}

    def __enter__(self) -> Worker:
        self._lock.enter_context(held(self.folder / f"{self.id}.lock"))
        self.beat()
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.close()
        (self.folder / f"{self.id}.lock").unlink(missing_ok=True)

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
