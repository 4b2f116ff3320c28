"""The examples of a declared task: files found by their patterns, or the Hub's copy, read one record at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import datasets

from atinuke_bench.config import Declaration, SourceConfig
from atinuke_bench.data.records import Numbered, read_table
from atinuke_bench.data.sources import HubDataset, Loaded, load_hub
from atinuke_bench.data.table import Table
from atinuke_bench.data.text import content_sha256
from atinuke_bench.errors import ConfigError, DataError, nearest
from atinuke_bench.files import sha256_json

Row = dict[str, Any]


@dataclass(frozen=True)
class Rows:
    """Examples of one split as they are read, each with its place (file and line) for messages."""

    rows: list[Row] = field(default_factory=list)
    places: list[tuple[Path | str, int]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.rows)

    def refuse(self, number: int, problem: str, name: str | None = None) -> DataError:
        """The error of one example."""
        path, line = self.places[number]
        return DataError(problem, path=path, line=line, field=name)


@dataclass(frozen=True)
class Read:
    """What was read for a declared task."""

    splits: dict[str, Rows]
    #: sha256 of what was read, by `<split>/<name>`, and of what the declaration means.
    files: dict[str, str]
    revision: str | None = None
    notes: tuple[str, ...] = ()

    def loaded(self, splits: Mapping[str, datasets.Dataset], notes: tuple[str, ...] = ()) -> Loaded:
        """The canonical splits with their fingerprint."""
        return Loaded(dict(splits), self.files, self.revision, (*self.notes, *notes))


def read_declared(
    declaration: Declaration, source: SourceConfig, make: Callable[[Any], Row | None], *, header: bool = True
) -> Read:
    """Every split of a declared task, each record made an example by `make`, which leaves out what it gives None for.

    An example's `id` is its split and number unless `make` gives one, which is unique within the split. Raises
    DataError with file, line and field.
    """
    if declaration.hub is not None:
        return _read_hub(declaration, make, source.revision)
    folder = folder_of(declaration, source)
    found = {name: find_files(folder, name, patterns) for name, patterns in declaration.splits.items()}
    _require_apart(found)
    splits = {name: _collect(name, _records(files, header), make) for name, files in found.items()}
    hashes = {
        f"{split}/{name.removesuffix('.gz')}": content_sha256(path)
        for split, files in found.items()
        for name, path in files.items()
    }
    read = "; ".join(f"{split}: {', '.join(files)}"[:200] for split, files in found.items())
    return Read(splits, {**hashes, **_meaning(declaration)}, notes=(f"files of {folder}: {read}",))


def folder_of(declaration: Declaration, source: SourceConfig) -> Path:
    """Where the patterns of a declaration begin; ConfigError for a built-in one without a folder of official files."""
    if declaration.folder.is_absolute():
        return declaration.folder
    if source.kind != "local" or source.data_dir is None:
        raise ConfigError(
            f"task {declaration.task!r} is read from files in a folder: --data-dir DIR or $ATINUKE_DATA; "
            f"found source {source.kind!r}"
        )
    return source.data_dir / declaration.folder


def find_files(folder: Path, split: str, patterns: list[str]) -> dict[str, Path]:
    """The files of a split in order of name; DataError where a pattern fits none."""
    found: dict[str, Path] = {}
    for pattern in patterns:
        base, below = (Path("/"), pattern.lstrip("/")) if Path(pattern).is_absolute() else (folder, pattern)
        paths = [path for path in sorted(base.glob(below)) if path.is_file()]
        if not paths:
            names = [path.name for path in (base / below).parent.glob("*")] if (base / below).parent.is_dir() else []
            near = nearest(Path(below).name, names)
            raise DataError(
                f"splits.{split}: no file is named so; found {pattern!r}" + (f"; nearest: {near!r}" if near else ""),
                path=folder,
            )
        found |= {str(path.relative_to(base) if base == folder else path): path for path in paths}
    return dict(sorted(found.items()))


def _require_apart(found: Mapping[str, Mapping[str, Path]]) -> None:
    """DataError where a file belongs to two splits, so that what is learned would be tested."""
    owners: dict[Path, str] = {}
    for split, files in found.items():
        for path in files.values():
            real = path.resolve()
            if owners.setdefault(real, split) != split:
                raise DataError(f"a file is of one split; it is of {owners[real]} and of {split}", path=path)


def _records(files: Mapping[str, Path], header: bool) -> Iterator[tuple[Path | str, Numbered]]:
    for path in files.values():
        for numbered in read_table(path, header=header):
            yield path, numbered


def _collect(split: str, records: Iterator[tuple[Path | str, Numbered]], make: Callable[[Any], Row | None]) -> Rows:
    rows, seen = Rows(), dict[str, tuple[Path | str, int]]()
    for path, (line, record) in records:
        try:
            row = make(record)
        except DataError as error:
            raise DataError(str(error), path=path, line=line) from error
        if row is None:
            continue
        row = {"id": f"{split}-{len(rows)}", **row}
        if row["id"] in seen:
            other = ":".join(map(str, seen[row["id"]]))
            raise DataError(f"an id is of one example; {row['id']!r} is in {other} too", path=path, line=line)
        seen[row["id"]] = path, line
        rows.rows.append(row)
        rows.places.append((path, line))
    if not len(rows):
        raise DataError(f"split {split!r} has no example")
    return rows


def _read_hub(declaration: Declaration, make: Callable[[Any], Row | None], revision: str | None) -> Read:
    rows: dict[str, Rows] = {}

    def reader(raw: datasets.Dataset, split: str, where: str) -> Table:
        names = {name: kind for name, kind in raw.features.items() if isinstance(kind, datasets.ClassLabel)}
        records = (
            # A hidden label is -1, which has no name.
            {
                **record,
                **{
                    name: kind.names[record[name]] if (record[name] or 0) >= 0 else None for name, kind in names.items()
                },
            }
            for record in raw
        )
        rows[split] = _collect(split, ((where, numbered) for numbered in enumerate(records, start=1)), make)
        return Table({"id": [row["id"] for row in rows[split].rows]})

    splits = {name: patterns[0] for name, patterns in declaration.splits.items()}
    source = HubDataset(str(declaration.hub), declaration.config, splits, {}, declaration.revision, reader)
    loaded = load_hub(source, datasets.Features({"id": datasets.Value("string")}), revision)
    return Read(rows, {**loaded.files, **_meaning(declaration)}, loaded.revision)


def _class_name(kind: datasets.ClassLabel, number: int | None) -> str | None:
    """The name of a class; None where the label is hidden, of which the number is -1."""
    return None if number is None or number < 0 else kind.names[number]


def _meaning(declaration: Declaration) -> dict[str, str]:
    return {"declaration": sha256_json(declaration.meaning())}
