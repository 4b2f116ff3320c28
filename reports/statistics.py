"""Is one core better than another? Intervals and tests over examples and seeds, corrected for how many were made.

Letters: A and B two cores, S runs (seeds) of a core, N units, R resamples. Scores of a core are arrays [S]; its
resampled scores are [R, S], where row r of both cores comes from the same resample of the units (paired).

Two things vary: which examples are in the test set, and which seed a core was trained with. A bootstrap over the few
seeds there are understates the second (by (S-1)/S), so that variances are added instead:

    var(mean) = var_bootstrap(mean over seeds) + max(0, s^2 - i^2) / S

with s^2 the variance between seeds and i^2 the part of it that the resampling of examples already explains. Degrees of
freedom follow Satterthwaite (1946). `hierarchical_bootstrap` is the resampling counterpart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as _mcnemar

Floats = NDArray[np.float64]

NUM_RESAMPLES = 1000
LEVEL = 0.05
POWER = 0.8


def draw_weights(num_units: int, num_resamples: int, generator: np.random.Generator) -> Floats:
    """How often each unit occurs in each bootstrap resample: [R, N], every row summing to N."""
    picked = generator.integers(0, num_units, size=(num_resamples, num_units))
    flat = picked + num_units * np.arange(num_resamples)[:, None]
    counts = np.bincount(flat.ravel(), minlength=num_resamples * num_units)
    return counts.reshape(num_resamples, num_units).astype(np.float64)


@dataclass(frozen=True)
class Spread:
    """A figure with its standard error and degrees of freedom; both NaN where they cannot be known."""

    value: float
    error: float
    freedom: float

    def interval(self, confidence: float = 1 - LEVEL) -> tuple[float, float] | None:
        """The two-sided t interval; None where the error is unknown."""
        if not math.isfinite(self.error):
            return None
        half = float(stats.t.ppf((1 + confidence) / 2, self.freedom)) * self.error
        return self.value - half, self.value + half

    @property
    def p_value(self) -> float:
        """Two-sided p of the figure being 0."""
        if not math.isfinite(self.error):
            return float("nan")
        if self.error == 0:
            return 1.0 if self.value == 0 else 0.0
        return float(2 * stats.t.sf(abs(self.value) / self.error, self.freedom))


@dataclass(frozen=True)
class Scores:
    """A core's scores in one column: observed [S] and resampled [R, S] (None where predictions cannot be used).

    `is_fixed` tells that seeds change nothing (the majority floor), so that one run stands for all.
    """

    observed: Floats
    resampled: Floats | None
    is_fixed: bool = False

    def mean(self) -> Spread:
        """The mean over seeds. With a single seed the error is that of the examples alone."""
        return _spread([(self, 1.0)], require_seeds=False)


def difference(a: Scores, b: Scores) -> Spread:
    """The mean of A less that of B, paired over examples; error NaN when a trained core has a single seed."""
    return _spread([(a, 1.0), (b, -1.0)], require_seeds=True)


def _spread(parts: Sequence[tuple[Scores, float]], *, require_seeds: bool) -> Spread:
    value = sum(sign * float(scores.observed.mean()) for scores, sign in parts)
    unknown = Spread(value, float("nan"), float("nan"))
    if any(scores.resampled is None for scores, _ in parts):
        return unknown
    if require_seeds and any(len(scores.observed) < 2 and not scores.is_fixed for scores, _ in parts):
        return unknown
    means = sum(sign * scores.resampled.mean(axis=1) for scores, sign in parts)
    means = means[np.isfinite(means)]
    # A metric that most resamples leave undefined has no interval.
    if len(means) * 2 < len(parts[0][0].resampled):
        return unknown
    terms = [_seed_term(scores) for scores, _ in parts if len(scores.observed) > 1 and not scores.is_fixed]
    total = float(means.var(ddof=1)) + sum(variance for variance, _ in terms)
    doubt = sum(part for _, part in terms)
    if not doubt or not total:
        return Spread(value, math.sqrt(total), math.inf)
    # No fewer than the variance between the fewest seeds has by itself.
    fewest = min(len(scores.observed) for scores, _ in parts if len(scores.observed) > 1 and not scores.is_fixed)
    return Spread(value, math.sqrt(total), max(total**2 / doubt, fewest - 1.0))


def _seed_term(scores: Scores) -> tuple[float, float]:
    """Variance of the mean over seeds that comes from seeds alone, and its part in Satterthwaite's denominator.

    How uncertain it is depends on the variance between seeds as observed, before the explained part is taken off.
    """
    num_seeds = len(scores.observed)
    deviations = scores.resampled - scores.resampled.mean(axis=1, keepdims=True)
    deviations = deviations[np.isfinite(deviations).all(axis=1)]
    explained = float(deviations.var(axis=0, ddof=1).sum()) / (num_seeds - 1)
    between = float(scores.observed.var(ddof=1))
    return max(0.0, between - explained) / num_seeds, (between / num_seeds) ** 2 / (num_seeds - 1)


def holm(p_values: ArrayLike, num_tests: int | None = None) -> Floats:
    """Holm's (1979) adjusted p values. NaN stays NaN.

    `num_tests` counts tests that could have been made, when more than are given: the others count as p = 1.

    >>> holm([0.01, 0.04, 0.03]).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    given = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(given.shape, np.nan)
    known = np.flatnonzero(np.isfinite(given))
    order = known[np.argsort(given[known], kind="stable")]
    total = max(num_tests or 0, len(order))
    factors = total - np.arange(len(order))
    adjusted[order] = np.minimum(np.maximum.accumulate(given[order] * factors), 1.0)
    return adjusted


