"""Logits as probabilities."""

from __future__ import annotations

import numpy as np


def softmax(logits: np.ndarray) -> np.ndarray:  # (..., C) -> (..., C) float64
    """Probabilities that add up to 1 along the last axis; 0 where a logit is -inf.

    >>> softmax(np.array([[0.0, 0.0], [1000.0, -np.inf]])).tolist()
    [[0.5, 0.5], [1.0, 0.0]]
    """
    logits = np.asarray(logits, np.float64)
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)
