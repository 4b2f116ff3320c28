"""What is made from data once and kept for all runs and processes. No run fails or waits without end for a cache."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from filelock import Timeout

from atinuke_bench.errors import RunFolderError
from atinuke_bench.files import make_folder
from atinuke_bench.locks import held

T = TypeVar("T")
#: How long to wait for another process that is making the same. It may be stopped, or be on a machine that has died.
_PATIENCE_SECONDS = 1800.0


def cached(
    path: Path,
    read: Callable[[Path], T | None],
    make: Callable[[], T],
    write: Callable[[Path, T], None],
    say: Callable[[str], None],
) -> T:
    """What is kept at `path`, made and kept there when it is absent or damaged (`read` gives None).

    Of several processes that need it at once the first one makes it, and the others read it. `say` is told why
    something cannot be kept; then each process makes it for itself.
    """
    found = read(path)
    if found is not None:
        return found
    with contextlib.ExitStack() as turn:
        lock = path.with_suffix(".lock")
        try:
            make_folder(path.parent)
            turn.enter_context(held(lock, _PATIENCE_SECONDS))
            # Whoever waits for this very file sees that it is gone, and takes a new one.
            turn.callback(lock.unlink, missing_ok=True)
        except Timeout:
            pass
        except (RunFolderError, OSError) as error:
            say(_cannot_be_kept(path, error))
            return make()
        found = read(path)
        if found is None:
            found = make()
            try:
                write(path, found)
            except (RunFolderError, OSError) as error:
                say(_cannot_be_kept(path, error))
    return found


def _cannot_be_kept(path: Path, error: Exception) -> str:
    return (
        f"the cache must be writable to spare work; found {error}; every process encodes for itself "
        f"(ATINUKE_CACHE names another folder than {path.parent.parent})"
    )
