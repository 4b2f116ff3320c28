"""Scores of sentence tasks by gold label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from datasets import ClassLabel, Dataset

from atinuke_bench.metrics.metric import Answers, Measured
from atinuke_bench.training.task import Slices


def by_gold_label(examples: Dataset, answers: Answers, measured: Measured) -> Slices:
    """Share of right answers by gold label, with the number of examples."""
    kind = examples.features["label"]
    assert isinstance(kind, ClassLabel), "only classes have slices"
    gold, predicted = np.asarray(answers.gold), np.asarray(answers.predicted)
    return {
        "gold label": {
            name: {
                "accuracy": 100.0 * float(np.mean(predicted[gold == name] == name)),
                "num": int((gold == name).sum()),
            }
            for name in kind.names
            if (gold == name).any()
        }
    }


def gold_label_of(examples: Dataset, gold: Sequence[Any]) -> list[dict[str, list[str]]]:
    """The slice of each example: its right label."""
    return [{"gold label": [label]} for label in gold]
