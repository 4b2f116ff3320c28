"""Cells of a column against each other, corrected for how many tests were made."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from atinuke_bench.errors import ConfigError
from atinuke_bench.formatting import number
from atinuke_bench.metrics.metric import Floats

from ..reading.column import Column
from .cells import Cell, Cells, ranked
from .effects import probability_of_improvement, relative_change, relative_error_reduction
from .spread import LEVEL, Spread, difference, minimum_detectable_difference

NOT_TESTED = "not tested"


@dataclass(frozen=True)
class Comparison:
    """A against B in one column. `spread` is A's mean less B's; `p_corrected` is Holm's over its family."""

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
    def finding(self) -> str:
        """The verdict for readers: beside a tie, the difference that the runs could have shown."""
        detectable = minimum_detectable_difference(self.spread)
        return f"tie (detectable: {number(detectable)})" if self.verdict == "tie" else self.verdict

    @property
    def note(self) -> str:
        """Why there is no test, where there is none."""
        if math.isfinite(self.spread.error):
            return ""
        if self.a.drawn is not None and self.a.drawn.too_few:
            return f"{NOT_TESTED}: {self.a.drawn.too_few}"
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
            "resampled": "" if self.a.drawn is None else str(self.a.drawn),
            "verdict": self.verdict,
            "note": self.note,
        }


def compare_cells(a: Cell, b: Cell) -> Comparison:
    """A against B, uncorrected; `corrected` follows when all comparisons are made."""
    spread = difference(a.scores, b.scores)
    return Comparison(a, b, spread, spread.p_value)


@dataclass(frozen=True)
class Family:
    """The comparisons of one table, and over how many tests p is corrected in it.

    Without a reference A is the best trained core of its column; with one, B is the reference. The floor is outside:
    it is compared by the plain p and counts as no test.
    """

    comparisons: tuple[Comparison, ...]
    num_tests: int
    reference: str | None = None

    @property
    def note(self) -> str:
        """Which tests p is corrected over."""
        pairs = "all pairs of trained cores in each column of this table"
        declared = f"every other trained core against {self.reference} in each column of this table"
        outside = "; a comparison with the floor is outside of these and its p is not corrected"
        has_floor = any(is_with_floor(one) for one in self.comparisons)
        return family_note(self.num_tests, declared if self.reference else pairs) + (outside if has_floor else "")

    def other(self, one: Comparison) -> Cell:
        """The side of a comparison that all others of its column do not have."""
        return one.a if self.reference else one.b


def family_note(num_tests: int, rule: str) -> str:
    """How a family of tests is declared.

    >>> family_note(2, "A against B on each task")
    'p is corrected over 2 tests (Holm): A against B on each task'
    """
    return f"p is corrected over {num_tests} {'test' if num_tests == 1 else 'tests'} (Holm): {rule}"


def is_with_floor(one: Comparison) -> bool:
    return one.a.scores.is_fixed or one.b.scores.is_fixed


def num_tested(comparisons: Iterable[Comparison]) -> int:
    """How many comparisons have a test."""
    return sum(math.isfinite(one.spread.error) for one in comparisons)


def best_against_others(cells: Cells) -> Family:
    """In every column of a table the trained core with the best mean against each other one, and against the floor.

    Which one is best is only known from the data, so that Holm's correction counts all pairs.
    """
    inside: list[Comparison] = []
    outside: list[Comparison] = []
    num_tests = 0
    for own in cells.values():
        cores = ranked(cell for cell in own.values() if not cell.scores.is_fixed)
        inside += [compare_cells(cores[0], other) for other in cores[1:]]
        outside += [compare_cells(cores[0], floor) for floor in own.values() if floor.scores.is_fixed and cores]
        num_tests += num_tested(compare_cells(a, b) for a, b in combinations(cores, 2))
    return _family(cells, corrected(inside, num_tests), outside, num_tests, None)


def all_against_reference(cells: Cells, name: str, runs: Collection[int]) -> Family:
    """In every column of a table that has the reference, whose runs are given, each other core against it.

    ConfigError where the reference is several variants.
    """
    inside: list[Comparison] = []
    outside: list[Comparison] = []
    for column, own in cells.items():
        references = [cell for cell in own.values() if not set(runs).isdisjoint(cell.runs)]
        if len(references) > 1:
            labels = ", ".join(sorted(cell.variant for cell in references))
            raise ConfigError(f"--reference is one core; {name!r} names several on {column}: {labels}")
        for reference in references:
            for cell in ranked(own.values()):
                if cell is not reference:
                    (outside if cell.scores.is_fixed else inside).append(compare_cells(cell, reference))
    return _family(cells, corrected(inside), outside, num_tested(inside), name)


def _family(
    cells: Cells, inside: list[Comparison], outside: list[Comparison], num_tests: int, reference: str | None
) -> Family:
    places = {column: place for place, column in enumerate(cells)}
    return Family(tuple(sorted(inside + outside, key=lambda one: places[one.column])), num_tests, reference)


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
