"""SNLI: the official jsonl files, and prediction files for them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from atinuke_bench.data.table import UNLABELLED, Table, is_hidden
from atinuke_bench.data.text import find_copies, read_lines, require_file, require_whole_text
from atinuke_bench.errors import DataError, nearest
from atinuke_bench.files import parse_json
from atinuke_bench.sentences.files import score_aligned
from atinuke_bench.tasks.snli.metric import METRICS
from atinuke_bench.training.capabilities import OfficialFiles

LABELS = ("entailment", "neutral", "contradiction")
#: The gold label of a pair on which no three of its five annotators agreed.
NO_CONSENSUS = "-"

FOLDERS = ("snli", "snli_1.0", "SNLI", ".")
FILES = {split: (f"snli_1.0_{split}.jsonl",) for split in ("train", "dev", "test")}


class SnliFiles(OfficialFiles):
    """An official jsonl file as gold, and predictions by pairID."""

    def score(self, gold: Path, predictions: Path) -> dict[str, Any]:
        columns = read_snli(gold).columns
        truth = dict(zip(columns["id"], columns["label"], strict=True))
        answers = read_snli_predictions(predictions)
        return score_aligned(METRICS["snli"][0], LABELS, truth, answers, where=str(predictions))


def find_snli_files(data_dir: str | Path, split: str) -> list[Path]:
    """The official files of `split` under `data_dir`, plain or `.gz`; the first is the one to read."""
    return find_copies([Path(data_dir) / folder for folder in FOLDERS], FILES[split])


def require_snli_file(data_dir: str | Path, split: str) -> Path:
    """The official file of `split`; DataError when there is none."""
    found = find_snli_files(data_dir, split)
    return found[0] if found else require_file(Path(data_dir) / FOLDERS[0], *FILES[split])


def read_snli(path: str | Path, *, needs_label: bool = True) -> Table:
    """The pairs of an official jsonl file; the id is `pairID`.

    Pairs without a consensus (`-`) or with a hidden label are kept, with label -1 and a note of how many there are;
    unless `needs_label`, the field may be missing. Raises DataError, naming line and field, for a line that is no JSON
    object, a missing field, an unknown label or a repeated pairID.
    """
    columns: dict[str, list[Any]] = {"id": [], "sentence1": [], "sentence2": [], "label": []}
    lines: dict[str, int] = {}
    num_without = 0
    for line, record in _records(path):
        identifier = _require_text(path, line, record, "pairID")
        _require_new(path, line, identifier, lines)
        given = record.get("gold_label")
        is_given = not is_hidden(given) or (needs_label and "gold_label" not in record)
        num_without += given == NO_CONSENSUS
        columns["id"].append(identifier)
        columns["sentence1"].append(_require_text(path, line, record, "sentence1"))
        columns["sentence2"].append(_require_text(path, line, record, "sentence2"))
        label = _require_text(path, line, record, "gold_label") if is_given else ""
        columns["label"].append(_label(path, line, label, "gold_label") if is_given else UNLABELLED)
    notes = [f"{num_without} pairs have no consensus label ('-')"] if num_without else []
    num_hidden = columns["label"].count(UNLABELLED) - num_without
    if 0 < num_hidden < len(columns["label"]):
        notes.append(f"{num_hidden} of {len(columns['label'])} pairs have no label")
    return Table(columns, tuple(notes))


def read_snli_predictions(path: str | Path) -> dict[str, int]:
    """Predicted label of each pairID.

    The file is jsonl with the fields `pairID` and `prediction` (or `gold_label`), or two tab-separated columns, pairID
    and label, with or without a header. Raises DataError for an unknown label or a repeated pairID.
    """
    predictions: dict[str, int] = {}
    lines: dict[str, int] = {}
    for line, identifier, label, field in _prediction_rows(path):
        _require_new(path, line, identifier, lines)
        predictions[identifier] = _label(path, line, label, field)
    if not predictions:
        raise DataError("holds no prediction", path=path)
    return predictions


def _prediction_rows(path: str | Path) -> Iterator[tuple[int, str, str, str]]:
    """Line, pairID, label and the name of the label's field."""
    _, first = next((number, line) for number, line in read_lines(path) if line.strip())
    if first.lstrip().startswith("{"):
        for line, record in _records(path):
            field = "prediction" if "prediction" in record else "gold_label"
            yield line, _require_text(path, line, record, "pairID"), _require_text(path, line, record, field), field
        return
    for line, text in read_lines(path):
        fields = text.split("\t")
        if not text or fields[0] in ("pairID", "index"):
            continue
        if len(fields) != 2:
            rule = "a prediction is a line of pairID and label, tab separated"
            raise DataError(f"{rule}; found {len(fields)} fields, expected 2", path=path, line=line)
        yield line, fields[0], fields[1], "label"


def _records(path: str | Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for line, text in read_lines(path):
        if not text.strip():
            continue
        try:
            record = parse_json(text)
        except json.JSONDecodeError as error:
            raise DataError(f"not JSON ({error.msg}, column {error.colno})", path=path, line=line) from error
        except ValueError as error:
            raise DataError(f"not JSON ({error})", path=path, line=line) from error
        if not isinstance(record, dict):
            raise DataError(f"each line is a JSON object; found {text[:40]!r}", path=path, line=line)
        yield line, record


def _require_text(path: str | Path, line: int, record: dict[str, Any], field: str) -> str:
    value = record.get(field)
    if isinstance(value, str):
        require_whole_text(value, field, path=path, line=line)
        return value
    if field in record:
        raise DataError(f"must be text; found {value!r}", path=path, line=line, field=field)
    near = nearest(field, record)
    hint = f"nearest: {near!r}" if near is not None else f"found {', '.join(record) or 'none'}"
    raise DataError(f"field is missing; {hint}", path=path, line=line, field=field)


def _label(path: str | Path, line: int, label: str, field: str) -> int:
    if label in LABELS:
        return LABELS.index(label)
    near = nearest(label, LABELS)
    hint = f"nearest: {near!r}" if near is not None else f"the labels are {', '.join(LABELS)}"
    raise DataError(f"unknown label {label!r}; {hint}", path=path, line=line, field=field)


def _require_new(path: str | Path, line: int, identifier: str, lines: dict[str, int]) -> None:
    if identifier in lines:
        problem = f"must be unique; {identifier!r} is also on line {lines[identifier]}"
        raise DataError(problem, path=path, line=line, field="pairID")
    lines[identifier] = line
