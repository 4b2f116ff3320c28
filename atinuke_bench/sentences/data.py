"""Examples of one sentence or two, with a class or a score: what SNLI and all of GLUE share."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from datasets import ClassLabel, Dataset, Features
from numpy.typing import NDArray
from tokenizers import Tokenizer

from atinuke_bench.config import RunConfig, SourceConfig
from atinuke_bench.data.features import Encoded
from atinuke_bench.data.inputs import text_of
from atinuke_bench.data.sources import Loaded, canonical_features
from atinuke_bench.data.table import UNLABELLED
from atinuke_bench.data.tokenizer import encode_texts, unique_texts
from atinuke_bench.sentences.model import SentenceOptions, SentencePairOptions
from atinuke_bench.training.capabilities import NewInputs
from atinuke_bench.training.task import PairOptions, TaskData, options_of

#: What a causal core sees of two texts, and of one.
PAIR_VIEW = (
    "it reads the first text before the second, so that no token of the first has seen the second (with "
    "options.second_first the other way round); each text is pooled over its own tokens, and the two are compared after"
)
SINGLE_VIEW = "a token has seen the words before it and none behind; the text is pooled over all its tokens"


@dataclass(frozen=True)
class SentenceData(TaskData):
    """Columns `sentence1` and, for pairs, `sentence2`; `label` is one of `labels`, or a number where there are none."""

    labels: tuple[str, ...] | None
    is_pair: bool

    @property
    def options_class(self) -> type[SentenceOptions]:
        """The settings of a task on this data."""
        return SentencePairOptions if self.is_pair else SentenceOptions

    @property
    def causal_view(self) -> str:
        """What a causal core has seen of the texts where it answers."""
        return PAIR_VIEW if self.is_pair else SINGLE_VIEW

    @property
    def features(self) -> Features:
        return canonical_features(self.labels, pair=self.is_pair)

    @property
    def text_columns(self) -> tuple[str, ...]:
        return ("sentence1", "sentence2") if self.is_pair else ("sentence1",)

    @property
    def example_columns(self) -> tuple[str, ...]:
        return self.text_columns

    @property
    def shuffled_columns(self) -> tuple[str, ...]:
        return self.text_columns

    @property
    def label_names(self) -> tuple[str, ...] | None:
        return self.labels

    @abstractmethod
    def load(self, source: SourceConfig, options: Any) -> Loaded: ...

    def labelled(self, examples: Dataset) -> Dataset:
        known = _is_known(examples)
        return examples if known.all() else examples.select(np.flatnonzero(known))

    def gold(self, examples: Dataset) -> Sequence[Any]:
        labels = examples["label"][:]
        return labels if self.labels is None else [self.labels[label] for label in labels]

    def texts(self, examples: Dataset) -> Sequence[str]:
        return list(unique_texts(examples[name][:] for name in self.text_columns))

    def rows(self, examples: Dataset, tokenizer: Tokenizer, run: RunConfig) -> Encoded:
        columns = [examples[name][:] for name in self.text_columns]
        options = options_of(run, self.options_class)
        input_ids, segment_ids = encode_texts(
            tokenizer,
            columns[0],
            columns[1] if self.is_pair else None,
            run.training.max_length,
            second_first=isinstance(options, PairOptions) and bool(options.second_first),
        )
        label_type = np.int64 if self.labels is not None else np.float32
        return Encoded(
            {"input_ids": input_ids, "segment_ids": segment_ids},
            np.arange(len(examples)),
            {"label": np.asarray(examples["label"][:], dtype=label_type)},
        )


class SentenceInputs(NewInputs):
    """One text, or two."""

    def __init__(self, data: SentenceData) -> None:
        self.plain_fields = data.text_columns
        self.fields = dict.fromkeys(data.text_columns, "a text")
        texts = ("A dog runs in the rain.", "An animal is outside.")
        self.example = dict(zip(data.text_columns, texts, strict=False))
        self.unknown = UNLABELLED if data.labels is not None else math.nan

    def examples(self, record: Mapping[str, Any], key: str, options: Any) -> list[dict[str, Any]]:
        return [{"id": key, **{name: text_of(record, name) for name in self.plain_fields}, "label": self.unknown}]


def _is_known(examples: Dataset) -> NDArray[np.bool_]:
    labels = np.asarray(examples["label"][:])
    return labels >= 0 if isinstance(examples.features["label"], ClassLabel) else np.isfinite(labels)
