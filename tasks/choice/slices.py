"""Scores of multiple choice by how many choices there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from datasets import Dataset

from atinuke_bench.metrics.metric import Answers, Measured
from atinuke_bench.training.task import Slices


def by_number_of_choices(examples: Dataset, answers: Answers, measured: Measured) -> Slices:
    """Share of right answers by number of choices, with the number of examples; nothing where all have as many."""
    sizes = np.array([len(choices) for choices in examples["choices"][:]])
    pairs = zip(answers.predicted, answers.gold, strict=True)
    right = np.array([predicted["text"] in gold for predicted, gold in pairs])
    found = np.unique(sizes).tolist()
    if len(found) < 2:
        return {}
    return {
        "choices": {
            str(size): {"accuracy": 100.0 * float(right[sizes == size].mean()), "num": int((sizes == size).sum())}
            for size in found
        }
    }


def number_of_choices_of(examples: Dataset, gold: Sequence[Any]) -> list[dict[str, list[str]]]:
    """The slice of each example: how many choices it has; none where all have as many."""
    sizes = [len(choices) for choices in examples["choices"][:]]
    differ = len(set(sizes)) > 1
    return [{"choices": [str(size)]} if differ else {} for size in sizes]
