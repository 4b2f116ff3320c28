"""Intervals by resampling the examples of one evaluation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def percentile_interval(
    statistic: Callable[[np.ndarray], float | None],
    num_examples: int,
    *,
    seed: int = 0,
    num_resamples: int = 1000,
    confidence: float = 0.95,
) -> tuple[float, float] | None:
    """Percentile bootstrap interval of a statistic of the corpus (Efron and Tibshirani 1993, chapter 13).

    `statistic` takes row numbers, repeats included. Resamples on which it cannot be computed are left out; None when
    there are fewer than two examples or more than half of the resamples are left out.

    >>> values = np.array([0.0, 1.0] * 50)
    >>> low, high = percentile_interval(lambda rows: float(values[rows].mean()), 100)
    >>> 0.35 < low < 0.5 < high < 0.65
    True
    """
    if num_examples < 2:
        return None
    generator = np.random.default_rng(seed)
    values = [statistic(generator.integers(0, num_examples, num_examples)) for _ in range(num_resamples)]
    known = [value for value in values if value is not None]
    if len(known) * 2 < num_resamples:
        return None
    low, high = np.quantile(known, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
