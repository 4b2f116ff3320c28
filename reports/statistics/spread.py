"""Is one core better than another? Intervals and tests over units and seeds.

Letters: A and B two cores, S runs (seeds) of a core, N units, R resamples. Scores of a core are arrays [S]; its
resampled scores are [R, S], where row r of both cores comes from the same resample of the units (paired).

Two things vary: which units are in the test set, and which seed a core was trained with. A bootstrap over the few
seeds there are understates the second (by (S-1)/S), so variances are added instead:

    var(mean) = var_bootstrap(mean over seeds) * N/(N-1) + max(0, s^2 - i^2) / S

with s^2 the variance between seeds and i^2 the part of it that the resampling of units already explains. N/(N-1) is
what the bootstrap understates. Degrees of freedom follow Satterthwaite (1946), N-1 of the units among them: an interval
over 48 articles is Student's. `paired.hierarchical_bootstrap` is the resampling counterpart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit  # Student's t; scipy.stats, which wraps them, takes a second to load

from atinuke_bench.metrics.metric import Floats

NUM_RESAMPLES = 1000
LEVEL = 0.05
POWER = 0.8


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
        half = float(stdtrit(self.freedom, (1 + confidence) / 2)) * self.error
        return self.value - half, self.value + half

    @property
    def p_value(self) -> float:
        """Two-sided p of the figure being 0."""
        if not math.isfinite(self.error):
            return float("nan")
        if self.error == 0:
            return 1.0 if self.value == 0 else 0.0
        return float(2 * stdtr(self.freedom, -abs(self.value) / self.error))


@dataclass(frozen=True)
class Scores:
    """A core's scores in one column: observed [S], and resampled [R, S] by drawing `num_units` units.

    The latter two are None where predictions cannot be used.
    `is_fixed` says that seeds change nothing (the majority floor), so one run counts for all.
    """

    observed: Floats
    resampled: Floats | None
    num_units: int | None
    is_fixed: bool = False

    def mean(self) -> Spread:
        """The mean over seeds. With a single seed the error covers the units alone."""
        return _spread([(self, 1.0)], require_seeds=False)


def difference(a: Scores, b: Scores) -> Spread:
    """The mean of A less the mean of B, paired over units; error NaN when a trained core has a single seed."""
    return _spread([(a, 1.0), (b, -1.0)], require_seeds=True)


def _spread(parts: Sequence[tuple[Scores, float]], *, require_seeds: bool) -> Spread:
    value = sum(sign * float(scores.observed.mean()) for scores, sign in parts)
    unknown = Spread(value, float("nan"), float("nan"))
    resampled = [scores.resampled for scores, _ in parts if scores.resampled is not None]
    if len(resampled) < len(parts):
        return unknown
    if require_seeds and any(len(scores.observed) < 2 and not scores.is_fixed for scores, _ in parts):
        return unknown
    means = np.sum([sign * own.mean(axis=1) for own, (_, sign) in zip(resampled, parts, strict=True)], axis=0)
    means = means[np.isfinite(means)]
    # A metric that most resamples leave undefined has no interval.
    if len(means) * 2 < len(resampled[0]):
        return unknown
    seeded = [scores for scores, _ in parts if len(scores.observed) > 1 and not scores.is_fixed]
    terms = [_seed_term(scores) for scores in seeded]
    freedom = min(_unit_freedom(scores) for scores, _ in parts)
    of_units = float(means.var(ddof=1)) * (freedom + 1) / freedom
    total = of_units + sum(variance for variance, _ in terms)
    doubt = of_units**2 / freedom + sum(part for _, part in terms)
    if not doubt or not total:
        return Spread(value, math.sqrt(total), math.inf)
    # No fewer than the part with the fewest has by itself.
    fewest = min([freedom, *(len(scores.observed) - 1.0 for scores in seeded)])
    return Spread(value, math.sqrt(total), max(total**2 / doubt, fewest))


def _unit_freedom(scores: Scores) -> float:
    assert scores.num_units is not None, "no predictions to resample"
    return scores.num_units - 1.0


def _seed_term(scores: Scores) -> tuple[float, float]:
    """Variance of the mean over seeds that comes from seeds alone, and its part in Satterthwaite's denominator.

    How uncertain it is depends on the variance between seeds as observed, before the explained part is taken off.
    """
    assert scores.resampled is not None, "no predictions to resample"
    num_seeds = len(scores.observed)
    deviations = scores.resampled - scores.resampled.mean(axis=1, keepdims=True)
    deviations = deviations[np.isfinite(deviations).all(axis=1)]
    freedom = _unit_freedom(scores)
    explained = float(deviations.var(axis=0, ddof=1).sum()) / (num_seeds - 1) * (freedom + 1) / freedom
    between = float(scores.observed.var(ddof=1))
    return max(0.0, between - explained) / num_seeds, (between / num_seeds) ** 2 / (num_seeds - 1)


def minimum_detectable_difference(spread: Spread, level: float = LEVEL, power: float = POWER) -> float:
    """The difference that a test at `level` finds with probability `power`, given a difference's standard error."""
    if not math.isfinite(spread.error):
        return float("nan")
    return float((stdtrit(spread.freedom, 1 - level / 2) + stdtrit(spread.freedom, power)) * spread.error)
