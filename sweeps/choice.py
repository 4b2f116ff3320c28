"""How likely it is that the trial a study chose is the best of those that it compared, and what is lost if it is not.

What a trial scored is its true value and two errors: of the held-out examples, which trials share, and of the luck of
training. True values are taken as draws from a normal distribution whose mean and variance the trials themselves show
(empirical Bayes, as in Morris 1983), so that the best of many is drawn back towards the others by as much as its lead
is noise. `benchmarks/selection_chance.py` holds the stated chances against known truths: where true values have a long
tail downwards, large chances are too large by up to 0.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_DRAWS = 20_000


@dataclass(frozen=True)
class Compared:
    """Trials that are compared: their values, more being better, and the covariance of the errors in these [K, K]."""

    values: Floats
    errors: Floats


@dataclass(frozen=True)
class Chances:
    """Of each trial the chance of being the best, and how far below the best one it is to be expected, in points."""

    best: Floats
    shortfall: Floats


def chances(compared: Compared, seed: int = 0) -> Chances:
    """What can be said of which trial is the best.

    >>> apart = Compared(np.array([60.0, 70.0]), np.eye(2) * 0.01)
    >>> chances(apart).best.tolist()
    [0.0, 1.0]
    """
    values, errors = compared.values, compared.errors
    size = len(values)
    if size == 1:
        return Chances(np.ones(1), np.zeros(1))
    spread, centre = _spread(values, errors)
    # Of true values around a mean that is itself only as well known as so few trials show it.
    prior = spread * np.eye(size) + (spread + np.trace(errors) / size) / size * np.ones((size, size))
    gain = prior @ np.linalg.inv(prior + errors)
    mean, covariance = centre + gain @ (values - centre), prior - gain @ prior
    generator = np.random.default_rng(seed)
    root = np.linalg.cholesky((covariance + covariance.T) / 2 + 1e-9 * np.trace(covariance) * np.eye(size))
    drawn = mean + generator.standard_normal((_DRAWS, size)) @ root.T
    best = np.bincount(drawn.argmax(axis=1), minlength=size) / _DRAWS
    return Chances(best, (drawn.max(axis=1, keepdims=True) - drawn).mean(axis=0))


def _spread(values: Floats, errors: Floats) -> tuple[float, float]:
    """The variance of true values, by moments and never nothing, and their mean."""
    size = len(values)
    # What errors that trials share add to all alike makes no difference between them.
    own = (np.trace(errors) - errors.sum() / size) / (size - 1)
    seen = float(values.var(ddof=1))
    return max(seen - own, 0.1 * seen, 1e-6), float(values.mean())
