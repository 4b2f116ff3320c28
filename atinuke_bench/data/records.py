"""Records of tables that users bring: csv, tsv, jsonl, json and parquet, each with its place for messages."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from atinuke_bench.data.table import HIDDEN
from atinuke_bench.data.text import read_bytes, read_lines, read_text, require_whole_text
from atinuke_bench.errors import DataError, first_line, nearest
from atinuke_bench.files import parse_json

#: A line or row number, and its fields by name; by number where the file has no header.
Numbered = tuple[int, dict[Any, Any]]
#: How files write that a number is not given; -1 is one.
HIDDEN_NUMBERS = frozenset(text for text in HIDDEN if not text.startswith("-1"))


def read_table(
    path: Path, *, header: bool = True, quotes: bool = True, form: str | None = None, within: str | None = None
) -> Iterator[Numbered]:
    """The records of a file, by the ending of its name (`.gz` after it accepted, but for parquet); DataError.

    csv and tsv are read as spreadsheets write them, with quotation marks around fields that need them; without
    `quotes` such marks are text like any other. `form` is an ending that takes the place of the file's own, and
    `within` the key of a JSON object whose value is the list.
    """
    ending = f".{form.lower().removeprefix('.')}" if form else Path(path.name.removesuffix(".gz")).suffix.lower()
    if ending not in _READERS:
        near = nearest(ending, _READERS)
        hint = f"nearest: {near!r}" if near else f"it is one of {', '.join(_READERS)}"
        raise DataError(f"a table's file is known by its ending; found {ending or 'none'!r}; {hint}", path=path)
    if within is not None:
        if ending != ".json":
            raise DataError(f"`within` is a key of a .json file; found {ending}", path=path)
        return _json_list(path, header, quotes, within)
    return _READERS[ending](path, header, quotes)


def table_endings() -> tuple[str, ...]:
    """The endings of files that `read_table` reads."""
    return tuple(_READERS)


def _delimited(delimiter: str) -> Callable[[Path, bool, bool], Iterator[Numbered]]:
    def read(path: Path, header: bool, quotes: bool) -> Iterator[Numbered]:
        text = io.StringIO(read_text(path), newline="")
        rows = csv.reader(
            text, delimiter=delimiter, strict=True, quoting=csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE
        )
        names: list[Any] | None = None
        # A field may span lines; a row is named by its first.
        last = 0
        while True:
            try:
                row = next(rows, None)
            except csv.Error as error:
                raise DataError(f"cannot be read as a table ({error})", path=path, line=last + 1) from error
            if row is None:
                return
            line, last = last + 1, rows.line_num
            if not row:
                continue
            if names is None:
                names = _header(path, line, row) if header else list(range(len(row)))
                if header:
                    continue
            if len(row) != len(names):
                problem = f"every row has as many columns as the first, {len(names)}; found {len(row)}"
                raise DataError(problem, path=path, line=line)
            yield line, dict(zip(names, row, strict=True))

    return read


def _header(path: Path, line: int, row: list[str]) -> list[str]:
    if len(set(row)) < len(row):
        twice = next(name for place, name in enumerate(row) if name in row[:place])
        raise DataError(f"the header names each column once; found {twice!r} twice", path=path, line=line)
    return row


def _json_lines(path: Path, header: bool, quotes: bool) -> Iterator[Numbered]:
    for line, text in read_lines(path):
        if text.strip():
            yield line, _object(_json(path, text, line), path, line)


def _json_list(path: Path, header: bool, quotes: bool, within: str | None = None) -> Iterator[Numbered]:
    records = _json(path, read_text(path), None)
    if within is not None:
        found = _object(records, path, None)
        if within not in found:
            near = nearest(within, found)
            hint = f"nearest: {near!r}" if near else f"found {', '.join(found)[:200]}"
            raise DataError(f"no such key; {hint}", path=path, field=within)
        records = found[within]
    if not isinstance(records, list):
        rule = "a .json file of examples is a list of objects; one object a line is .jsonl"
        hint = "" if within or not isinstance(records, dict) else "; `within` names the key that a list lies under"
        raise DataError(rule + hint, path=path, field=within)
    for number, record in enumerate(records, start=1):
        yield number, _object(record, path, number)


def _json(path: Path, text: str, line: int | None) -> Any:
    try:
        return parse_json(text)
    except ValueError as error:
        raise DataError(f"not JSON ({first_line(error)})", path=path, line=line) from error


def _object(record: Any, path: Path, line: int | None) -> dict[Any, Any]:
    if not isinstance(record, dict):
        raise DataError(f"an example is a JSON object; found {str(record)[:40]!r}", path=path, line=line)
    require_whole_text(record, path=path, line=line)
    return record


def _parquet(path: Path, header: bool, quotes: bool) -> Iterator[Numbered]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(read_bytes(path)))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(f"not a readable parquet file ({first_line(error)})", path=path) from error
    yield from enumerate(table.to_pylist(), start=1)


_READERS: dict[str, Callable[[Path, bool, bool], Iterator[Numbered]]] = {
    ".csv": _delimited(","),
    ".tsv": _delimited("\t"),
    ".jsonl": _json_lines,
    ".json": _json_list,
    ".parquet": _parquet,
}


class Fields:
    """The fields of a declared task, each looked up in a record under the name that the data has for it."""

    def __init__(self, named: Mapping[str, str | int | list[str | int]], known: tuple[str, ...]) -> None:
        for field in named:
            if field not in known:
                near = nearest(field, known)
                hint = f"nearest: {near!r}" if near else f"it has {', '.join(known)}"
                raise DataError(f"this kind of task has no such field; {hint}", field=f"fields.{field}")
        self.named = named

    def columns(self, field: str) -> list[str | int]:
        """What the data calls a field: one column, or several."""
        column = self.named.get(field, field)
        return column if isinstance(column, list) else [column]

    @property
    def has_header(self) -> bool:
        """False where columns are given by number."""
        return not any(isinstance(column, int) for field in self.named for column in self.columns(field))

    def has(self, record: dict[Any, Any], field: str) -> bool:
        """Whether a record has a field, which need not be declared."""
        return field in self.named or field in record

    def value(self, record: dict[Any, Any], field: str) -> Any:
        """The value of a field of one column; DataError where the record has none."""
        (column, *more) = self.columns(field)
        if more:
            raise DataError("is one column; found several", field=f"fields.{field}")
        return self._value(record, field, column)

    def texts(self, record: dict[Any, Any], field: str) -> list[str]:
        """Texts, from a column that holds a list or from several columns, the last of which may be empty; DataError."""
        columns = self.columns(field)
        values = [self._value(record, field, column) for column in columns]
        if len(columns) == 1:
            values = values[0] if isinstance(values[0], list) else [None]
        while len(columns) > 1 and values and values[-1] in (None, ""):
            values.pop()
        if not all(isinstance(value, str) for value in values):
            rule = "must be a list of texts, or several columns of one text each"
            found = record[columns[0]] if len(columns) == 1 else values
            raise DataError(f"{rule}; found {found!r:.60}", field=", ".join(map(str, columns)))
        return values

    @staticmethod
    def _value(record: dict[Any, Any], field: str, column: str | int) -> Any:
        if column not in record:
            near = nearest(str(column), map(str, record))
            hint = f"nearest: {near!r}" if near else f"found {', '.join(map(str, record))[:200]}"
            raise DataError(f"no such field; {hint}; `fields` says how the data calls {field!r}", field=str(column))
        return record[column]

    def text(self, record: dict[Any, Any], field: str) -> str:
        """A text; DataError for anything else."""
        value = self.value(record, field)
        if not isinstance(value, str):
            found = "nothing" if value is None else repr(value)[:60]
            raise DataError(f"must be a text; found {found}", field=str(self.named.get(field, field)))
        return value

    def label(self, record: dict[Any, Any], field: str = "label") -> str | None:
        """A label as text, None where it is not given; DataError for what is no text, whole number, true or false.

        >>> Fields({}, ("label",)).label({"label": 1}), Fields({}, ("label",)).label({"label": True})
        ('1', 'true')
        """
        value = self.value(record, field)
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if value is None or isinstance(value, str | int):
            return None if value is None else str(value)
        found = repr(value)[:60]
        raise DataError(f"a label is a text or a whole number; found {found}", field=str(self.named.get(field, field)))

    def number(self, record: dict[Any, Any], field: str = "label") -> float | None:
        """A number, None where it is not given; DataError for anything else.

        >>> Fields({}, ("label",)).number({"label": "-1"}), Fields({}, ("label",)).number({"label": "?"})
        (-1.0, None)
        """
        value = self.value(record, field)
        if value is None or (isinstance(value, str) and value.strip().lower() in HIDDEN_NUMBERS):
            return None
        try:
            number = math.inf if isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            number = math.inf
        if math.isinf(number):
            name = str(self.named.get(field, field))
            raise DataError(f"a score is a number; found {repr(value)[:60]}", field=name)
        return None if math.isnan(number) else number
