"""New examples for a trained run: lines in, checked fields out.

A line is one JSON object or, for tasks over sentences, the texts with tabs between them. A line that begins with a
brace and a quotation mark, as an object does, must be one: half an object is no text. Every error names the line and
the field.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from atinuke_bench.errors import DataError, nearest
from atinuke_bench.files import parse_json

Record = Mapping[str, Any]

_OBJECT = re.compile(r'\s*\{\s*("|\}\s*$)')


def read_records(lines: Iterable[str], path: str | Path, plain_fields: tuple[str, ...]) -> Iterator[tuple[int, Record]]:
    """Number and fields of every line that is not blank; DataError.

    >>> list(read_records(["A dog runs.\\tAn animal moves.\\n"], "-", ("sentence1", "sentence2")))
    [(1, {'sentence1': 'A dog runs.', 'sentence2': 'An animal moves.'})]
    """
    for number, line in enumerate(lines, start=1):
        text = line.rstrip("\r\n")
        if not text.strip():
            continue
        if _OBJECT.match(text) or (not plain_fields and text.lstrip().startswith("{")):
            yield number, _object(text, path, number, plain_fields)
        else:
            yield number, _split_at_tabs(text, path, number, plain_fields)


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
