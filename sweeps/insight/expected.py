"""The best score to expect of n trials, from those of one study whose trials do not depend on each other.

What is drawn is the unbiased estimator: the mean over all choices of n of the N trials of the best score among them
(a U-statistic; Tang et al. 2020, "Showing Your Work Doesn't Always Work"). Beside it stands the plug-in estimator of
Dodge et al. 2019 ("Show Your Work"), the expected best of n draws, with replacement, from the N scores, which is biased
towards worse scores, the more the nearer n is to N.

Intervals are of the bootstrap over trials, whose resamples have that bias too: they are moved by it, and reach at
least as far as 1.96 of their deviations. No resample knows of scores beyond the best one, so that they hold the truth
too seldom where n is near N: they end at a quarter of the trials, and the curve at half of them
(`benchmarks/expected_best.py`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import gammaln

from .axes import Floats

RESAMPLES = 1000
#: Parts of the trials (a half, a quarter) at which curves and intervals end, and trials from which on there are any.
_CURVE, _INTERVAL = 2, 4
LEAST_TRIALS = 8
_LOW, _HIGH, _DEVIATIONS = 2.5, 97.5, 1.96


def unbiased(scores: Floats, most: int) -> Floats:
    """Mean of the largest of n of the scores, over all choices of n without replacement; [.., N] -> [.., most].

    The i-th smallest of N scores is the largest of a choice of n in C(i - 1, n - 1) of C(N, n) cases.

    >>> unbiased(np.array([1.0, 2.0, 4.0]), 3).round(3).tolist()
    [2.333, 3.333, 4.0]
    """
    count = scores.shape[-1]
    rank, size = np.arange(1, count + 1)[:, None], np.arange(1, most + 1)[None, :]
    with np.errstate(invalid="ignore"):
        logarithm = _log_choices(rank - 1, size - 1) - _log_choices(np.array(count), size)
    weights = np.where(rank >= size, np.exp(np.where(rank >= size, logarithm, 0.0)), 0.0)
    found: Floats = np.sort(scores, axis=-1) @ weights
    return found


def plug_in(scores: Floats, most: int) -> Floats:
    """Expected largest of n draws with replacement from the scores; [.., N] -> [.., most].

    >>> plug_in(np.array([1.0, 2.0, 4.0]), 2).round(3).tolist()
    [2.333, 3.0]
    """
    count = scores.shape[-1]
    below, size = np.arange(count + 1)[:, None] / count, np.arange(1, most + 1)[None, :]
    found: Floats = np.sort(scores, axis=-1) @ np.diff(below**size, axis=0)
    return found


def interval(scores: Floats, most: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """95 % interval of `unbiased` for n up to `most`, by the bootstrap over the scores [N]; [most] and [most]."""
    found = unbiased(scores, most)
    resampled = unbiased(scores[rng.integers(0, len(scores), (RESAMPLES, len(scores)))], most)
    moved = np.percentile(resampled, [_LOW, _HIGH], axis=0) + found - resampled.mean(axis=0)
    reach = _DEVIATIONS * resampled.std(axis=0)
    return np.minimum(moved[0], found - reach), np.maximum(moved[1], found + reach)


def expected_best(scores: Floats, flops_of_a_trial: float, *, higher_is_better: bool, seed: int) -> dict[str, Any]:
    """The curve as the head of the package describes it. `flops_of_a_trial` is the mean spent for one score."""
    sign, count = (1.0 if higher_is_better else -1.0), len(scores)
    most, sure = count // _CURVE, count // _INTERVAL
    ends = interval(sign * scores, sure, np.random.default_rng(seed))
    low, high = (sign * end for end in ends[:: int(sign)])
    trials = list(range(1, most + 1))
    return {
        "estimator": "unbiased",
        "trials": trials,
        "training_flops": [number * flops_of_a_trial for number in trials],
        "mean": (sign * unbiased(sign * scores, most)).tolist(),
        "low": [*low.tolist(), *[None] * (most - sure)],
        "high": [*high.tolist(), *[None] * (most - sure)],
        "plug_in": (sign * plug_in(sign * scores, most)).tolist(),
        "resamples": RESAMPLES,
        "of": count,
    }


def _log_choices(of: Any, chosen: Any) -> Floats:
    found: Floats = gammaln(of + 1.0) - gammaln(chosen + 1.0) - gammaln(np.maximum(of - chosen, 0) + 1.0)
    return found
