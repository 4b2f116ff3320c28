"""From the scores of choices to what is predicted."""

from __future__ import annotations

from typing import Any

from datasets import Dataset

from atinuke_bench.heads.probabilities import softmax
from atinuke_bench.training.task import Outputs


def decode_choices(outputs: Outputs, examples: Dataset) -> dict[str, Any]:
    """The choice with the highest score of every example, the first of equals: `{"choice": number, "text": …}`."""
    ids, choices = examples["id"][:], examples["choices"][:]
    chosen: dict[str, Any] = {}
    for output in outputs:
        for row, number in zip(output["rows"].tolist(), output["scores"].argmax(axis=1).tolist(), strict=True):
            chosen[ids[row]] = {"choice": number, "text": choices[row][number]}
    return chosen


def choice_probabilities(outputs: Outputs, examples: Dataset) -> dict[str, list[float]]:
    """The probability of each choice of every example, in their order."""
    ids, choices = examples["id"][:], examples["choices"][:]
    found: dict[str, list[float]] = {}
    for output in outputs:
        for row, own in zip(output["rows"].tolist(), softmax(output["scores"]).tolist(), strict=True):
            found[ids[row]] = own[: len(choices[row])]
    return found
