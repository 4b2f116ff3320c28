"""New examples for a trained run: lines in, checked fields out.

A line is one JSON object or, for tasks over sentences, the texts with tabs between them. A line that begins with a
brace and a quotation mark, as an object does, must be one: half an object is no text. A first line that names the
task's fields is a header, and columns go by its names; a .csv file has one. Every error names the line and the field.
"""

from __future__ import annotations

import csv
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from atinuke_bench.errors import DataError, nearest
from atinuke_bench.files import parse_json

Record = Mapping[str, Any]

_OBJECT = re.compile(r'\s*\{\s*("|\}\s*$)')


def read_records(
    lines: Iterable[str],
    path: str | Path,
    plain_fields: tuple[str, ...],
    names: Mapping[str, tuple[str, ...]] | None = None,
    *,
    quotes: bool | None = None,
) -> Iterator[tuple[int, Record]]:
    """Number and fields of every example, blank lines left out; DataError.

    `names` are those that a column may have for each of the plain fields, numbers where files have no header;
    `quotes` says whether tables put quotation marks around fields that need them; csv files do unless it says no, and
    tables with tabs where it says yes.

    >>> list(read_records(["A dog runs.\\tAn animal moves.\\n"], "-", ("sentence1", "sentence2")))
    [(1, {'sentence1': 'A dog runs.', 'sentence2': 'An animal moves.'})]
    >>> list(read_records(["id,text\\n", 'a,"Fresh, and cheap"\\n'], "new.csv", ("text",)))
    [(2, {'id': 'a', 'text': 'Fresh, and cheap'})]
    """
    names = names or {field: (field,) for field in plain_fields}
    if plain_fields and str(path).lower().endswith(".csv"):
        yield from _table(lines, path, names, ",", quotes=quotes is not False)
        return
    is_first = True
    lines = iter(lines)
    for number, line in enumerate(lines, start=1):
        text = line.rstrip("\r\n")
        if not text.strip():
            continue
        if is_first and _names_fields(text.split("\t"), names):
            yield from _table(itertools.chain([line], lines), path, names, "\t", quotes=bool(quotes), first=number)
            return
        is_first = False
        if _OBJECT.match(text) or (not plain_fields and text.lstrip().startswith("{")):
            yield number, _object(text, path, number, plain_fields)
        else:
            yield number, _split_at_tabs(text, path, number, plain_fields)


def _names_fields(cells: Sequence[str], names: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether a line is a header: one of its cells is the name of a field, and no other line would have such a cell."""
    return any(cell.strip() in own for cell in cells for own in names.values() if not own[-1].isdigit())


def _table(
    lines: Iterable[str],
    path: str | Path,
    names: Mapping[str, tuple[str, ...]],
    delimiter: str,
    *,
    quotes: bool,
    first: int = 1,
) -> Iterator[tuple[int, Record]]:
    """The rows of a table, by the names in its header; columns are numbers where the task's files have none."""
    rows = csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE, strict=True)
    header: list[str] | None = None
    number = first  # a field may span lines; a row is named by its first
    while True:
        try:
            row = next(rows, None)
        except csv.Error as error:
            raise DataError(f"cannot be read as a table ({error})", path=path, line=number) from error
        if row is None:
            return
        line, number = number, first + rows.line_num
        if not any(cell.strip() for cell in row):
            continue
        if header is None:
            if not _names_fields(row, names) and all(own[-1].isdigit() for own in names.values()):
                header = list(map(str, range(len(row))))
            else:
                header = _checked_header([cell.strip() for cell in row], names, path, line)
                continue
        if len(row) != len(header):
            rule = f"every row has as many columns as the first, {len(header)}"
            raise DataError(f"{rule}; found {len(row)}", path=path, line=line)
        yield line, dict(zip(header, row, strict=True))


def _checked_header(header: list[str], names: Mapping[str, tuple[str, ...]], path: str | Path, line: int) -> list[str]:
    """The header itself where it has a column for each field, once; DataError."""
    for field, own in names.items():
        if len(given := [name for name in header if name in own]) == 1:
            continue
        if given:
            raise DataError(f"the header has it {len(given)} times", path=path, line=line, field=field)
        near = next(filter(None, (nearest(name, header) for name in own)), None)
        also = "".join(f" or {name}" for name in own[1:] if name != own[0])
        hint = f"nearest: {near!r}" if near else f"found {excerpt(header)}"
        raise DataError(f"no column of the header is called {own[0]}{also}; {hint}", path=path, line=line)
    return header


def text_of(record: Record, field: str) -> str:
    """A text; DataError when it is missing or of another type.

    >>> text_of({"sentence": "A dog."}, "sentence1")
    Traceback (most recent call last):
    atinuke_bench.errors.DataError: sentence1: missing; nearest: 'sentence'
    """
    value = _value(record, field)
    if not isinstance(value, str):
        raise DataError(f"must be a text; found {excerpt(value)}", field=field)
    return value


def words_of(record: Record, field: str) -> list[str]:
    """Words: a list of texts, or one text whose words are parted by spaces; at least one.

    >>> words_of({"words": "Ada sleeps ."}, "words")
    ['Ada', 'sleeps', '.']
    """
    return as_words(_value(record, field), field)


def as_words(value: Any, field: str) -> list[str]:
    words = value.split() if isinstance(value, str) else value
    if not isinstance(words, list) or not words or not all(isinstance(word, str) and word for word in words):
        raise DataError(f"must be words, as a list or parted by spaces; found {excerpt(value)}", field=field)
    return words


def place_of(value: Any, field: str, num_places: int) -> int:
    """A word's number, counted from 0."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < num_places:
        raise DataError(f"must be the number of a word, 0 to {num_places - 1}; found {excerpt(value)}", field=field)
    return value


def _value(record: Record, field: str) -> Any:
    if field not in record:
        near = nearest(field, record)
        raise DataError("missing" + (f"; nearest: {near!r}" if near else ""), field=field)
    return record[field]


def _object(text: str, path: str | Path, number: int, plain_fields: tuple[str, ...]) -> Record:
    try:
        record = parse_json(text)
    except ValueError as error:
        problem = f"must be one JSON object a line ({error})"
        if plain_fields:
            problem += f"; a text that begins like one is given as JSON, with {', '.join(plain_fields)}"
        raise DataError(problem, path=path, line=number) from error
    assert isinstance(record, dict), "a JSON text that begins with a brace is an object"
    return record


def _split_at_tabs(text: str, path: str | Path, number: int, fields: tuple[str, ...]) -> Record:
    values = text.split("\t")
    if not fields:
        raise DataError(f"must be one JSON object a line; found {excerpt(text)}", path=path, line=number)
    if len(values) != len(fields):
        rule = f"a line is a JSON object, or {len(fields)} texts parted by a tab ({', '.join(fields)})"
        raise DataError(f"{rule}; found {len(values)}", path=path, line=number)
    return dict(zip(fields, values, strict=True))


def excerpt(value: Any) -> str:
    """A value as a message shows it, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."
