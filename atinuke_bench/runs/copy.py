"""Run folders copied to other stores: whole, checked, and there under their name only once they are."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import Literal

from atinuke_bench.errors import RunFolderError
from atinuke_bench.files import make_folder, open_regular
from atinuke_bench.run_folder import COPYING, RunFolder
from atinuke_bench.runs.verify import verify

#: Whether a run was copied, or the other store had it already.
Copied = Literal["copied", "kept"]
_PIECE = 1 << 20


def copy_run(run: RunFolder, place: RunFolder) -> Copied:
    """Copy a run to its place in another store; RunFolderError where it is not whole, or cannot be written.

    What is finished there already is kept, if it has the same selection score; what is not gives way to a finished run.
    A copy that was interrupted is begun again. Who calls it keeps other copies from the store.
    """
    temporary = RunFolder(place.path.with_name(f"{COPYING}{place.path.name}"))
    make_folder(place.path.parent)
    try:
        if not _gives_way(run, place):
            return "kept"
        _copy(run, temporary)
        _move(temporary, place)
    except OSError as error:
        raise RunFolderError(f"{place.path}: cannot be copied there ({error.strerror or error})") from error
    finally:
        shutil.rmtree(temporary.path, ignore_errors=True)
    return "copied"


def _gives_way(run: RunFolder, place: RunFolder) -> bool:
    """Whether the place is free, or what is there is less than the run; RunFolderError where neither can be said."""
    if not place.path.exists():
        return True
    if place.is_locked():
        raise RunFolderError(f"{place.path}: a process is carrying out this run there; wait for it")
    if not run.is_finished():
        return not any(place.path.iterdir())
    if not place.is_finished():
        return True
    ours, theirs = run.read_result(), place.read_result()
    if ours["selection"].get("score") != theirs["selection"].get("score"):
        raise RunFolderError(f"{place.path}: another result of this run is there; copy to a store of its own")
    return False


def _copy(run: RunFolder, target: RunFolder) -> None:
    """Copy every file of a run, read it again, and check a finished run as `verify` does."""
    shutil.rmtree(target.path, ignore_errors=True)
    if run.is_locked():
        raise RunFolderError(f"{run.path}: a process is carrying out this run; wait for it")
    for folder, below, names in os.walk(run.path):
        make_folder(target.path / Path(folder).relative_to(run.path))
        below.sort()
        for name in sorted(names):
            path = Path(folder) / name
            if name == ".lock" or name.endswith(".part"):
                continue
            relative = path.relative_to(run.path)
            if not run.contains(str(relative)):
                raise RunFolderError(f"{path}: a link out of the run folder, which is not followed; remove it")
            _copy_file(path, target.path / relative)
    if run.result.exists():
        verdict = verify(target)
        if verdict.problems:
            raise RunFolderError(
                f"{run.path}: damaged, so that it is not copied ({'; '.join(verdict.problems)}); `atinuke-bench verify "
                "--reset` sets it to run again"
            )


def _copy_file(source: Path, target: Path) -> None:
    read, written = hashlib.sha256(), hashlib.sha256()
    with open_regular(source) as file, target.open("wb") as copy:
        while piece := file.read(_PIECE):
            read.update(piece)
            copy.write(piece)
        copy.flush()
        os.fsync(copy.fileno())
    with target.open("rb") as file:
        while piece := file.read(_PIECE):
            written.update(piece)
    if read.digest() != written.digest():
        raise RunFolderError(f"{target}: not what was written to it (its checksum differs)")


def _move(whole: RunFolder, place: RunFolder) -> None:
    """Put a whole copy into its place; the result last, where a folder is there already."""
    if not place.path.exists():
        whole.path.rename(place.path)
        return
    with place.lock():
        place.set_aside()
        left = sorted(whole.path.iterdir(), key=lambda path: path == whole.result)
        for path in left:
            target = place.path / path.name
            if target.is_dir():
                shutil.rmtree(target)
            path.replace(target)
