"""Exact tests by exchange: many systems, each against one on the same units, or many differences against zero.

The same exchanges serve all of them, so that hundreds cost a few products of matrices.
Letters: U units, X exchanges, S systems, D sums of a sample, K differences.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from atinuke_bench.metrics.metric import Floats, SumSample
from atinuke_bench.metrics.units import WEIGHTS_AT_ONCE

#: Exchanges that are drawn where there are more than this. The smallest p is about 1e-4, which stays below 0.05 after
#: Holm's correction over 400 tests.
NUM_EXCHANGES = 10_000
#: Differences of equal sums in another order may differ in the last bits.
_TOLERANCE = 1e-9


def swap_p_values(one: SumSample, others: Sequence[SumSample], *, seed: int = 0) -> Floats:  # [S]
    """Two-sided p of each other system against one: the answers to a unit change sides (Noreen 1989).

    NaN for a sample that cannot be paired with the one, or whose figure is none. With few units all exchanges are made.

    >>> from atinuke_bench.metrics.metric import mean_sample
    >>> right, wrong = (mean_sample("abcdefgh", [score] * 8) for score in (1.0, 0.0))
    >>> swap_p_values(right, [wrong, right]).tolist()
    [0.0078125, 1.0]
    """
    fits = [other.units == one.units and other.statistics.shape == one.statistics.shape for other in others]
    found = np.full(len(others), np.nan)
    places = [place for place, own in enumerate(fits) if own]
    if not places or not np.isfinite(one.value()):
        return found
    width = one.statistics.shape[1]
    changes = np.concatenate([others[place].statistics - one.statistics for place in places], axis=1)  # [U, S * D]
    start = one.statistics.sum(axis=0)
    ends = start + changes.sum(axis=0).reshape(-1, width)  # [S, D]
    observed = np.abs(one.finish(start[None])[0] - _figures(one, ends))
    counts, total = np.zeros(len(places)), 0
    for signs in _signs(len(one.units), changes.shape[1], seed):
        moved = ((signs < 0).astype(np.float64) @ changes).reshape(len(signs), -1, width)  # [X, S, D]
        ours, theirs = start + moved, ends - moved
        differences = np.abs(_figures(one, ours) - _figures(one, theirs))
        counts += (differences >= observed - _TOLERANCE).sum(axis=0)
        total += len(signs)
    found[places] = np.where(np.isfinite(observed), _p(counts, total, len(one.units)), np.nan)
    return found


def sign_p_values(differences: Floats, *, seed: int = 0) -> Floats:  # [U, K] -> [K]
    """One-sided p of means above zero: under the null a unit's difference is as likely below zero as above.

    Units whose difference is NaN are left out of its mean; a p is NaN where all are.

    >>> sign_p_values(np.stack([np.ones(8), np.zeros(8)], axis=1)).tolist()
    [0.00390625, 1.0]
    """
    known = np.nan_to_num(differences, nan=0.0)
    observed = known.sum(axis=0)
    # Sums of large numbers are less exact.
    least = observed - _TOLERANCE * np.maximum(1.0, np.abs(known).sum(axis=0))
    counts, total = np.zeros(differences.shape[1]), 0
    for signs in _signs(len(differences), differences.shape[1], seed):
        counts += (signs @ known >= least).sum(axis=0)
        total += len(signs)
    return np.where(np.isfinite(differences).any(axis=0), _p(counts, total, len(differences)), np.nan)


def _figures(one: SumSample, sums: Floats) -> Floats:  # [..., D] -> [...]
    flat = np.ascontiguousarray(sums.reshape(-1, sums.shape[-1]))
    return one.finish(flat).reshape(sums.shape[:-1])


def _p(counts: Floats, total: int, num_units: int) -> Floats:
    # Drawn exchanges count the one that was observed beside themselves (Phipson and Smyth 2010).
    return counts / total if _is_small(num_units) else (counts + 1) / (total + 1)


def _is_small(num_units: int) -> bool:
    return 2**num_units <= NUM_EXCHANGES


def _signs(num_units: int, width: int, seed: int) -> Iterator[Floats]:  # [X, U] of -1 and 1
    """All exchanges of few units, or as many as are drawn, in parts that bound what is made of `width` numbers each."""
    size = max(1, WEIGHTS_AT_ONCE // max(num_units, width))
    generator = np.random.default_rng(seed)
    number = 2**num_units if _is_small(num_units) else NUM_EXCHANGES
    for start in range(0, number, size):
        rows = np.arange(start, min(start + size, number))
        if _is_small(num_units):
            bits = (rows[:, None] >> np.arange(num_units)) & 1
        else:
            bits = generator.integers(0, 2, size=(len(rows), num_units), dtype=np.int8)
        yield 1.0 - 2.0 * bits.astype(np.float64)
