"""The head of SQuAD: where an answer starts and ends, and whether there is one.

Letters: B windows of a batch, T tokens, D hidden size, W widths.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from datasets import Dataset
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from atinuke_bench.config import RunConfig
from atinuke_bench.core.base import Core
from atinuke_bench.data.features import Encoded
from atinuke_bench.heads.pooling import pool
from atinuke_bench.tasks.squad.decode import choose_null_threshold, decode_spans, flat_logits, probable_spans
from atinuke_bench.tasks.squad.files import references
from atinuke_bench.tasks.squad.metric import SquadAnswer
from atinuke_bench.tasks.squad.scores import examples_v2
from atinuke_bench.training.module import Batch, TaskModule
from atinuke_bench.training.task import Outputs, PairOptions, TaskModel, options_of

#: Half widths, in tokens, of the neighbourhoods in which words of the question are counted.
WIDTHS = (0, 2, 8, 24)


class SquadOptions(PairOptions):
    """Windows, features and decoding."""

    #: Tokens between the starts of neighbouring windows of a long context.
    stride: int = Field(128, ge=1)
    #: Tokens of the longest answer that decoding gives.
    max_answer_length: int = Field(30, ge=1)
    #: Whether a core sees where the words of the question recur in the text (`question_overlap`).
    overlap: Literal["none", "token", "window"] = "window"


@dataclass(frozen=True)
class SquadModel(TaskModel):
    """Predictions are SquadAnswer, with odds where questions may be `unanswerable` (v2.0)."""

    unanswerable: bool
    options_class: type[SquadOptions] = SquadOptions

    def build(self, core: Core, run: RunConfig) -> TaskModule:
        return SquadModule(core, run, options_of(run, self.options_class))

    @property
    def other_head(self) -> str:
        return "compares each token with the pooled question; transformers' are a linear layer over tokens"

    def decode(self, outputs: Outputs, encoded: Encoded, examples: Dataset, run: RunConfig) -> dict[str, SquadAnswer]:
        longest = options_of(run, self.options_class).max_answer_length
        logits = flat_logits(outputs, encoded)
        spans = decode_spans(encoded, *logits, examples["context"][:], max_answer_length=longest)
        odds = spans.null_odds.tolist() if self.unanswerable else [None] * len(examples)
        return {
            id_: SquadAnswer(text, text, null_odds)
            for id_, text, null_odds in zip(examples["id"][:], spans.texts, odds, strict=True)
        }

    @property
    def has_probabilities(self) -> bool:
        return True

    def probabilities(
        self, outputs: Outputs, encoded: Encoded, examples: Dataset, run: RunConfig, calibration: Mapping[str, float]
    ) -> dict[str, list[dict[str, Any]]]:
        """The most probable answers: `text`, `start` (the character of the context it begins at), `probability`.

        No answer is "" without a `start`, which the calibrated threshold counts for: the first is what is answered.
        """
        longest = options_of(run, self.options_class).max_answer_length
        logits = flat_logits(outputs, encoded)
        threshold = calibration.get("null_threshold") if self.unanswerable else None
        found = probable_spans(encoded, *logits, examples["context"][:], threshold, max_answer_length=longest)
        return dict(zip(examples["id"][:], found, strict=True))

    def calibrate(self, examples: Dataset, predictions: Mapping[str, SquadAnswer], run: RunConfig) -> dict[str, float]:
        """The threshold on null odds with the best F1 (v2.0)."""
        if not self.unanswerable:
            return {}
        truth = references({name: examples[name][:] for name in ("id", "answers")})
        scores = examples_v2(truth, {id_: answer.best_text for id_, answer in predictions.items()})
        threshold = choose_null_threshold(
            np.array([score.f1 for score in scores.values()]),
            np.array([bool(texts) for texts in truth.values()]),
            np.array([predictions[id_].null_odds for id_ in truth]),
        )
        return {"null_threshold": threshold}

    def apply_calibration(
        self, predictions: dict[str, SquadAnswer], calibration: Mapping[str, float]
    ) -> dict[str, SquadAnswer]:
        if "null_threshold" not in calibration:
            return predictions
        threshold = calibration["null_threshold"]
        return {id_: _decided(answer, threshold) for id_, answer in predictions.items()}


def _decided(answer: SquadAnswer, threshold: float) -> SquadAnswer:
    assert answer.null_odds is not None, "a threshold is for answers with odds"
    return replace(answer, text="" if answer.null_odds > threshold else answer.best_text)


class SquadModule(TaskModule):
    """Every token is compared with the question as a whole, and gets a logit for starting and one for ending an answer.

    The logits of the first token, [CLS], mean "no answer here". They are computed from all tokens, since the first
    token of a causal core has seen nothing.
    """

    def __init__(self, core: Core, run: RunConfig, options: SquadOptions) -> None:
        super().__init__(core, run)
        size = core.hidden_size
        dropout = getattr(run.core, "dropout", 0.0)
        self.overlap = options.overlap
        num_features = {"none": 0, "token": 1, "window": len(WIDTHS)}[options.overlap]
        self.overlap_embedding = nn.Linear(num_features, core.token_embedding.embedding_dim) if num_features else None
        if self.overlap_embedding is not None and core.is_pretrained:
            nn.init.zeros_(self.overlap_embedding.weight)
            nn.init.zeros_(self.overlap_embedding.bias)
        self.span = Comparison(size, dropout)
        self.no_answer = Comparison(size, dropout)

    def hidden(self, batch: Batch) -> Tensor:  # (B, T, D)
        """The core's vectors, with the overlap features added to its token embeddings."""
        if self.overlap_embedding is None:
            return self.encode(batch)
        features = question_overlap(batch["shared_count"])
        if self.overlap == "token":
            features = features[..., :1]
        embedded = self.core.token_embedding(batch["input_ids"]) + self.overlap_embedding(features)
        return self.core(None, batch["attention_mask"], segment_ids=batch["segment_ids"], inputs_embeds=embedded)

    def logits(self, batch: Batch) -> Tensor:  # (B, T, 2): start, end
        hidden = self.hidden(batch)
        mask, segments = batch["attention_mask"], batch["segment_ids"]
        question = pool(hidden, mask & (segments == 0), "max")  # (B, D)
        text = pool(hidden, mask & (segments == 1), "max")
        none = self.no_answer(text[:, None], question)  # (B, 1, 2)
        return torch.cat([none, self.span(hidden[:, 1:], question)], dim=1).float()

    def loss(self, batch: Batch) -> Tensor:
        allowed = batch["context_mask"].bool()
        allowed[:, 0] = True
        logits = self.logits(batch).masked_fill(~allowed[..., None], float("-inf"))
        return 0.5 * (
            F.cross_entropy(logits[..., 0], batch["start_label"]) + F.cross_entropy(logits[..., 1], batch["end_label"])
        )

    def outputs(self, batch: Batch) -> dict[str, Tensor]:
        start, end = self.logits(batch).unbind(dim=-1)
        return {"start": start, "end": end}


