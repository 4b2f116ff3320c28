"""Two sentences read together, or one alone, and the classes or the score that a head gives them.

Letters: B rows, T tokens, D hidden size, C classes (1 for a score).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from atinuke_bench.config import RunConfig
from atinuke_bench.core.base import Core
from atinuke_bench.data.features import Encoded
from atinuke_bench.heads.pooling import pool
from atinuke_bench.heads.probabilities import softmax
from atinuke_bench.training.module import Batch, TaskModule
from atinuke_bench.training.task import Outputs, PairOptions, TaskModel, TaskOptions, options_of


class SentenceOptions(TaskOptions):
    """How tokens become one vector a sentence."""

    pooling: Literal["max", "mean"] = "max"


class SentencePairOptions(SentenceOptions, PairOptions):
    """The same of two texts, and which comes first."""


@dataclass(frozen=True)
class SentenceModel(TaskModel):
    """Predictions are label names or, without labels, scores."""

    labels: tuple[str, ...] | None
    is_pair: bool
    options_class: type[SentenceOptions] = SentenceOptions

    @property
    def num_outputs(self) -> int:
        """Number of classes, or 1 for a score."""
        return len(self.labels) if self.labels is not None else 1

    def build(self, core: Core, run: RunConfig) -> TaskModule:
        pooling = options_of(run, self.options_class).pooling
        return SentenceModule(core, run, self.num_outputs, pooling, pair=self.is_pair)

    @property
    def other_head(self) -> str:
        if self.is_pair:
            return "compares two texts, each pooled from its own tokens; transformers' heads read one vector of both"
        return "pools all tokens before two layers; transformers' heads on this core read the first token"

    def decode(self, outputs: Outputs, encoded: Encoded, examples: Dataset, run: RunConfig) -> dict[str, Any]:
        logits = self._logits(outputs, encoded)
        values: list[Any]
        if self.labels is None:
            values = logits[:, 0].astype(float).tolist()
        else:
            values = [self.labels[label] for label in logits.argmax(axis=1)]
        return dict(zip(examples["id"][:], values, strict=True))

    def _logits(self, outputs: Outputs, encoded: Encoded) -> np.ndarray:  # (R, C) float32
        logits = np.empty((len(encoded), self.num_outputs), dtype=np.float32)
        for output in outputs:
            logits[output["rows"]] = output["logits"]
        return logits

    @property
    def has_probabilities(self) -> bool:
        return self.labels is not None

    def probabilities(
        self, outputs: Outputs, encoded: Encoded, examples: Dataset, run: RunConfig, calibration: Mapping[str, float]
    ) -> dict[str, dict[str, float]]:
        """The probability of each label."""
        assert self.labels is not None, "a score has no probabilities"
        rows = softmax(self._logits(outputs, encoded))
        named = (dict(zip(self.labels, row, strict=True)) for row in rows.tolist())
        return dict(zip(examples["id"][:], named, strict=True))


class SentenceModule(TaskModule):
    """Both sentences are read together; each is pooled from its own tokens, and the pair is compared.

    A pair has the features of InferSent (Conneau et al. 2017, section 3.2): u, v, |u - v|, u * v. Pooling over
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
