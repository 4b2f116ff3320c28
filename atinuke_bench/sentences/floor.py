"""The floor of sentence tasks: one answer to everything."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from datasets import ClassLabel, Dataset

from atinuke_bench.config import RunConfig


def most_frequent_label(train: Dataset, examples: Dataset, run: RunConfig) -> dict[str, Any]:
    """The most frequent label of the train split (the first of equals), or the mean score."""
    labels, kind = train["label"][:], train.features["label"]
    answer: Any
    if isinstance(kind, ClassLabel):
        answer = kind.int2str(Counter(sorted(labels)).most_common(1)[0][0])
    else:
        answer = float(np.mean(labels))
    return dict.fromkeys(examples["id"][:], answer)
