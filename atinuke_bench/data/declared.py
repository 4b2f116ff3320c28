"""The examples of a declared task: files found by their patterns, or the Hub's copy, read one record at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import datasets

from atinuke_bench import registry
from atinuke_bench.config import Declaration, SourceConfig, files_that_fit
from atinuke_bench.data.addresses import where_from
from atinuke_bench.data.hold_out import hold_out
from atinuke_bench.data.records import Numbered, read_table, table_endings
from atinuke_bench.data.sources import HubDataset, Loaded, load_hub
from atinuke_bench.data.split_files import SplitFiles
from atinuke_bench.data.table import Table
from atinuke_bench.errors import ConfigError, DataError, MissingDataError, nearest
from atinuke_bench.files import sha256_json

Row = dict[str, Any]
#: Gives the records of a file, each with its line or number.
Reader = Callable[[Path], Iterator[Numbered]]
#: Of fewer examples none are cut off.
_FEWEST_TO_CUT = 4


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
    declaration: Declaration,
    source: SourceConfig,
    make: Callable[[Any], Row | None],
    *,
    header: bool = True,
    read: Reader | None = None,
) -> Read:
    """Every split of a declared task, each record made an example by `make`, which leaves out what it gives None for.

    `read` gives the records of a file where they are no table's. An example's `id` is its split and number unless
    `make` gives one, which is unique within the split. Raises DataError with file, line and field.
    """
    if declaration.reader is not None:
        read = registry.load_reader(declaration.reader)
    read = read or table_reader(declaration, header)
    where = Where(declaration.where)
    chosen = where.of(make)
    if declaration.hub is not None:
        place, found = Path(declaration.hub), _read_hub(declaration, chosen, source.revision)
    else:
        files = declared_files(declaration, source, table_endings())
        splits = {name: _collect(name, _records(own, read), chosen) for name, own in files.splits.items()}
        place, found = files.folder, Read(splits, files.fingerprints() | meaning_of(declaration), notes=files.notes())
    where.require_met(place)
    for split, rows in found.splits.items():
        if not len(rows):
            raise DataError(f"split {split!r} has no example", path=place)
    return found


def table_reader(declaration: Declaration, header: bool) -> Reader:
    """What reads the records of a table as a declaration says."""
    return partial(
        read_table, header=header, quotes=declaration.quotes, form=declaration.format, within=declaration.within
    )


def declared_files(
    declaration: Declaration,
    source: SourceConfig,
    endings: Sequence[str],
    prefer: Callable[[Sequence[str]], Sequence[str]] | None = None,
) -> SplitFiles:
    """The files of every split of a declared task; DataError where a pattern fits none, or a file is of two splits.

    Where a pattern names a folder, the files below it with one of the endings are read, those of them that `prefer`
    picks. ConfigError for a data set on the Hub.
    """
    if declaration.hub is not None:
        raise ConfigError(f"kind {declaration.kind} is read from files; found hub: {declaration.hub}; nearest: splits")
    folder = folder_of(declaration, source)
    found = {name: _find(folder, name, own, endings, prefer) for name, own in declaration.splits.items()}
    owners: dict[Path, str] = {}
    for split, files in found.items():
        for name, path in files.items():
            # What is learned would be tested.
            if owners.setdefault(path.resolve(), split) != split:
                raise DataError(f"a file is of one split; it is of {owners[path.resolve()]} and of {split}", path=path)
            if f"{name}.gz" in files:
                raise DataError(f"{name}.gz is this file, packed; both are of {split}; nearest: one of them", path=path)
        found[split] = {name.removesuffix(".gz"): path for name, path in files.items()}
    return SplitFiles(folder, found, {}, (), {})


Splits = dict[str, datasets.Dataset]


def with_dev(splits: Splits, group: str | None) -> tuple[Splits, tuple[str, ...]]:
    """The splits, of which dev is cut from train where there is nothing to report on, and a note of what was cut.

    Examples with the same value in the column `group` stay together.
    """
    if set(splits) != {"train"} or len(splits["train"]) < _FEWEST_TO_CUT:
        return splits, ()
    train = splits["train"]
    cut = hold_out(len(train), 0.1, 2000, None if group is None else train[group][:])
    note = f"no dev or test split is declared: {len(cut.held_out):,} of {len(train):,} examples of train are dev"
    return {"train": train.select(cut.train), "dev": train.select(cut.held_out)}, (note,)


class Where:
    """The rows that a declaration's `where` leaves."""

    def __init__(self, wanted: Mapping[str, str]) -> None:
        self.wanted = wanted
        self.found: dict[str, set[str]] = {name: set() for name in wanted}
        self.names: set[str] = set()

    def of(self, make: Callable[[Any], Row | None]) -> Callable[[Any], Row | None]:
        """What makes an example of a record, and none of those that are not wanted."""
        return (lambda record: make(record) if self._keeps(record) else None) if self.wanted else make

    def _keeps(self, record: dict[Any, Any]) -> bool:
        self.names.update(map(str, record))
        keeps = True
        for name, value in self.wanted.items():
            if name in record:
                self.found[name].add(str(record[name])[:40])
                keeps = keeps and str(record[name]) == value
        return keeps

    def require_met(self, where: Path | str) -> None:
        """DataError for a field that no file has, or a value that no row has."""
        for name, value in self.wanted.items():
            values = self.found[name]
            if values and value not in values:
                found = ", ".join(sorted(values))[:200]
                raise DataError(f"no row has this value; found {found}", path=where, field=f"where.{name}")
            if not values:
                near = nearest(name, self.names)
                hint = f"nearest: {near!r}" if near else f"found {', '.join(sorted(self.names))[:200]}"
                raise DataError(f"no file has this field; {hint}", path=where, field=f"where.{name}")


