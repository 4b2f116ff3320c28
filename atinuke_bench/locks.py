"""Locks between processes, on any file system.

The system frees a lock when its holder dies in any way. Network file systems that cannot do that (Lustre without
`flock`, NFS without its lock service) get a marker file in its place, which names its holder: on the holder's machine a
marker of a dead process counts for nothing, and from another machine it is believed.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

#: What a file system answers that has no locks.
_HAS_NONE = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}


@contextlib.contextmanager
def held(path: Path, timeout: float = 0) -> Iterator[None]:
    """Hold the lock of a file, made where it is absent; Timeout when another holds it for longer, or OSError."""
    lock = _acquired(path, timeout)
    try:
        yield
    finally:
        lock.release()


def _acquired(path: Path, timeout: float) -> BaseFileLock:
    lock: BaseFileLock = FileLock(path, timeout=timeout)
    try:
        lock.acquire()
    except OSError as error:
        if error.errno not in _HAS_NONE:
            raise
        lock = SoftFileLock(marker_of(path), timeout=timeout)
        lock.acquire()
    return lock


def marker_of(path: Path) -> Path:
    """The file that stands in for the lock of another where the file system has no locks."""
    return path.with_name(f"{path.name}.held")


@contextlib.contextmanager
def folder_held(path: Path) -> Iterator[None]:
    """Hold a folder itself, whose lock nobody can remove; Timeout when another holds it.

    Where folders cannot be locked, as on NFS, nothing is held.
    """
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Timeout(str(path)) from None
        except OSError as error:
            if error.errno not in _HAS_NONE | {errno.EBADF}:
                raise
        yield
    finally:
        os.close(handle)


def is_held(path: Path) -> bool:
    """Whether a process, this one or another, holds the lock of a file this moment."""
    if not path.exists():
        return False
    try:
        with held(path):
            return False
    except Timeout:
        return True
