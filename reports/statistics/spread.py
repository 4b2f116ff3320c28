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
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import stdtr, stdtrit  # Student's t; scipy.stats, which wraps them, takes a second to load

from atinuke_bench.metrics.metric import Floats

NUM_RESAMPLES = 1000
LEVEL = 0.05
POWER = 0.8
#: More seeds than this are not asked for.
_MOST_SEEDS = 1000
#: Smaller errors than this are those of adding up.
_NO_ERROR = 1e-9


@dataclass(frozen=True)
class Spread:
    """A figure with its standard error and degrees of freedom; both NaN where they cannot be known."""

    value: float
    error: float
    freedom: float

    def interval(self, confidence: float = 1 - LEVEL) -> tuple[float, float] | None:
        """The two-sided t interval; None where nothing is known of the error."""
        if not self.has_error:
            return None
        half = float(stdtrit(self.freedom, (1 + confidence) / 2)) * self.error
        return self.value - half, self.value + half

    @property
    def has_error(self) -> bool:
        """Whether the error is an estimate: what never varied has one of 0, and may vary yet."""
        return math.isfinite(self.error) and self.error != 0

    @property
    def is_alike(self) -> bool:
        """Whether a difference is 0 on every unit and seed, so that nothing is known of how far it may vary."""
        return self.value == 0 and self.error == 0

    @property
    def p_value(self) -> float:
        """Two-sided p of the figure being 0."""
        if not math.isfinite(self.error):
            return float("nan")
        if self.error == 0:
            return 1.0 if self.value == 0 else 0.0
        return float(2 * stdtr(self.freedom, -abs(self.value) / self.error))

    def p_above(self, bound: float) -> float:
        """One-sided p of the figure being at most `bound`: small where it is above."""
        if not math.isfinite(self.error):
            return float("nan")
        if self.error == 0:
            return 0.0 if self.value > bound else 1.0
        return float(stdtr(self.freedom, (bound - self.value) / self.error))

    def p_below(self, bound: float) -> float:
        """One-sided p of the figure being at least `bound`: small where it is below."""
        return replace(self, value=-self.value).p_above(-bound)


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
    return contrast([(a, 1.0), (b, -1.0)])


def contrast(parts: Sequence[tuple[Scores, float]]) -> Spread:
    """A sum of means, each with its weight, paired over units; error NaN when a trained core has a single seed."""
    return _spread(parts, require_seeds=True)


@dataclass(frozen=True)
class Sources:
    """Where the variance of a contrast comes from."""

    of_units: float
    unit_freedom: float
    #: Of each core with several seeds: the variance between these that units leave unexplained, which an estimate may
    #: put below 0, the one observed, and how many there are.
    of_seeds: tuple[tuple[float, float, int], ...]

    def spread(self, value: float, num_seeds: int | None = None) -> Spread:
        """A contrast of some value with its error, as it is or as it would be with another number of seeds."""
        parts = [(max(0.0, left), between, num_seeds or own) for left, between, own in self.of_seeds]
        # What units explain of the seeds is averaged over these too: by so many as there would be, not as there are.
        explained = sum((seen - left) * (1 / (num_seeds or own) - 1 / own) for left, seen, own in self.of_seeds)
        of_units = max(0.0, self.of_units + explained)
        total = of_units + sum(left / num for left, _, num in parts)
        if total < _NO_ERROR**2:
            return Spread(0.0 if abs(value) < _NO_ERROR else value, 0.0, self.unit_freedom)
        # How uncertain a variance is depends on the one observed, before the explained part is taken off.
        doubt = of_units**2 / self.unit_freedom + sum((seen / num) ** 2 / (num - 1) for _, seen, num in parts)
        if not doubt:
            return Spread(value, math.sqrt(total), math.inf)
        # No fewer than the part with the fewest has by itself.
        fewest = min([self.unit_freedom, *(num - 1.0 for _, _, num in parts)])
        freedom = max(total**2 / doubt, fewest)
        if any(num == 2 for _, _, num in parts):
            # Two seeds that happen to agree say little of how far others do, and Satterthwaite would trust the units:
            # one degree more than the seeds have is as much as keeps a corrected table under its 5 %.
            freedom = min(freedom, 1 + sum(num - 1.0 for _, _, num in parts))
        return Spread(value, math.sqrt(total), freedom)

    def on_units(self, num_units: int) -> Sources:
        """The same on a test set of so many units of the same kind."""
        share = (self.unit_freedom + 1) / num_units
        seeds = tuple((left, left + share * (seen - left), own) for left, seen, own in self.of_seeds)
        return Sources(share * self.of_units, num_units - 1.0, seeds)

    def seeds_needed(self, value: float, level: float = LEVEL, power: float = POWER) -> int | None:
        """How many seeds of each core tell a contrast of some value from 0 with probability `power`.

        None where no number of seeds does: the units are too few for it.
        """
        for num_seeds in range(2, _MOST_SEEDS + 1):
            if minimum_detectable_difference(self.spread(value, num_seeds), level, power) <= abs(value):
                return num_seeds
        return None


