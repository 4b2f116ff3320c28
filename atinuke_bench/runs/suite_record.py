"""`<store>/suites/<name>.json`: which runs of the store a suite has, so that it can be shown while it is half done.

The record makes a finished suite answer at once: neither torch nor tasks nor data are loaded to see that all is there.
It is only a cache of what the run folders say; a lost or damaged one is made again.

    {"name": …, "suite": the suite as it was read, "stamp": what the grid was computed from,
     "cells": [{"key": …, "task": …, "variant": …, "core": …, "seed": …, "folder": path in the store or null,
                "in_grid": false for a run of an earlier version of the suite}, …]}
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from atinuke_bench.config import Declaration, SourceConfig, SuiteConfig, files_that_fit
from atinuke_bench.errors import RunFolderError
from atinuke_bench.files import file_stem, make_folder, sha256_json, write_json
from atinuke_bench.locks import held
from atinuke_bench.records import SuiteRecord as Shape
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.run_folder import read_record as read_checked

# A data folder with more files than this is not looked through at every start.
_MOST_FILES = 20_000


@dataclass
class RecordedCell:
    """A run of the suite. `key` names everything that determines its folder's name."""

    key: str
    task: str
    variant: str
    core: str
    seed: int
    folder: str | None = None
    in_grid: bool = True


@dataclass
class SuiteRecord:
    """A suite's runs in one store."""

    path: Path
    name: str
    suite: dict[str, Any] = field(default_factory=dict)
    stamp: str | None = None
    cells: list[RecordedCell] = field(default_factory=list)

    @property
    def store(self) -> Path:
        """The store that the record lies in."""
        return self.path.parent.parent

    def folders(self) -> dict[str, str]:
        """The known folder of each key."""
        return {cell.key: cell.folder for cell in self.cells if cell.folder is not None}

    def replace_grid(self, suite: SuiteConfig, stamp: str | None, cells: list[RecordedCell]) -> None:
        """Take a new grid. Known folders are kept; earlier runs that it lacks stay listed as such."""
        folders, keys = self.folders(), {cell.key for cell in cells}
        for cell in cells:
            cell.folder = folders.get(cell.key)
        earlier = [cell for cell in self.cells if cell.key not in keys and cell.folder is not None]
        for cell in earlier:
            cell.in_grid = False
        self.suite, self.stamp, self.cells = suite.model_dump(mode="json"), stamp, cells + earlier

    def write(self) -> None:
        """Write the record, with the folders that another process has found meanwhile; RunFolderError."""
        try:
            with held(self.path.parent / f".{self.path.stem}.lock", timeout=-1):
                known = read_record(self.path, self.name).folders()
                for cell in self.cells:
                    cell.folder = cell.folder or known.get(cell.key)
                record = {name: getattr(self, name) for name in ("name", "suite", "stamp")}
                write_json(self.path, {**record, "cells": [asdict(cell) for cell in self.cells]})
        except OSError as error:
            raise RunFolderError(f"{self.path}: cannot be written ({error.strerror or error})") from error


def record_path(store: Path, name: str, room: str = "suites") -> Path:
    """Where a suite's record lies; one in another room of the store is no suite to reports.

    >>> record_path(Path("runs"), "quick").as_posix()
    'runs/suites/quick.json'
    """
    return store / room / f"{file_stem(name)}.json"


def open_record(store: Path, name: str, room: str = "suites", *, is_written: bool = True) -> SuiteRecord:
    """The suite's record in a store, its folder made where it will be written; RunFolderError when that is refused."""
    path = record_path(store, name, room)
    if is_written:
        make_folder(path.parent)
    return read_record(path, name)


