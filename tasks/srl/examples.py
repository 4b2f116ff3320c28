"""Examples of semantic roles: one predicate of one sentence, read from corpus files and turned back into sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import datasets
from datasets import Dataset

from atinuke_bench.data.bio import Span
from atinuke_bench.data.conll.read import Predicate, Sentence
from atinuke_bench.data.conll.spans import Argument
from atinuke_bench.errors import DataError
from atinuke_bench.tasks.srl.files import Located, Source, read_located

_TEXT = datasets.Value("string")
_INTEGER = datasets.Value("int32")

FEATURES = datasets.Features(
    {
        "id": _TEXT,
        "sentence": _TEXT,
        "words": datasets.List(_TEXT),
        "lemma": _TEXT,
        "predicate": _INTEGER,
        "starts": datasets.List(_INTEGER),
        "ends": datasets.List(_INTEGER),
        "roles": datasets.List(_TEXT),
    }
)


def read_split(split: str, sources: list[Source], *, verbs_only: bool) -> Dataset:
    """The examples of a split, one a predicate; DataError for a document that occurs twice or a split without any."""
    columns: dict[str, list[Any]] = {name: [] for name in FEATURES}
    seen: dict[str, Path] = {}
    for located in read_located(sources, verbs_only=verbs_only):
        key = _sentence_id(split, located)
        if key in seen:
            raise DataError(f"document {located.document!r} is in {seen[key]} too", path=located.path)
        seen[key] = located.path
        for predicate in located.sentence.predicates:
            row = {
                "id": example_id(split, located, predicate),
                "sentence": key,
                "words": located.sentence.words,
                "lemma": predicate.lemma,
                "predicate": predicate.index,
                "starts": [span.start for span in predicate.arguments],
                "ends": [span.end for span in predicate.arguments],
                "roles": [span.role for span in predicate.arguments],
            }
            for name, value in row.items():
                columns[name].append(value)
    if not columns["id"]:
        raise DataError(f"no predicate in split {split!r}", path=sources[0].path)
    return Dataset.from_dict(columns, features=FEATURES)


def _sentence_id(split: str, located: Located) -> str:
    return f"{split}-{located.document}-{located.number}"


def example_id(split: str, located: Located, predicate: Predicate) -> str:
    """Split, document, number of the sentence in it, and the predicate's word."""
    return f"{_sentence_id(split, located)}-{predicate.index}"


def spans_of(examples: Dataset) -> list[list[Span]]:
    """The gold arguments of each example: (first word, last word, role)."""
    columns = (examples[name][:] for name in ("starts", "ends", "roles"))
    return [list(zip(*row, strict=True)) for row in zip(*columns, strict=True)]


def groups_of(examples: Dataset) -> list[list[int]]:
    """Row numbers of the examples of each sentence."""
    numbered = groupby(enumerate(examples["sentence"][:]), key=lambda pair: pair[1])
    return [[row for row, _ in group] for _, group in numbered]


def sentences_of(examples: Dataset, arguments: Mapping[str, Sequence[Span]]) -> Iterator[Sentence]:
    """The sentences of examples that come from no file, with these arguments by example id."""
    rows = list(examples)
    for group in groups_of(examples):
        yield Sentence(
            tuple(rows[group[0]]["words"]),
            tuple(
                Predicate(
                    rows[row]["predicate"],
                    rows[row]["lemma"],
                    arguments=tuple(Argument(*span) for span in arguments[rows[row]["id"]]),
                )
                for row in group
            ),
        )
