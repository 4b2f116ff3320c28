"""Answers to a table of the declared fields, in a file of ids and labels: what `score` reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from atinuke_bench.config import Declaration
from atinuke_bench.data.declared import Where, table_reader
from atinuke_bench.data.records import Fields, read_table
from atinuke_bench.errors import DataError, nearest
from atinuke_bench.metrics.metric import Metric
from atinuke_bench.sentences.files import join
from atinuke_bench.tasks.texts.data import known_labels
from atinuke_bench.training.capabilities import OfficialFiles

#: What a file of predictions may call the answer.
_ANSWERS = ("label", "prediction")


@dataclass(frozen=True)
class TextFiles(OfficialFiles):
    """Gold: a table of the declared fields. Predictions: a table of `id` and `label` (or `prediction`).

    Without a declared id, an example's id is its number in the file from 0, alone or at the end, as in `test-17`. A tsv
    or csv of predictions may lack the header, as what `predict` prints does.
    """

    declaration: Declaration
    metric: Metric

    def score(self, gold: Path, predictions: Path) -> dict[str, Any]:
        answers = join(self._gold(gold), self._predicted(predictions), str(predictions))
        return {**self.metric.measure(answers).figures, "total": len(answers)}

    def _gold(self, path: Path) -> dict[str, Any]:
        fields = Fields(self.declaration.fields, tuple(self.declaration.fields))
        found: dict[str, Any] = {}
        lines = []
        chosen = Where(self.declaration.where).of(dict)
        for line, record in table_reader(self.declaration, fields.has_header)(path):
            if chosen(record) is None:
                continue
            try:
                label = fields.label(record) if self._has_classes else fields.number(record)
                key = str(fields.label(record, "id")) if self._has_ids else str(len(found))
            except DataError as error:
                raise DataError(str(error), path=path, line=line) from error
            _require_new(key, found, path, line)
            found[key] = label
            lines.append(line)
        if self._has_classes:
            labels = known_labels(list(found.values()), self.declaration.labels)
            for line, label in zip(lines, labels, strict=True):
                self._require_listed(label, path, line)
            found = dict(zip(found, labels, strict=True))
        return found

    def _predicted(self, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for line, record in _answers(path):
            name = next((name for name in _ANSWERS if name in record), None)
            if "id" not in record or name is None:
                raise DataError(
                    f"an answer has id and label; found {', '.join(map(str, record))[:80]}", path=path, line=line
                )
            try:
                fields = Fields({}, ("id", name))
                answer = fields.label(record, name) if self._has_classes else fields.number(record, name)
                key = str(fields.label(record, "id"))
            except DataError as error:
                raise DataError(str(error), path=path, line=line) from error
            key = key if self._has_ids else key.rpartition("-")[2]
            _require_new(key, found, path, line)
            if answer is None:
                raise DataError("every example needs an answer; found none", path=path, line=line)
            self._require_listed(answer, path, line)
            found[key] = answer
        return found

    @property
    def _has_ids(self) -> bool:
        return "id" in self.declaration.fields

    @property
    def _has_classes(self) -> bool:
        return self.declaration.kind == "classification"

    def _require_listed(self, label: Any, path: Path, line: int) -> None:
        labels = self.declaration.labels
        if labels is not None and label is not None and label not in labels:
            near = nearest(str(label), labels)
            hint = f"nearest: {near!r}" if near else f"they are {', '.join(labels)[:200]}"
            raise DataError(f"a label is one of those listed; found {label!r:.60}; {hint}", path=path, line=line)


def _answers(path: Path) -> Iterator[tuple[int, dict[Any, Any]]]:
    if Path(path.name.removesuffix(".gz")).suffix.lower() not in (".csv", ".tsv"):
        yield from read_table(path)
        return
    names: tuple[Any, ...] = ("id", "label")
    for place, (line, record) in enumerate(read_table(path, header=False)):
        row = tuple(record.values())
        if place == 0 and "id" in row:
            names = row
            continue
        if len(row) != len(names):
            raise DataError(f"an answer is an id and a label; found {len(row)} columns", path=path, line=line)
        yield line, dict(zip(names, row, strict=True))


def _require_new(key: str, found: dict[str, Any], path: Path, line: int) -> None:
    if key in found:
        raise DataError(f"an id is of one example; found {key!r} twice", path=path, line=line)
