"""What runs that are only planned could show: the difference they detect, and the seeds that a difference needs.

The variances are those of finished runs of the same cores on the same task; else of published systems over seeds, with
the test set's own from its size. A planned test is judged as the report will judge it: paired over units and seeds, at
the level that Holm's correction asks of the first of all its tests.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np

from atinuke_bench.errors import ConfigError
from atinuke_bench.metrics.units import too_few

from ..reading.frame import Frame
from ..reading.seed_variances import read_seed_variances
from .cells import Cell, measure
from .spread import LEVEL, POWER, Sources, minimum_detectable_difference, sources

#: How alike two cores are in which examples they get right, where no runs tell: a correlation.
ASSUMED_CORRELATION = 0.5
#: As good as any number of seeds.
_EVER_MORE = 1_000_000


@dataclass(frozen=True)
class PlannedColumn:
    """Trained cores, by their labels, that will be compared on a task; `num_units` None where nobody knows."""

    task: str
    metric: str
    cores: tuple[str, ...]
    num_seeds: int
    source: str
    num_units: int | None
    unit: str = "example"

    def num_tests(self, reference: str | None = None) -> int:
        """Tests that the report counts: all pairs of cores, or every other one with the reference."""
        num = len(self.cores)
        return math.comb(num, 2) if reference is None else max(0, num - 1) * (reference in self.cores)


@dataclass(frozen=True)
class Detectable:
    """What one column can show: the largest difference that any of its pairs needs, in points; NaN where unknown."""

    column: PlannedColumn
    difference: float
    #: The two-sided level of a test, correction and all.
    level: float
    #: The difference that even ever more seeds would need.
    floor: float
    #: Where the variances are from, or why there are none.
    basis: str
    num_units: int | None = None
    #: The difference asked for, and the seeds of each core that show it; None where no number does.
    asked: float | None = None
    seeds_needed: int | None = None

    @property
    def is_known(self) -> bool:
        return math.isfinite(self.floor)

    def record(self) -> dict[str, Any]:
        """Plain figures."""
        asked = {} if self.asked is None else {"asked": self.asked, "seeds needed": self.seeds_needed}
        return {
            "task": self.column.task,
            "metric": self.column.metric,
            "cores": list(self.column.cores),
            "seeds": self.column.num_seeds,
            "units": self.num_units,
            "level": self.level,
            "power": POWER,
            "minimum detectable difference": self.difference,
            "with any number of seeds": self.floor,
            "basis": self.basis,
            **asked,
        }


def require_difference(points: float | None) -> float | None:
    """A difference that can be looked for, in points; ConfigError."""
    if points is not None and not 0 < points < 100:
        raise ConfigError(f"--detect is a number of points above 0 and below 100, such as 0.7; found {points:g}")
    return points


def detectable(
    columns: Sequence[PlannedColumn], frame: Frame | None, asked: float | None = None, reference: str | None = None
) -> list[Detectable]:
    """What each column can show, with the variances of a store's runs where it has such, else published ones."""
    num_tests = sum(column.num_tests(reference) for column in columns)
    level = LEVEL / max(1, num_tests)
    return [_detectable(column, frame, asked, level) for column in columns]


def _detectable(column: PlannedColumn, frame: Frame | None, asked: float | None, level: float) -> Detectable:
    unknown = Detectable(column, math.nan, level, math.nan, "", column.num_units, asked)
    if len(column.cores) < 2:
        return replace(unknown, basis="one trained core, and nothing to compare it with")
    found, basis, num_units = _variances(column, frame)
    unknown = replace(unknown, num_units=num_units, basis=basis)
    if not found or num_units is None:
        return unknown
    if reason := too_few(column.unit, num_units):
        return replace(unknown, basis=f"no test: {reason}")
    floor = max(_difference(one, _EVER_MORE, level) for one in found)
    if column.num_seeds < 2:
        no_test = "one seed is never tested, whatever the difference; two or more are"
        known = replace(unknown, floor=floor, basis=f"{no_test}; {basis}")
    else:
        difference = max(_difference(one, column.num_seeds, level) for one in found)
        known = replace(unknown, floor=floor, difference=difference)
    if asked is None or asked < floor:
        return known
    needed = [one.seeds_needed(asked, level) for one in found]
    return replace(known, seeds_needed=None if None in needed else max(filter(None, needed)))


