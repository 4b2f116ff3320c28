"""Ranks of cores over tasks: Friedman's test, and Nemenyi's critical difference (Demšar 2006).

Letters: G groups that are independent evidence (rows), V variants (columns).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from atinuke_bench.metrics.metric import Floats

from .paired import mcnemar
from .spread import LEVEL


@dataclass(frozen=True)
class Ranking:
    """The mean rank of each variant (1: highest), Friedman's p, and the difference of mean ranks that Nemenyi's test
    at 5 % finds.

    Nothing is told apart where p is NaN. Of two variants p is that of the sign test, which is exact: Nemenyi's alone
    would call five wins of five a finding.
    """

    mean_ranks: Floats
    p: float
    critical_difference: float
    num_rows: int

    def are_told_apart(self, one: int, other: int) -> bool:
        """Whether the ranks of two variants differ by more than the critical difference, and Friedman's test agrees."""
        gap = abs(float(self.mean_ranks[one] - self.mean_ranks[other]))
        return self.p < LEVEL and gap > self.critical_difference

    def ties(self) -> list[tuple[int, ...]]:
        """The longest runs of neighbours, best first, in which no two are told apart; single ones left out."""
        order = [int(place) for place in np.argsort(self.mean_ranks, kind="stable")]
        found: list[tuple[int, ...]] = []
        last = 0
        for start in range(len(order)):
            end = max(stop for stop in range(start, len(order)) if not self.are_told_apart(order[start], order[stop]))
            if end > max(start, last):
                found.append(tuple(order[start : end + 1]))
            last = max(last, end)
        return found


def rank(scores: Floats) -> Ranking:
    """The ranking of scores, more being better: rows that are independent evidence, columns variants [G, V].

    >>> found = rank(np.array([[9.0, 5.0, 1.0], [8.0, 8.0, 2.0], [7.0, 6.0, 3.0]]))
    >>> found.mean_ranks.round(2).tolist(), round(found.critical_difference, 2)
    ([1.17, 1.83, 3.0], 1.91)
    """
    from scipy import stats  # takes a second to load

    num_rows, num_variants = scores.shape
    ranks = stats.rankdata(-scores, axis=1)
    # All equal in each row: no order at all, where Friedman's statistic is 0 / 0.
    if (ranks == ranks[:, :1]).all():
        p = 1.0
    elif num_variants > 2:
        p = float(stats.friedmanchisquare(*scores.T).pvalue)
    else:
        p = mcnemar(scores[:, 0] > scores[:, 1], scores[:, 0] < scores[:, 1])
    critical = _quantile(num_variants) * math.sqrt(num_variants * (num_variants + 1) / (12 * num_rows))
    return Ranking(ranks.mean(axis=0), p, critical, num_rows)


@cache
def _quantile(num_variants: int) -> float:
    """Of the studentised range, with endless degrees of freedom; an integral that takes a while."""
    from scipy.stats import studentized_range

    return float(studentized_range.ppf(1 - LEVEL, num_variants, np.inf))