def read_record(path: Path, name: str) -> SuiteRecord:
    """The record in a file; an empty one where there is none, it is damaged or another suite's."""
    try:
        record = read_checked(Shape, path)
        if record["name"] != name:  # two names may differ in capitals, where file systems see one
            return SuiteRecord(path, name)
        cells = [RecordedCell(**cell) for cell in record["cells"]]
        return SuiteRecord(path, name, record["suite"], record["stamp"], cells)
    except (RunFolderError, KeyError, TypeError):  # one of another version may have other fields
        return SuiteRecord(path, name)


def finished_results(
    record: SuiteRecord, suite: SuiteConfig, source: SourceConfig, store: Path
) -> list[tuple[str, dict[str, Any]]] | None:
    """Column and result of every run of the suite when all are finished and nothing has changed; None otherwise."""
    cells = [cell for cell in record.cells if cell.in_grid]
    if not cells or any(cell.folder is None for cell in cells):
        return None
    if record.stamp is None or record.stamp != grid_stamp(suite, source):
        return None
    results = []
    for cell in cells:
        try:
            results.append((cell.variant, RunFolder(store / str(cell.folder)).read_result()))
        except RunFolderError:
            return None
    return results


def data_stamp(source: SourceConfig, declaration: Declaration | None = None) -> str | None:
    """Names, sizes and times of the files of a data folder, in short; None when these cannot show a change.

    Of a task that a file declares: of the files that it names, with what it says of them.
    """
    if declaration is not None and declaration.hub is None and declaration.folder.is_absolute():
        places = [
            path
            for patterns in declaration.splits.values()
            for pattern in patterns
            for path in files_that_fit(declaration.folder, pattern)
        ]
        own = _stamp_below(places)
        return None if own is None else sha256_json([own, declaration.model_dump(mode="json")])
    if declaration is not None and declaration.hub is not None:
        return sha256_json(["hub", declaration.model_dump(mode="json")])
    if source.kind != "local" or source.data_dir is None:
        return source.kind
    return _stamp_below([source.data_dir])


def _stamp_below(places: list[Path]) -> str | None:
    """Names, sizes and times of files, and of all files below folders; None where there are very many."""
    digest, num_files = hashlib.sha256(), 0
    for place in places:
        found = [(str(place.parent), [], [place.name])] if place.is_file() else os.walk(place)
        for folder, subfolders, names in found:
            subfolders.sort()
            for name in sorted(names):
                num_files += 1
                if num_files > _MOST_FILES:
                    return None
                digest.update(_stamp_of(os.path.join(folder, name)))
    return digest.hexdigest()


def code_stamp() -> str:
    """The package's own files in short: other code or declarations may give other grids and other identities."""
    import sys

    digest = hashlib.sha256(sys.version.encode())
    roots = [Path(__file__).resolve().parents[1], *_mapped_rooms()]
    for path in sorted(path for root in roots for ending in ("py", "yaml") for path in root.rglob(f"*.{ending}")):
        digest.update(_stamp_of(str(path)))
    return digest.hexdigest()


def grid_stamp(suite: SuiteConfig, source: SourceConfig) -> str | None:
    """All that a grid and the folders of its runs are computed from, in short; None when that cannot be known."""
    data = [data_stamp(source), *(data_stamp(source, declaration) for declaration in suite.declarations.values())]
    if None in data:
        return None
    first, *own = data
    return sha256_json([suite.model_dump(mode="json"), source.model_dump(mode="json"), first, code_stamp(), *own])


def _stamp_of(path: str) -> bytes:
    try:
        found = os.stat(path)
    except OSError:
        return f"{path} is gone\n".encode()
    return f"{path} {found.st_size} {found.st_mtime_ns}\n".encode(errors="surrogateescape")


def _mapped_rooms() -> list[Path]:
    """Folders of the rooms that an editable install keeps elsewhere; found without importing them."""
    from importlib.util import find_spec

    found = (find_spec(f"atinuke_bench.{room}") for room in ("tasks", "sweeps", "reports"))
    return [Path(place) for spec in found if spec is not None for place in spec.submodule_search_locations or ()]
