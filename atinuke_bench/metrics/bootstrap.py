"""Intervals by drawing the units of a test set again."""

from __future__ import annotations

import numpy as np

from atinuke_bench.metrics.metric import Floats, Sample

#: Resamples are drawn in parts of at most so many weights, which bounds memory on large test sets.
WEIGHTS_AT_ONCE = 4_000_000


def draw_weights(num_units: int, num_resamples: int, generator: np.random.Generator) -> Floats:
    """How often each unit occurs in each bootstrap resample: [B, N], every row summing to N."""
    picked = generator.integers(0, num_units, size=(num_resamples, num_units))
    flat = picked + num_units * np.arange(num_resamples)[:, None]
    counts = np.bincount(flat.ravel(), minlength=num_resamples * num_units)
    return counts.reshape(num_resamples, num_units).astype(np.float64)


def resample(sample: Sample, num_resamples: int, generator: np.random.Generator) -> Floats:
    """The figure of a sample on `num_resamples` resamples of its units: [B], NaN where it cannot be computed."""
    return resample_together([sample], num_resamples, generator)[0]


def resample_together(samples: list[Sample], num_resamples: int, generator: np.random.Generator) -> Floats:
    """The figures of several samples with the same units, all on the same resamples: [samples, B]."""
    num_units = len(samples[0].units)
    size = max(1, WEIGHTS_AT_ONCE // num_units)
    parts = []
    for start in range(0, num_resamples, size):
        weights = draw_weights(num_units, min(size, num_resamples - start), generator)
        parts.append(np.stack([sample.values(weights) for sample in samples]))
    return np.concatenate(parts, axis=1)


def percentile_interval(
    sample: Sample, *, seed: int = 0, num_resamples: int = 1000, confidence: float = 0.95
) -> tuple[float, float] | None:
    """Percentile bootstrap interval of a figure (Efron and Tibshirani 1993, chapter 13).

    Resamples on which it cannot be computed are left out; None when there are fewer than two units or more than half of
    the resamples are left out.

    >>> from atinuke_bench.metrics.metric import mean_sample
    >>> low, high = percentile_interval(mean_sample([str(n) for n in range(100)], [0.0, 1.0] * 50))
    >>> 35 < low < 50 < high < 65
    True
    """
    if len(sample.units) < 2:
        return None
    values = resample(sample, num_resamples, np.random.default_rng(seed))
    known = values[np.isfinite(values)]
    if len(known) * 2 < num_resamples:
        return None
    low, high = np.quantile(known, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
