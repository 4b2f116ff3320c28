"""Bits per byte of a causal core, and the mean loss of the tokens that were hidden from a masked one.

Bits per byte divide the loss of every token, the end of the document included, by the bytes of the document that can
be read. Words that are [UNK], and the spaces before them, are no such bytes: a model that says "[UNK]" has not told
them, and counting them would make unreadable text the cheapest. What an [UNK] costs is still paid, so that hiding text
at random never betters the figure, and text that is all hidden has none. What else the tokenizer loses (case, accents,
spaces) costs nothing, so that the figure compares models of one tokenizer. `unknown_percent` is the share of tokens,
`hidden_percent` the share of bytes that [UNK] hides.

Letters: N documents, B resamples.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from atinuke_bench.metrics.metric import Answers, Figures, Floats, Measured, Metric, SumSample
from atinuke_bench.tasks.lm.show import LmDisplay

#: What is summed over the tokens of a document: loss, scored tokens, those predicted rightly, all tokens, [UNK]s, and
#: the bytes that these hide.
SUMS = ("nats", "scored", "right", "tokens", "unknown", "hidden")


@dataclass(frozen=True)
class LossMetric(Metric):
    """A loss of all documents together; predictions are the sums of a document, gold is `{"bytes": its size}`."""

    name: Literal["bits_per_byte", "masked_loss"]
    higher_is_better = False
    bounds = (0.0, math.inf)
    unit = "document"
    display = LmDisplay()

    def measure(self, answers: Answers) -> Measured:
        table = np.array([[document[name] for name in SUMS] for document in answers.predicted], dtype=np.float64)
        sums = dict(zip(SUMS, table.sum(axis=0).tolist(), strict=True))
        sample = self.sample(answers)
        scores = [_ratio(*pair) for pair in sample.statistics.tolist()]
        return Measured(self._figures(sums, float(sum(gold["bytes"] for gold in answers.gold))), scores, sample)

    def sample(self, answers: Answers) -> SumSample:
        pairs = zip(answers.predicted, answers.gold, strict=True)
        if self.name == "bits_per_byte":
            parts = [(document["nats"] / math.log(2), gold["bytes"] - document["hidden"]) for document, gold in pairs]
        else:
            parts = [(document["nats"], document["scored"]) for document, _ in pairs]
        return SumSample(tuple(answers.ids), np.array(parts, dtype=np.float64), _quotients)

    def from_stored(self, prediction: str, gold: str) -> tuple[dict[str, float], dict[str, int]]:
        # Older results did not sum what is hidden, and counted it.
        sums, size = {"hidden": 0, **json.loads(prediction)}, json.loads(gold)
        return {name: sums[name] for name in SUMS}, {"bytes": size["bytes"]}

    def _figures(self, sums: Mapping[str, float], num_bytes: float) -> Figures:
        loss = _ratio(sums["nats"], sums["scored"])
        perplexity = None if loss is None else math.exp(min(loss, 700.0))
        accuracy = _ratio(100 * sums["right"], sums["scored"])
        shared = {
            "num_scored_tokens": sums["scored"],
            "num_bytes": num_bytes,
            "unknown_percent": _ratio(100 * sums["unknown"], sums["tokens"]),
            "hidden_percent": _ratio(100 * sums["hidden"], num_bytes),
        }
        if self.name == "masked_loss":
            return {"masked_loss": loss, "masked_perplexity": perplexity, "masked_accuracy": accuracy, **shared}
        bits = _ratio(sums["nats"] / math.log(2), num_bytes - sums["hidden"])
        return {"bits_per_byte": bits, "perplexity": perplexity, "loss": loss, "accuracy": accuracy, **shared}


def _quotients(sums: Floats) -> Floats:  # [B, 2] -> [B]
    return np.divide(sums[:, 0], sums[:, 1], out=np.full(len(sums), np.nan), where=sums[:, 1] > 0)


def _ratio(numerator: float, denominator: float) -> float | None:
    """A quotient; None where it cannot be computed."""
    return float(numerator / denominator) if denominator and math.isfinite(numerator) else None


BITS_PER_BYTE, MASKED_LOSS = LossMetric("bits_per_byte"), LossMetric("masked_loss")
METRICS = {"lm": (BITS_PER_BYTE, MASKED_LOSS)}
