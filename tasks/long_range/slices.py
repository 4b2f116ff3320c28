"""F1 by distance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from datasets import Dataset

from atinuke_bench.metrics.metric import Answers, Measured
from atinuke_bench.training.task import Slices


def by_distance(examples: Dataset, answers: Answers, measured: Measured) -> Slices:
    """The score at every distance, over all questions and over each kind of question."""
    scores = np.array(measured.scores)
    distances, kept = np.array(examples["distance"][:]), np.array(examples["kept"][:])
    slices = {"distance in words": _by_distance(distances, scores)}
    for kind in sorted(set(kept.tolist())):
        own = kept == kind
        slices[f"distance in words, {kind} kept"] = _by_distance(distances[own], scores[own])
    return slices


def distance_of(examples: Dataset, gold: Sequence[Any]) -> list[dict[str, list[str]]]:
    """The slices of each question: its distance, among all questions and among those of its kind."""
    pairs = zip(examples["distance"][:], examples["kept"][:], strict=True)
    return [
        {"distance in words": [str(distance)], f"distance in words, {kind} kept": [str(distance)]}
        for distance, kind in pairs
    ]


def _by_distance(distances: np.ndarray, scores: np.ndarray) -> dict[str, dict[str, Any]]:
    """Mean F1 at every distance, with the number of questions.

    >>> _by_distance(np.array([8, 16, 8]), np.array([1.0, 0.5, 0.0]))
    {'8': {'f1': 50.0, 'num': 2}, '16': {'f1': 50.0, 'num': 1}}
    """
    return {
        str(distance): {
            "f1": 100.0 * float(scores[distances == distance].mean()),
            "num": int((distances == distance).sum()),
        }
        for distance in sorted(set(distances.tolist()))
    }