def folder_of(declaration: Declaration, source: SourceConfig) -> Path:
    """Where the patterns of a declaration begin; ConfigError for a built-in one without a folder of official files."""
    if declaration.folder.is_absolute():
        return declaration.folder
    if source.kind != "local" or source.data_dir is None:
        raise ConfigError(
            f"task {declaration.name!r} is read from files in a folder: --data-dir DIR or $ATINUKE_DATA; "
            f"found source {source.kind!r}{where_from(declaration.task)}"
        )
    inside = source.data_dir / declaration.folder
    return inside if inside.is_dir() else source.data_dir


def _find(
    folder: Path,
    split: str,
    patterns: Sequence[str],
    endings: Sequence[str],
    prefer: Callable[[Sequence[str]], Sequence[str]] | None,
) -> dict[str, Path]:
    """The files of a split in order of name, by their paths below the folder."""
    found: dict[str, Path] = {}
    for pattern in patterns:
        places = files_that_fit(folder, pattern)
        folders = [path for path in places if path.is_dir()]
        paths = [path for path in places if path.is_file()]
        paths = paths or [path for place in folders for path in _files_below(place, endings, prefer)]
        if not paths:
            beside = files_that_fit(folder, str(Path(pattern).parent / "*"))
            near = nearest(Path(pattern).name, [path.name for path in beside])
            why = f"no file in it ends in {' or '.join(endings)}" if folders else "no file is named so"
            hint = f"; nearest: {near!r}" if near and not folders else ""
            raise MissingDataError(f"splits.{split}: {why}; found {pattern!r:.120}{hint}", path=folder)
        is_absolute = Path(pattern).is_absolute()
        found |= {str(path if is_absolute else path.relative_to(folder)): path for path in paths}
    return dict(sorted(found.items()))


def _files_below(
    folder: Path, endings: Sequence[str], prefer: Callable[[Sequence[str]], Sequence[str]] | None
) -> list[Path]:
    """The files below a folder with one of the endings, packed or not; a plain one has precedence over its `.gz`."""
    paths = [path for path in sorted(folder.rglob("*"), reverse=True) if path.is_file()]
    named = {str(path).removesuffix(".gz"): path for path in paths}
    fitting = [name for name in named if name.endswith(tuple(endings))]
    return [named[name] for name in (prefer(fitting) if prefer and fitting else fitting)]


def _records(files: Mapping[str, Path], read: Reader) -> Iterator[tuple[Path | str, Numbered]]:
    for path in files.values():
        for numbered in read(path):
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
    return rows


def _read_hub(declaration: Declaration, make: Callable[[Any], Row | None], revision: str | None) -> Read:
    rows: dict[str, Rows] = {}

    def reader(raw: datasets.Dataset, split: str, where: str) -> Table:
        records = ({name: _named(raw.features[name], value) for name, value in record.items()} for record in raw)
        rows[split] = _collect(split, ((where, numbered) for numbered in enumerate(records, start=1)), make)
        return Table({"id": [row["id"] for row in rows[split].rows]})

    splits = {name: patterns[0] for name, patterns in declaration.splits.items()}
    source = HubDataset(str(declaration.hub), declaration.config, splits, {}, declaration.revision, reader)
    loaded = load_hub(source, datasets.Features({"id": datasets.Value("string")}), revision)
    return Read(rows, {**loaded.files, **meaning_of(declaration)}, loaded.revision)


def _named(kind: Any, value: Any) -> Any:
    """A value with the names of its classes, also of a list of them; a hidden label, which is -1, is None.

    >>> classes = datasets.ClassLabel(names=["O", "B-PER"])
    >>> _named(classes, 1), _named(classes, -1), _named(datasets.List(classes), [0, 1, None]), _named(None, "Ada")
    ('B-PER', None, ['O', 'B-PER', None], 'Ada')
    """
    if isinstance(kind, datasets.List) and isinstance(kind.feature, datasets.ClassLabel) and value is not None:
        return [_named(kind.feature, one) for one in value]
    if isinstance(kind, datasets.ClassLabel):
        return None if value is None or value < 0 else kind.names[value]
    return value


def meaning_of(declaration: Declaration) -> dict[str, str]:
    """What a declaration means, as a part of the fingerprint of its data."""
    return {"declaration": sha256_json(declaration.meaning())}