def _difference(found: Sources, num_seeds: int, level: float) -> float:
    return minimum_detectable_difference(found.spread(0.0, num_seeds), level)


def _variances(column: PlannedColumn, frame: Frame | None) -> tuple[list[Sources], str, int | None]:
    """The variances of the column's pairs, where they are from, and the units of its test set."""
    if frame is not None and (seen := _seen(column, frame)):
        num_units = column.num_units or seen[0].num_units
        fewest = min(one.num_seeds for one in seen)
        pairs = "" if len(seen) == 1 else f" of {len(seen)} pairs"
        basis = f"runs in the store{pairs}, {fewest} seeds each"
        return [one.sources.on_units(num_units) for one in seen], basis, num_units
    if column.source == "microworld":
        basis = "unknown until the store has two seeds of two cores: generated data is like no published"
        return [], basis, column.num_units
    rows = read_seed_variances()
    rows = rows[(rows["task"] == column.task) & (rows["metric"] == column.metric)]
    if rows.empty:
        return [], "unknown until the store has two seeds of two cores: no published variance", column.num_units
    if column.num_units is None:
        return [], "unknown: the size of its test set is not known without its data", None
    systems = ", ".join(rows["system"])
    basis = f"published ({systems}; {rows['num_seeds'].min()} seeds), correlation {ASSUMED_CORRELATION:g} assumed"
    mean, variance = float(rows["mean"].mean()), float(np.mean(rows["sd"] ** 2))
    return [published_sources(mean, variance, column.num_units)], basis, column.num_units


def published_sources(mean: float, variance: float, num_units: int) -> Sources:
    """The sources of a difference of two cores with this accuracy (percent) and variance over seeds.

    A seed's share of the units' variance is part of what is published, so that nothing of it is taken off.

    >>> published_sources(90.0, 0.25, 10_000).of_units
    0.09
    """
    of_units = round(2 * (1 - ASSUMED_CORRELATION) * mean * (100 - mean) / num_units, 12)
    return Sources(of_units, num_units - 1.0, ((variance, variance, 2), (variance, variance, 2)))


@dataclass(frozen=True)
class _Seen:
    """Two cores of a column in the store."""

    sources: Sources
    num_units: int
    num_seeds: int


def _seen(column: PlannedColumn, frame: Frame) -> list[_Seen]:
    """The pairs of planned cores that a store has with two seeds each, of the column that has most of them."""
    runs = frame.runs
    kept = runs[(runs["task"] == column.task) & (runs["source"] == column.source) & runs["label"].isin(column.cores)]
    if kept.empty:
        return []
    cells, _ = measure(replace(frame, runs=kept))
    found = [_pairs(list(own.values())) for own in cells.values()]
    wanted = column.num_units
    return max(found, key=lambda pairs: (len(pairs), bool(pairs) and pairs[0].num_units == wanted), default=[])


def _pairs(cells: Sequence[Cell]) -> list[_Seen]:
    trained = [cell for cell in cells if not cell.scores.is_fixed and cell.num_seeds > 1]
    found = []
    for a, b in combinations(trained, 2):
        known = sources([(a.scores, 1.0), (b.scores, -1.0)])
        # Two that never differed say nothing of how far two may.
        if known is not None and known.spread(0.0).error > 0 and a.scores.num_units is not None:
            found.append(_Seen(known, a.scores.num_units, min(a.num_seeds, b.num_seeds)))
    return found
