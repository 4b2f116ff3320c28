"""Questions with choices: where the examples of a declared task come from, and how they become rows of a core."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import numpy as np
from datasets import Dataset, Features, List, Value
from tokenizers import Tokenizer

from atinuke_bench.config import Declaration, RunConfig, SourceConfig
from atinuke_bench.data.declared import Row, read_declared, with_dev
from atinuke_bench.data.features import INPUT_LENGTHS, Encoded, Ragged
from atinuke_bench.data.records import Fields
from atinuke_bench.data.sources import Loaded
from atinuke_bench.data.tokenizer import PAD_ID, encode_ids, plain, special_tokens, unique_texts
from atinuke_bench.errors import DataError
from atinuke_bench.sentences.model import SentenceOptions
from atinuke_bench.tasks.choice.answers import given_answers, resolve_answers
from atinuke_bench.tasks.choice.rows import build_row, texts_of
from atinuke_bench.training.task import TaskData

#: The fields of an example that are texts; it has one of them or both.
TEXTS = ("context", "question")
FEATURES = Features(
    {
        "id": Value("string"),
        "context": Value("string"),  # empty where there is none
        "question": Value("string"),  # empty where there is none
        "choices": List(Value("string")),
        "answers": List(Value("string")),  # the choices that are right, by their texts; none where that is not known
        "unit": Value("string"),
    }
)


@dataclass(frozen=True)
class ChoiceData(TaskData):
    """An example has a context, a question or both, and two choices or more, of which one or several are right.

    `unit` names what examples share that depend on each other: the context, or else the question, unless declared.
    """

    declaration: Declaration

    @property
    def example_columns(self) -> tuple[str, ...]:
        return (*TEXTS, "choices")

    @property
    def texts_declared(self) -> tuple[str, ...]:
        """Which of the texts the examples have."""
        return tuple(name for name in TEXTS if name in self.declaration.fields) or TEXTS[:1]

    def load(self, source: SourceConfig, options: SentenceOptions) -> Loaded:
        fields = Fields(self.declaration.fields, (*TEXTS, "choices", "answer", "id", "unit"))

        def make(record: dict[Any, Any]) -> Row:
            texts = {name: fields.text(record, name) for name in self.texts_declared}
            choices = fields.texts(record, "choices")
            if len(choices) < 2:
                column = ", ".join(map(str, fields.columns("choices")))
                raise DataError(f"an example has two choices or more; found {len(choices)}", field=column)
            if not any(texts.values()):
                raise DataError(f"an example has a text; found none in {' and '.join(self.texts_declared)}")
            answer = fields.value(record, "answer") if fields.has(record, "answer") else None
            row: Row = {
                **dict.fromkeys(TEXTS, ""),
                **texts,
                "choices": choices,
                "answers": given_answers(answer, fields),
            }
            if "id" in self.declaration.fields:
                row["id"] = fields.label(record, "id") or ""
            row["unit"] = fields.label(record, "unit") if "unit" in self.declaration.fields else None
            return row | {"unit": row["unit"] or row["context"] or row["question"]}

        read = read_declared(self.declaration, source, make, header=fields.has_header)
        column = ", ".join(map(str, fields.columns("answer")))
        resolve_answers(read.splits, self.declaration.labels, column)
        return read.loaded(*with_dev({split: _dataset(rows.rows) for split, rows in read.splits.items()}, "unit"))

    def labelled(self, examples: Dataset) -> Dataset:
        known = np.array([len(answers) > 0 for answers in examples["answers"][:]], dtype=bool)
        return examples if known.all() else examples.select(np.flatnonzero(known))

    def gold(self, examples: Dataset) -> list[list[str]]:
        return examples["answers"][:]

    def texts(self, examples: Dataset) -> Sequence[str]:
        columns = [examples["context"][:], examples["question"][:], chain.from_iterable(examples["choices"][:])]
        return [text for text in unique_texts(columns) if text]

    def rows(self, examples: Dataset, tokenizer: Tokenizer, run: RunConfig) -> Encoded:
        tokenizer = plain(tokenizer)
        choices, answers = examples["choices"][:], examples["answers"][:]
        read = [texts_of(*row) for row in zip(examples["context"][:], examples["question"][:], choices, strict=True)]
        distinct = list(dict.fromkeys(shared for shared, _ in read))
        ids_of = dict(zip(distinct, encode_ids(tokenizer, distinct), strict=True))
        own_ids = encode_ids(tokenizer, [text for _, own in read for text in own])
        specials, length = special_tokens(tokenizer), run.training.max_length
        rows = [build_row(ids_of[shared], list(islice(own_ids, len(own))), specials, length) for shared, own in read]
        right = ([name in given for name in names] for names, given in zip(choices, answers, strict=True))
        return Encoded(
            {
                "input_ids": Ragged.from_rows((row.input_ids for row in rows), padding=PAD_ID),
                "segment_ids": Ragged.from_rows(row.segment_ids for row in rows),
                INPUT_LENGTHS: Ragged.from_rows(row.input_lengths for row in rows),
                "head_lengths": Ragged.from_rows(row.head_lengths for row in rows),
                "right": Ragged.from_rows(right),
            },
            np.arange(len(examples)),
        )


def _dataset(rows: list[Row]) -> Dataset:
    return Dataset.from_dict({name: [row[name] for row in rows] for name in FEATURES}, features=FEATURES)