def paired_bootstrap(a: ArrayLike, b: ArrayLike) -> float:
    """Two-sided p of no difference, from resampled scores [R] of both sides (Efron and Tibshirani 1993, chapter 15).

    >>> paired_bootstrap([2.0, 3.0, 4.0, 3.0], [1.0, 2.0, 2.0, 1.0])
    0.4
    """
    differences = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    differences = differences[np.isfinite(differences)]
    sides = min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    return min(1.0, 2 * (sides + 1) / (len(differences) + 1))


def paired_randomisation(a: Any, b: Any, *, seed: int = 0, num_resamples: int = NUM_RESAMPLES) -> float:
    """Two-sided p of approximate randomisation (Noreen 1989): the answers of a unit change sides at random.

    `a` and `b` are `SumCorpus` of one run each over the same units.
    """
    assert a.ids == b.ids, "two corpora of different units"
    swapped = np.random.default_rng(seed).integers(0, 2, size=(num_resamples, len(a.ids))).astype(np.float64)
    ours = a.finish(swapped @ b.units + (1 - swapped) @ a.units)
    theirs = a.finish(swapped @ a.units + (1 - swapped) @ b.units)
    whole = np.ones((1, len(a.ids)))
    observed = abs(float(a.values(whole)[0] - b.values(whole)[0]))
    # Differences of equal sums in another order may differ in the last bit.
    return float((np.sum(np.abs(ours - theirs) >= observed - 1e-9) + 1) / (num_resamples + 1))


def hierarchical_bootstrap(a: Scores, b: Scores, *, seed: int = 0) -> Floats:
    """Differences of means [R] when seeds, and within them examples, are drawn again; seeds of A and B apart."""
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
    table = [[int((a & b).sum()), int((a & ~b).sum())], [int((~a & b).sum()), int((~a & ~b).sum())]]
    return float(_mcnemar(table, exact=True).pvalue)


def minimum_detectable_difference(spread: Spread, level: float = LEVEL, power: float = POWER) -> float:
    """The difference that a test at `level` finds with probability `power`, given a difference's standard error."""
    if not math.isfinite(spread.error):
        return float("nan")
    return float((stats.t.ppf(1 - level / 2, spread.freedom) + stats.t.ppf(power, spread.freedom)) * spread.error)


def probability_of_improvement(a: ArrayLike, b: ArrayLike) -> float:
    """Share of pairs of runs in which A scores higher, equals counting half (Agarwal et al. 2021).

    >>> probability_of_improvement([3.0, 1.0], [1.0, 2.0])
    0.625
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    signs = np.sign(a[:, None] - b[None, :])
    return float((signs + 1).mean() / 2)


def relative_change(ours: float, theirs: float) -> float:
    """Change in percent of the other's score; NaN when that is 0.

    >>> round(relative_change(85.8, 81.1), 1)
    5.8
    """
    return 100 * (ours - theirs) / abs(theirs) if theirs else float("nan")


def relative_error_reduction(ours: float, theirs: float, best: float = 100.0) -> float:
    """Percent of the other's distance from the best possible score that is gone; NaN when there is none.

    >>> round(relative_error_reduction(85.8, 81.1), 1)
    24.9
    """
    return 100 * (ours - theirs) / (best - theirs) if best != theirs else float("nan")
