"""Intervals by drawing the units of a test set again."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from atinuke_bench.metrics.metric import Floats, Sample, SumSample
from atinuke_bench.metrics.units import FEWEST_UNITS, WEIGHTS_AT_ONCE


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
        parts.append(_values_together(samples, weights))
    return np.concatenate(parts, axis=1)


def _values_together(samples: list[Sample], weights: Floats) -> Floats:  # [B, N] -> [samples, B]
    """The figures of several samples, each to the bit what its own `values` gives.

    A product with the narrow statistics of one sample takes as long as reading all weights. Those that are whole
    numbers have the same sums in every order of adding, so that many go into one product.
    """
    num_units = weights.shape[1]
    found: dict[int, Floats] = {}
    batch: list[int] = []
    width = 0
    for place, sample in enumerate(samples):
        if not isinstance(sample, SumSample) or not _is_exact(sample.statistics):
            found[place] = sample.values(weights)
            continue
        if batch and (width + sample.statistics.shape[1]) * num_units > WEIGHTS_AT_ONCE:
            found |= _of_batch(samples, batch, weights)
            batch, width = [], 0
        batch.append(place)
        width += sample.statistics.shape[1]
    if batch:
        found |= _of_batch(samples, batch, weights)
    return np.stack([found[place] for place in range(len(samples))])


def _of_batch(samples: list[Sample], batch: list[int], weights: Floats) -> dict[int, Floats]:
    own = [sample for place in batch if isinstance(sample := samples[place], SumSample)]
    sums = weights @ np.concatenate([sample.statistics for sample in own], axis=1)
    parts = np.split(sums, np.cumsum([sample.statistics.shape[1] for sample in own])[:-1], axis=1)
    # What a figure makes of sums may depend on how they lie in memory.
    return {
        place: sample.finish(np.ascontiguousarray(part)) for place, sample, part in zip(batch, own, parts, strict=True)
    }


def _is_exact(statistics: Floats) -> bool:
    """Whether sums of so many of these numbers are exact: whole ones that stay below what floats can count to."""
    return bool(
        np.all(statistics == np.rint(statistics)) and np.abs(statistics).max(initial=0) * len(statistics) < 2.0**53
    )


def percentile_interval(
    sample: Sample,
    *,
    seed: int = 0,
    num_resamples: int = 1000,
    confidence: float = 0.95,
    fewest: int = FEWEST_UNITS,
) -> tuple[float, float] | None:
    """Expanded percentile interval of a figure (Hesterberg 2015, "What Teachers Should Know About the Bootstrap").

    The plain percentile interval is too narrow for few units, as if their spread were known and not estimated; the
    quantiles are moved out as Student's t and the bootstrap's bias of (U-1)/U say. Resamples on which the figure cannot
    be computed are left out; None when there are fewer than `fewest` units, or more than half of the resamples are left
    out.

    >>> from atinuke_bench.metrics.metric import mean_sample
    >>> low, high = percentile_interval(mean_sample([str(n) for n in range(100)], [0.0, 1.0] * 50))
    >>> 35 < low < 50 < high < 65
    True
    """
    num_units = len(sample.units)
    if num_units < fewest:
        return None
    return interval_of(resample(sample, num_resamples, np.random.default_rng(seed)), num_units, confidence)


def interval_of(values: Floats, num_units: int, confidence: float = 0.95) -> tuple[float, float] | None:  # [B]
    """The expanded percentile interval of a figure from its resamples; None where more than half of them have none."""
    known = values[np.isfinite(values)]
    if len(known) * 2 < len(values):
        return None
    outside = _expanded((1 - confidence) / 2, num_units)
    low, high = np.quantile(known, [outside, 1 - outside])
    return float(low), float(high)


def _expanded(outside: float, num_units: int) -> float:
    """The share of resamples outside one end of an interval that should leave out the share `outside`.

    >>> round(_expanded(0.025, 8), 4), round(_expanded(0.025, 10_000), 4)
    (0.0057, 0.025)
    """
    from scipy.special import stdtrit  # slow to load, and most who ask for metrics want no interval

    quantile = float(stdtrit(num_units - 1, outside)) * math.sqrt(num_units / (num_units - 1))
    return NormalDist().cdf(quantile)
