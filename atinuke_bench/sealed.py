"""Records that carry the checksum of all they say, by which a changed one is known: results, and lines of histories."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from atinuke_bench.files import finite, parse_json

_CHECKSUM = "sha256"


def sealed(result: dict[str, Any]) -> dict[str, Any]:
    """A result with the checksum of all it says, by which a changed one is known."""
    return {**result, _CHECKSUM: _digest(finite(result))}


def unsealed(record: dict[str, Any]) -> bool:
    """Take the checksum out of a record; whether it is that of the rest, or absent as in those of older versions."""
    return record.pop(_CHECKSUM, None) in (None, _digest(record))


def history_lines(records: Iterable[dict[str, Any]]) -> list[str]:
    """Records of epochs as lines of JSON, each with the checksum of its record."""
    return [json.dumps({**record, _CHECKSUM: _digest(record)}) for record in records]


def parse_history(lines: Iterable[bytes | str]) -> tuple[list[dict[str, Any]], str | None]:
    """The records of lines, up to the first one that is not as it was written, and what is wrong with that one.

    Lines of versions that wrote no checksum are taken as they are, where all their numbers are numbers.

    >>> parse_history([*history_lines([{"epoch": 0, "score": 60.5}]), '{"epoch": 1, "score": 99.9, "sha256": "f7"}'])
    ([{'epoch': 0, 'score': 60.5}], 'line 2 is not as it was written (its checksum differs)')
    """
    records: list[dict[str, Any]] = []
    for number, line in enumerate(lines, start=1):
        try:
            record = parse_json(line, has_nan=True)
        except ValueError as error:
            return records, f"line {number} is not JSON ({error})"
        if not isinstance(record, dict) or record.get("epoch") != number - 1:
            return records, f"line {number} is not the record of epoch {number - 1}"
        if not isinstance(record.get("score"), int | float | None):
            return records, f"line {number} has a score that is no number"
        is_sealed = _CHECKSUM in record
        if not unsealed(record):
            return records, f"line {number} is not as it was written (its checksum differs)"
        if not is_sealed and not _is_finite(record):
            return records, f"line {number} has a number that is none, and no checksum"
        records.append(record)
    return records, None


def _is_finite(record: dict[str, Any]) -> bool:
    # NaN is not even itself.
    return bool(record == finite(record))


def _digest(record: dict[str, Any]) -> str:
    # As it is read back: a record may have numpy's numbers, tuples, and numbers that are not finite.
    text = json.dumps(json.loads(json.dumps(record)), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