class Comparison(nn.Module):
    """Two logits for each vector from the vector, the question and their product."""

    def __init__(self, size: int, dropout: float) -> None:
        super().__init__()
        self.vector = nn.Linear(size, size)
        self.question = nn.Linear(size, size, bias=False)
        self.product = nn.Linear(size, size, bias=False)
        self.logits = nn.Sequential(nn.GELU(), nn.Dropout(dropout), nn.Linear(size, 2))

    def forward(self, vectors: Tensor, question: Tensor) -> Tensor:  # (B, T, D), (B, D) -> (B, T, 2)
        asked = question[:, None]
        return self.logits(self.vector(vectors) + self.question(asked) + self.product(vectors * asked))


def question_overlap(shared_count: Tensor) -> Tensor:  # (B, T) int64 -> (B, T, W) float32
    """How much of the question recurs around each token of the text: the features of the sliding-window baseline.

    A token that the question has too weighs log(1 + 1 / its count in the window), so that rare words count more
    (Richardson et al. 2013); the weights are summed over neighbourhoods of `WIDTHS` tokens to each side.
    """
    counts = shared_count.float()
    weights = torch.where(shared_count > 0, torch.log1p(1 / counts.clamp(min=1)), 0.0)  # (B, T)
    sums = [F.avg_pool1d(weights[:, None], 2 * w + 1, 1, w)[:, 0] * (2 * w + 1) for w in WIDTHS]
    return torch.stack(sums, dim=-1)