def sources(parts: Sequence[tuple[Scores, float]]) -> Sources | None:
    """The sources of a contrast's variance; None where that of the units is."""
    found = unit_variance(parts)
    if found is None:
        return None
    seeded = [(scores, weight) for scores, weight in parts if len(scores.observed) > 1 and not scores.is_fixed]
    return Sources(*found, tuple(_of_seeds(scores, weight) for scores, weight in seeded))


def unit_variance(parts: Sequence[tuple[Scores, float]]) -> tuple[float, float] | None:
    """The variance that a contrast owes to the units, and its degrees of freedom.

    None where there are no resampled scores, or too few that are defined.
    """
    resampled = [scores.resampled for scores, _ in parts if scores.resampled is not None]
    if len(resampled) < len(parts):
        return None
    means = np.sum([weight * own.mean(axis=1) for own, (_, weight) in zip(resampled, parts, strict=True)], axis=0)
    means = means[np.isfinite(means)]
    # A metric that most resamples leave undefined has no interval.
    if len(means) * 2 < len(resampled[0]):
        return None
    freedom = min(_unit_freedom(scores) for scores, _ in parts)
    return float(means.var(ddof=1)) * (freedom + 1) / freedom, freedom


def _spread(parts: Sequence[tuple[Scores, float]], *, require_seeds: bool) -> Spread:
    value = sum(weight * float(scores.observed.mean()) for scores, weight in parts)
    found = sources(parts)
    lacks_seeds = any(len(scores.observed) < 2 and not scores.is_fixed for scores, _ in parts)
    if found is None or (require_seeds and lacks_seeds):
        return Spread(value, float("nan"), float("nan"))
    return found.spread(value)


def _unit_freedom(scores: Scores) -> float:
    assert scores.num_units is not None, "no predictions to resample"
    return scores.num_units - 1.0


def _of_seeds(scores: Scores, weight: float) -> tuple[float, float, int]:
    assert scores.resampled is not None, "no predictions to resample"
    num_seeds = len(scores.observed)
    deviations = scores.resampled - scores.resampled.mean(axis=1, keepdims=True)
    deviations = deviations[np.isfinite(deviations).all(axis=1)]
    freedom = _unit_freedom(scores)
    explained = float(deviations.var(axis=0, ddof=1).sum()) / (num_seeds - 1) * (freedom + 1) / freedom
    between = float(scores.observed.var(ddof=1))
    return weight**2 * (between - explained), weight**2 * between, num_seeds


def minimum_detectable_difference(spread: Spread, level: float = LEVEL, power: float = POWER) -> float:
    """The difference that a test at `level` finds with probability `power`, given a difference's standard error.

    NaN where nothing is known of that.
    """
    if not spread.has_error:
        return float("nan")
    return float((stdtrit(spread.freedom, 1 - level / 2) + stdtrit(spread.freedom, power)) * spread.error)
