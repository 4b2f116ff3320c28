"""Tests of two sides that need no model of the seeds: resampling, randomisation, McNemar's."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import bdtr

from atinuke_bench.metrics.metric import Floats, SumSample

from .spread import NUM_RESAMPLES, Scores


def paired_bootstrap(a: ArrayLike, b: ArrayLike) -> float:
    """Two-sided p of no difference, from resampled scores [R] of both sides (Efron and Tibshirani 1993, chapter 15).

    >>> paired_bootstrap([2.0, 3.0, 4.0, 3.0], [1.0, 2.0, 2.0, 1.0])
    0.4
    """
    differences = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    differences = differences[np.isfinite(differences)]
    sides = min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    return min(1.0, 2 * (sides + 1) / (len(differences) + 1))


def paired_randomisation(a: SumSample, b: SumSample, *, seed: int = 0, num_resamples: int = NUM_RESAMPLES) -> float:
    """Two-sided p of approximate randomisation (Noreen 1989): the answers of a unit change sides at random.

    Both samples are of one run each over the same units. Sums of what was swapped are one matrix product; SciPy's
    `permutation_test` would gather every unit of every resample.
    """
    assert a.units == b.units, "two samples of different units"
    swapped = np.random.default_rng(seed).integers(0, 2, size=(num_resamples, len(a.units))).astype(np.float64)
    ours = a.finish(swapped @ b.statistics + (1 - swapped) @ a.statistics)
    theirs = a.finish(swapped @ a.statistics + (1 - swapped) @ b.statistics)
    observed = abs(a.value() - b.value())
    # Differences of equal sums in another order may differ in the last bit.
    return float((np.sum(np.abs(ours - theirs) >= observed - 1e-9) + 1) / (num_resamples + 1))


def hierarchical_bootstrap(a: Scores, b: Scores, *, seed: int = 0) -> Floats:
    """Differences of means [R] when seeds, and within them units, are drawn again; seeds of A and B apart."""
    generator = np.random.default_rng(seed)
    means = []
    for scores in (a, b):
        assert scores.resampled is not None, "no predictions to resample"
        picked = generator.integers(0, scores.resampled.shape[1], size=scores.resampled.shape)
        means.append(np.take_along_axis(scores.resampled, picked, axis=1).mean(axis=1))
    return means[0] - means[1]


def mcnemar(right_a: ArrayLike, right_b: ArrayLike) -> float:
    """Exact two-sided p of McNemar's test on two sides' right answers to the same examples.

    >>> round(mcnemar([1, 1, 1, 1, 1, 0], [0, 0, 0, 0, 0, 0]), 4)
    0.0625
    """
    a, b = (np.asarray(side, dtype=bool) for side in (right_a, right_b))
    only_a, only_b = int((a & ~b).sum()), int((~a & b).sum())
    return float(min(1.0, 2 * bdtr(min(only_a, only_b), only_a + only_b, 0.5)))  # a sign test
