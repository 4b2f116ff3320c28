"""Cells of a column against each other, corrected for how many tests were made."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from atinuke_bench.metrics.metric import Floats

from ..reading.column import Column
from .cells import Cell, Cells, ranked
from .effects import probability_of_improvement, relative_change, relative_error_reduction
from .spread import LEVEL, Spread, difference, minimum_detectable_difference

NOT_TESTED = "not tested"


@dataclass(frozen=True)
class Comparison:
    """A against B in one column. `spread` is A's mean less B's; `p_corrected` is Holm's over the whole table."""

    a: Cell
    b: Cell
    spread: Spread
    p_corrected: float

    @property
    def column(self) -> Column:
        return self.a.column

    @property
    def is_told_apart(self) -> bool:
        """Whether a test found a difference."""
        return self.p_corrected < LEVEL

    @property
    def verdict(self) -> str:
        """Better, worse or tie, as seen from A; a tie is a test's outcome too."""
        if not math.isfinite(self.spread.error):
            return NOT_TESTED
        if not self.is_told_apart:
            return "tie"
        return "better" if (self.spread.value > 0) == self.a.higher_is_better else "worse"

    @property
    def note(self) -> str:
        """Why there is no test, where there is none."""
        if math.isfinite(self.spread.error):
            return ""
        if self.a.scores.resampled is None or self.b.scores.resampled is None:
            return f"{NOT_TESTED}: predictions cannot be paired"
        if min(self.a.num_seeds, self.b.num_seeds) < 2:
            return f"{NOT_TESTED}: a test over seeds needs two or more seeds of each trained core"
        return f"{NOT_TESTED}: the metric is undefined on most resamples"

    def record(self) -> dict[str, Any]:
        """The comparison as plain figures."""
        ours, theirs = self.a.mean, self.b.mean
        low, high = self.spread.interval() or (math.nan, math.nan)
        improvement = probability_of_improvement(self.a.scores.observed, self.b.scores.observed)
        return {
            "task": self.column.task,
            "a": self.a.variant,
            "b": self.b.variant,
            "score_a": ours,
            "score_b": theirs,
            "seeds_a": self.a.num_seeds,
            "seeds_b": self.b.num_seeds,
            "absolute difference": self.spread.value,
            "low": low,
            "high": high,
            "relative change %": relative_change(ours, theirs),
            "relative error reduction %": relative_error_reduction(ours, theirs),
            "p": self.spread.p_value,
            "p corrected": self.p_corrected,
            "minimum detectable difference": minimum_detectable_difference(self.spread),
            "probability of improvement": improvement if self.a.higher_is_better else 1 - improvement,
            "verdict": self.verdict,
            "note": self.note,
        }


def compare_cells(a: Cell, b: Cell) -> Comparison:
    """A against B, uncorrected; `corrected` follows when all comparisons are made."""
    spread = difference(a.scores, b.scores)
    return Comparison(a, b, spread, spread.p_value)


def best_against_others(cells: Cells) -> list[Comparison]:
    """In every column the variant with the best mean against each other one.

    Which one is best is only known from the data, so that Holm's correction counts all pairs of all columns.
    """
    found: list[Comparison] = []
    num_tests = 0
    for own in cells.values():
        first, *others = ranked(own.values())
        num_tests += len(own) * (len(own) - 1) // 2
        found += [compare_cells(first, other) for other in others]
    return corrected(found, num_tests)


def corrected(comparisons: Sequence[Comparison], num_tests: int | None = None) -> list[Comparison]:
    """The comparisons with Holm's p values over all of them."""
    adjusted = holm([comparison.spread.p_value for comparison in comparisons], num_tests)
    return [replace(one, p_corrected=float(p)) for one, p in zip(comparisons, adjusted, strict=True)]


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
