"""Cells of a column against each other, corrected for how many tests were made."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from atinuke_bench.errors import ConfigError

from ..reading.column import Column
from .cells import Cell, Cells, ranked
from .effects import probability_of_improvement, relative_change, relative_error_reduction
from .spread import difference, minimum_detectable_difference
from .verdict import ALIKE, FEWEST_SEEDS, NOT_TESTED, Judged, corrected


@dataclass(frozen=True, kw_only=True)
class Comparison(Judged):
    """A against B in one column. `spread` is A's mean less B's; `p_corrected` is Holm's over its family."""

    a: Cell
    b: Cell

    @property
    def column(self) -> Column:
        return self.a.column

    @property
    def higher_is_better(self) -> bool:
        return self.a.higher_is_better

    @property
    def why_no_margin(self) -> str:
        if not self.a.is_percentage:
            return "a margin in points is of percentages alone"
        fewest = min(cell.num_seeds for cell in (self.a, self.b) if not cell.scores.is_fixed)
        return "" if fewest >= FEWEST_SEEDS else f"equal on one task needs {FEWEST_SEEDS} seeds of each trained core"

    @property
    def note(self) -> str:
        """Why there is no test, or none of the margin, where there is none."""
        if self.spread.is_alike:
            return f"{ALIKE}, so that what could have been detected is unknown"
        if self.is_tested:
            return self.why_no_margin if self.equivalence and not self.is_told_apart else ""
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
            **self.margin_record(),
        }


def compare_cells(a: Cell, b: Cell) -> Comparison:
    """A against B, uncorrected; `corrected` follows when all comparisons are made."""
    spread = difference(a.scores, b.scores)
    return Comparison(a=a, b=b, spread=spread, p_corrected=spread.p_value)


@dataclass(frozen=True)
class Family:
    """The comparisons of one table, and over how many tests p is corrected in it.

    Without a reference A is the best trained core of its column; with one, B is the reference. The floor is outside:
    it is compared by the plain p and counts as no test.
    """

    comparisons: tuple[Comparison, ...]
    num_tests: int
    reference: str | None = None
    margin: float | None = None

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
    return sum(one.is_tested for one in comparisons)


def best_against_others(cells: Cells, margin: float | None = None) -> Family:
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
    return _family(cells, corrected(inside, num_tests, margin), outside, num_tests, None, margin)


def all_against_reference(cells: Cells, name: str, runs: Collection[int], margin: float | None = None) -> Family:
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
    return _family(cells, corrected(inside, None, margin), outside, num_tested(inside), name, margin)


def _family(
    cells: Cells,
    inside: list[Comparison],
    outside: list[Comparison],
    num_tests: int,
    reference: str | None,
    margin: float | None,
) -> Family:
    places = {column: place for place, column in enumerate(cells)}
    # Each of those outside is a family by itself.
    found = [*inside, *(one for alone in outside for one in corrected([alone], None, margin))]
    return Family(tuple(sorted(found, key=lambda one: places[one.column])), num_tests, reference, margin)
