"""Where a declared task of one text or two gets its examples: tables that a user brings, or a data set on the Hub."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

from datasets import Dataset, Features, Value

from atinuke_bench.config import Declaration, SourceConfig
from atinuke_bench.data.declared import Read, Row, Rows, read_declared, with_dev
from atinuke_bench.data.records import Fields
from atinuke_bench.data.sources import Loaded
from atinuke_bench.data.table import UNLABELLED, is_hidden
from atinuke_bench.errors import ConfigError, nearest
from atinuke_bench.sentences.data import SentenceData
from atinuke_bench.sentences.model import SentenceOptions
from atinuke_bench.training.slices import SLICE
from atinuke_bench.training.task import PairOptions

#: The names that the two texts of a pair may have in `fields`.
PAIRS = (("premise", "hypothesis"), ("sentence1", "sentence2"), ("question", "context"), ("text", "text2"))
_SINGLES = ("text", "sentence", "sentence1")
#: More labels than this, and most of them on one example, are no classes.
_MOST_RARE = 50


class TextOptions(SentenceOptions):
    """Pooling, and the labels that the train split has."""

    from_data = ("labels",)
    labels: tuple[str, ...] | None = None


class PairTextOptions(TextOptions, PairOptions):
    """The same of two texts, and which comes first."""


def text_fields(declaration: Declaration) -> tuple[str, ...]:
    """What the declaration calls its texts: two where it names any second one."""
    named = declaration.fields
    pair = next((pair for pair in PAIRS if pair[1] in named), None)
    return pair or (next((name for name in _SINGLES if name in named), "text"),)


@dataclass(frozen=True)
class TextData(SentenceData):
    """Columns `sentence1` and, for pairs, `sentence2`; `unit` names what examples share that depend on each other.

    Of each declared slice there is a column too. `labels` are empty until the data is read, where the declaration does
    not list them.
    """

    declaration: Declaration

    @property
    def options_class(self) -> type[TextOptions]:
        return PairTextOptions if self.is_pair else TextOptions

    @property
    def features(self) -> Features:
        text = Value("string")
        return Features({**super().features, "unit": text, **dict.fromkeys(self.slices.values(), text)})

    @property
    def slices(self) -> dict[str | int, str]:
        """The name of the column that holds each declared slice."""
        return {column: f"{SLICE}{column}" for column in self.declaration.slices}

    def load(self, source: SourceConfig, options: TextOptions) -> Loaded:
        declaration, names = self.declaration, text_fields(self.declaration)
        fields = Fields(declaration.fields, (*names, "label", "id", "unit"))
        parts = Fields({str(column): column for column in declaration.slices}, tuple(map(str, declaration.slices)))

        def make(record: dict[Any, Any]) -> Row:
            label_of = fields.number if self.labels is None else fields.label
            row = {
                **dict(zip(self.text_columns, (fields.text(record, name) for name in names), strict=True)),
                "label": label_of(record, "label") if fields.has(record, "label") else None,
            }
            if "id" in declaration.fields:
                row["id"] = fields.label(record, "id") or ""
            row["unit"] = (fields.label(record, "unit") or "") if "unit" in declaration.fields else row["sentence1"]
            for column, name in self.slices.items():
                row[name] = parts.label(record, str(column)) or ""
            return row

        read = read_declared(declaration, source, make, header=fields.has_header)
        if self.labels is None:
            splits = {split: self._scores(rows) for split, rows in read.splits.items()}
        else:
            for rows in read.splits.values():
                known = known_labels([row["label"] for row in rows.rows], declaration.labels)
                for row, label in zip(rows.rows, known, strict=True):
                    row["label"] = label
            labels = tuple(declaration.labels or options.labels or _labels_of(read))
            splits = {split: self._classes(rows, labels) for split, rows in read.splits.items()}
        return read.loaded(*with_dev(splits, "unit"))

    def resolve_options(self, options: TextOptions, loaded: Loaded) -> TextOptions:
        if self.labels is None:
            return options
        some = next(iter(loaded.splits.values()))
        return options.model_copy(update={"labels": tuple(some.features["label"].names)})

    def _scores(self, rows: Rows) -> Dataset:
        values = [math.nan if row["label"] is None else row["label"] for row in rows.rows]
        return self._dataset(rows, values, self.features)

    def _classes(self, rows: Rows, labels: tuple[str, ...]) -> Dataset:
        places = {label: place for place, label in enumerate(labels)}
        values = []
        for number, row in enumerate(rows.rows):
            label = row["label"]
            if label is not None and label not in places:
                near = nearest(label, labels)
                hint = f"nearest: {near!r}" if near else f"they are {', '.join(labels)[:200]}"
                rule = "a label is one of those listed" if self.declaration.labels else "a label is one that train has"
                raise rows.refuse(number, f"{rule}; found {label!r:.60}; {hint}", self._label_column)
            values.append(UNLABELLED if label is None else places[label])
        return self._dataset(rows, values, TextData(labels, self.is_pair, self.declaration).features)

    @property
    def _label_column(self) -> str:
        return str(self.declaration.fields.get("label", "label"))

    def _dataset(self, rows: Rows, labels: list[Any], features: Features) -> Dataset:
        columns = {name: [row[name] for row in rows.rows] for name in features if name != "label"}
        return Dataset.from_dict({**columns, "label": labels}, features=features)


def known_labels(labels: list[str | None], listed: list[str] | None) -> list[str | None]:
    """The labels of a split, None where an example has none.

    An empty one is none. What often says so (-1, ?, none) is a label of the user's, unless labels are listed without it
    or a split has nothing else, as a test set whose labels are hidden.

    >>> known_labels(["-1", "1", ""], None), known_labels(["-1", "-1"], None), known_labels(["-", "1"], ["0", "1"])
    (['-1', '1', None], [None, None], [None, '1'])
    """
    are_hidden = not set(labels) & set(listed or ()) and all(map(is_hidden, labels))
    hides = are_hidden or listed is not None
    return [None if not one or (hides and is_hidden(one) and one not in (listed or ())) else one for one in labels]


def _labels_of(read: Read) -> list[str]:
    """The labels that the train split has, in order; DataError where they are none of a classification."""
    train = read.splits.get("train")
    if train is None:
        raise ConfigError("labels are found in the train split, which is not declared; list them under `labels`")
    counts = Counter(row["label"] for row in train.rows if row["label"] is not None)
    if len(counts) < 2:
        found = f"only {next(iter(counts))!r}" if counts else "no label"
        raise train.refuse(0, f"train has at least two different labels; found {found}")
    if len(counts) > _MOST_RARE and 2 * len(counts) > sum(counts.values()):
        problem = f"train has {len(counts):,} different labels in {len(train):,} examples, too many for classes"
        raise train.refuse(0, f"{problem}; nearest: kind regression, or another field as label")
    return sorted(counts)
