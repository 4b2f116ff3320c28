"""The floor of multiple choice: the number that is right most often."""

from __future__ import annotations

from collections import Counter
from typing import Any

from datasets import Dataset

from atinuke_bench.config import RunConfig


def most_frequent_number(train: Dataset, examples: Dataset, run: RunConfig) -> dict[str, Any]:
    """Of the numbers that an example has, the one that is right most often in train; the first of equals."""
    rows = zip(train["choices"][:], train["answers"][:], strict=True)
    counts = Counter(number for choices, answers in rows for number, name in enumerate(choices) if name in answers)
    best: dict[int, int] = {}
    chosen = {}
    for id_, choices in zip(examples["id"][:], examples["choices"][:], strict=True):
        size = len(choices)
        number = best.setdefault(size, max(range(size), key=lambda place: (counts[place], -place)))
        chosen[id_] = {"choice": number, "text": choices[number]}
    return chosen
