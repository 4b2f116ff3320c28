"""Classification and scoring of single sentences and of sentence pairs: what SNLI and all of GLUE share.

Letters: B rows, T tokens, D hidden size, C classes (1 for a score).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from datasets import ClassLabel, Dataset
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from atinuke_bench.config import RunConfig
from atinuke_bench.core.base import Core
from atinuke_bench.data.features import Encoded
from atinuke_bench.data.inputs import text_of
from atinuke_bench.data.sources import canonical_features
from atinuke_bench.data.table import UNLABELLED
from atinuke_bench.data.tokenizer import encode_texts, unique_texts
from atinuke_bench.metrics.classification import METRICS, compute
from atinuke_bench.training.module import Batch, TaskModule
from atinuke_bench.training.task import Evaluation, Prediction, Task, TaskOptions, require_all_ids


class SentenceOptions(TaskOptions):
    """How tokens become one vector a sentence."""

    pooling: Literal["max", "mean"] = "max"


class SentenceTask(Task):
    """A task over `sentence1` and, for pairs, `sentence2`, with a class or a score as `label`."""

    options_class = SentenceOptions
    group_column = "sentence1"

    def __init__(
        self,
        name: str,
        labels: tuple[str, ...] | None,
        *,
        pair: bool,
        metrics: tuple[str, ...],
        summary: str,
        training: Mapping[str, Any] | None = None,
        official_sizes: Mapping[str, int] | None = None,
    ) -> None:
        self.name = name
        self.family = name.partition("/")[0]
        self.labels = labels
        self.is_pair = pair
        self.metrics = metrics
        self.primary_metric = metrics[0]
        self.summary = summary
        self.training = training or {}
        self.official_sizes = official_sizes or {}
        self.features = canonical_features(labels, pair=pair)

    @property
    def num_outputs(self) -> int:
        """Number of classes, or 1 for a score."""
        return len(self.labels) if self.labels is not None else 1

    def is_labelled(self, examples: Dataset) -> bool:
        return bool(_is_known(examples).any())

    def for_training(self, examples: Dataset) -> Dataset:
        known = _is_known(examples)
        return examples if known.all() else examples.select(np.flatnonzero(known))

    @property
    def input_fields(self) -> Mapping[str, str]:
        return dict.fromkeys(self._text_columns, "a text")

    @property
    def plain_fields(self) -> tuple[str, ...]:
        return self._text_columns

    def input_rows(self, record: Mapping[str, Any], key: str, facts: Mapping[str, Any]) -> list[dict[str, Any]]:
        unknown = UNLABELLED if self.labels is not None else math.nan
        return [{"id": key, **{name: text_of(record, name) for name in self._text_columns}, "label": unknown}]

    def shown(self, prediction: Any) -> Any:
        return prediction if self.labels is None else self.labels[prediction]

    def texts(self, examples: Dataset) -> Sequence[str]:
        return list(unique_texts(examples[name][:] for name in self._text_columns))

    def encode(self, examples: Dataset, tokenizer: Tokenizer, run: RunConfig) -> Encoded:
        columns = [examples[name][:] for name in self._text_columns]
        input_ids, segment_ids = encode_texts(
            tokenizer, columns[0], columns[1] if self.is_pair else None, run.training.max_length
        )
        label_type = np.int64 if self.labels is not None else np.float32
        return Encoded(
            {"input_ids": input_ids, "segment_ids": segment_ids},
            np.arange(len(examples)),
            {"label": np.asarray(examples["label"][:], dtype=label_type)},
        )

    def build_module(self, core: Core, run: RunConfig) -> TaskModule:
        return SentenceModule(core, run, self.num_outputs, self.options(run).pooling, pair=self.is_pair)

    def decode(
        self, outputs: list[dict[str, np.ndarray]], encoded: Encoded, examples: Dataset, run: RunConfig
    ) -> dict[str, Any]:
        logits = np.empty((len(encoded), self.num_outputs), dtype=np.float32)
        for output in outputs:
            logits[output["rows"]] = output["logits"]
        values = logits.argmax(axis=1).tolist() if self.labels is not None else logits[:, 0].astype(float).tolist()
        return dict(zip(examples["id"][:], values, strict=True))

    def floor(self, train: Dataset, examples: Dataset, run: RunConfig) -> dict[str, Any]:
        """The most frequent label of the train split (the first of equals), or the mean score."""
        labels = train["label"][:]
        answer = float(np.mean(labels)) if self.labels is None else Counter(sorted(labels)).most_common(1)[0][0]
        return dict.fromkeys(examples["id"][:], answer)

    def evaluate(self, examples: Dataset, predictions: Mapping[str, Any], run: RunConfig) -> Evaluation:
        predicted = np.asarray(require_all_ids(examples, predictions))
        gold = np.asarray(examples["label"][:])
        known = _is_known(examples)
        rows = [
            self._row(id_, answer, truth if is_known else None)
            for id_, answer, truth, is_known in zip(
                examples["id"][:], predicted.tolist(), gold.tolist(), known.tolist(), strict=True
            )
        ]
        if not known.any():
            return Evaluation({}, rows)
        gold, predicted = gold[known], predicted[known]
        primary = METRICS[self.primary_metric]
        return Evaluation(
            compute(self.metrics, gold, predicted),
            rows,
            resample=lambda picked: primary(gold[picked], predicted[picked]),
            num_scored=int(known.sum()),
            slices=self._slices(gold, predicted),
        )

    def _row(self, id_: str, answer: Any, truth: Any) -> Prediction:
        if self.labels is None:
            return Prediction(id_, answer, truth, None)
        gold = None if truth is None else self.labels[truth]
        return Prediction(id_, self.labels[answer], gold, None if truth is None else float(answer == truth))

    def _slices(self, gold: np.ndarray, predicted: np.ndarray) -> dict[str, dict[str, dict[str, float | None]]]:
        """Share of right answers by gold label, with the number of examples."""
        if self.labels is None:
            return {}
        by_label = {
            name: {
                "accuracy": 100.0 * float(np.mean(predicted[gold == label] == label)),
                "num": int((gold == label).sum()),
            }
            for label, name in enumerate(self.labels)
            if (gold == label).any()
        }
        return {"gold label": by_label}

    @property
    def _text_columns(self) -> tuple[str, ...]:
        return ("sentence1", "sentence2") if self.is_pair else ("sentence1",)


class SentenceModule(TaskModule):
    """Both sentences are read together; each is pooled from its own tokens, and the pair is compared.

    The features of a pair are those of InferSent (Conneau et al. 2017, section 3.2): u, v, |u - v|, u * v. Pooling over
    tokens, and not at the first one, is what a causal core can be judged by: its first token has seen nothing.
    """

    def __init__(self, core: Core, run: RunConfig, num_outputs: int, pooling: str, *, pair: bool) -> None:
        super().__init__(core, run)
        self.is_pair = pair
        self.pooling = pooling
        self.num_outputs = num_outputs
        size = core.hidden_size
        dropout = getattr(run.core, "dropout", 0.0)
        self.head = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(size * (4 if pair else 1), size),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(size, num_outputs),
        )

    def logits(self, batch: Batch) -> Tensor:  # (B, C)
        hidden = self.encode(batch)  # (B, T, D)
        mask, segments = batch["attention_mask"], batch["segment_ids"]
        first = pool(hidden, mask & (segments == 0), self.pooling)  # (B, D)
        if not self.is_pair:
            return self.head(first)
        second = pool(hidden, mask & (segments == 1), self.pooling)
        return self.head(torch.cat([first, second, (first - second).abs(), first * second], dim=-1))

    def loss(self, batch: Batch) -> Tensor:
        logits = self.logits(batch)
        if self.num_outputs == 1:
            return F.mse_loss(logits[:, 0].float(), batch["label"])
        return F.cross_entropy(logits.float(), batch["label"])

    def outputs(self, batch: Batch) -> dict[str, Tensor]:
        return {"logits": self.logits(batch)}


def pool(hidden: Tensor, mask: Tensor, how: str) -> Tensor:  # (B, T, D), (B, T) -> (B, D)
    """Largest or mean hidden value over the tokens where `mask` is true; at least one must be.

    >>> hidden = torch.tensor([[[1.0], [5.0], [9.0]]])
    >>> pool(hidden, torch.tensor([[True, True, False]]), "max").item()
    5.0
    """
    if how == "max":
        return hidden.masked_fill(~mask[..., None], torch.finfo(hidden.dtype).min).amax(dim=1)
    weights = mask[..., None].to(hidden.dtype)
    return (hidden * weights).sum(dim=1) / weights.sum(dim=1)


def _is_known(examples: Dataset) -> np.ndarray:
    labels = np.asarray(examples["label"][:])
    return labels >= 0 if isinstance(examples.features["label"], ClassLabel) else np.isfinite(labels)
