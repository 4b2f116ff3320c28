"""Runs on other test sets than their own: scores, how far they drop, and which core is better there."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from atinuke_bench.formatting import number

from ..drawing.labels import legend
from ..drawing.names import short
from ..drawing.style import MOST_VARIANTS, SOFT, Look, Plot, finished, new_figure, slug, tip
from ..reading.column import Column
from ..reading.evaluations import evaluations_of
from ..reading.frame import Frame, Gap
from ..statistics.cells import Cell, Cells, measure, ranked
from ..statistics.comparison import Comparison, Family, all_against_reference, best_against_others
from ..statistics.pairing import resampled_note
from ..statistics.spread import Scores, Spread
from .comparisons import comparison_table
from .slices import slices_table
from .table import Table

SECTION = "test-sets"
NOTE = (
    "Finished runs on data other than their own test set. Score: mean over seeds, its 95 % interval (over what is "
    "resampled and seeds) and the number of seeds. Drop: the same runs' own test score by the same metric less this "
    "one; its interval draws both sets and seeds."
)

PERTURBED_NOTE = (
    "shuffled-words and shifted-positions-N are the runs' own test set, read in another way: the words of each text in "
    "random order, or each text as if it followed N tokens. What is left of a score needs no order, or no absolute "
    "place. The interval of such a drop is wide, since both are drawn as if they were other examples."
)


@dataclass(frozen=True)
class Transferred:
    """A variant on one split of a test set, beside its own test score. Drops of losses are rises."""

    cell: Cell
    test_set: str
    trained_on: str
    split: str
    #: NaN where the run's own test set was not judged by this metric.
    own_score: float
    drop: Spread
    #: The cell of the same runs on their own test set, where it is judged by this metric.
    own: Cell | None

    @property
    def name(self) -> str:
        """The test set, and its split where that is not called test."""
        return self.test_set if self.split == "test" else f"{self.test_set} {self.split}"


@dataclass(frozen=True)
class TestSets:
    """Everything that the section shows, and what it lacks."""

    __test__ = False  # pytest takes classes of this name for its own

    tables: tuple[Table, ...] = ()
    plots: tuple[Plot, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    gaps: tuple[Gap, ...] = ()
    #: What the comparisons are corrected over, and what each of their columns is called.
    family: Family | None = None
    names: Mapping[Column, str] = field(default_factory=dict)


def elsewhere(
    frame: Frame, cells: Cells, look: Mapping[str, Look], reference: str | None, runs: Collection[int]
) -> TestSets:
    """The section of a frame whose runs have evaluations; with a reference, whose runs are given, all against it."""
    found = evaluations_of(frame)
    if found.runs.empty:
        return TestSets(gaps=found.gaps)
    own_cells, gaps = measure(found)
    rows = [_transferred(found, cells, cell) for own in own_cells.values() for cell in ranked(own.values())]
    if reference is None:
        family = best_against_others(own_cells)
    else:
        evaluated = found.runs.index[found.runs["own_run"].isin(list(runs))]
        family = all_against_reference(own_cells, reference, list(evaluated))
    tables: list[Table | None] = []
    if rows:
        is_perturbed = any("perturbed" in found.protocols[row.cell.column] for row in rows)
        tables.append(scores_table(rows, is_flagged=bool(found.runs["is_cut"].any()), is_perturbed=is_perturbed))
    names = {row.cell.column: f"{row.name}, trained on {row.trained_on}" for row in rows}
    if family.comparisons:
        table = comparison_table([("other test sets", family)])
        tasks = [names[one.column] for one in family.comparisons]
        tables.append(
            replace(
                table,
                name="test-sets-comparisons",
                title=f"On other test sets: {table.title[0].lower()}{table.title[1:]}",
                shown=table.shown.assign(task=tasks),
                data=table.data.assign(task=tasks),
                section=SECTION,
            )
        )
    if (parts := slices_table(found, own_cells)) is not None:
        tables.append(replace(parts, name="test-sets-slices", title="Other test sets by slice", section=SECTION))
    plots = [_plot(name, [row for row in rows if row.trained_on == name], look) for name in _in_order(rows)]
    return TestSets(
        tuple(table for table in tables if table is not None),
        tuple(plots),
        family.comparisons,
        (*found.gaps, *gaps),
        family,
        names,
    )


def _transferred(found: Frame, cells: Cells, cell: Cell) -> Transferred:
    first = cell.runs[0]
    own_runs = [found.value(run, "own_run") for run in cell.runs]
    scores = np.array([found.value(run, "own_score") for run in cell.runs], dtype=np.float64)
    own = next((one for column in cells.values() for one in column.values() if set(own_runs) <= set(one.runs)), None)
    if own is not None and own.metric != cell.metric:
        own = None
    test_set, trained_on, split = (found.value(first, name) for name in ("test_set", "trained_on", "split"))
    drop = _drop(cell, own, own_runs, scores)
    return Transferred(cell, test_set, trained_on, split, float(scores.mean()), drop, own)


def _drop(cell: Cell, own: Cell | None, own_runs: Sequence[int], scores: np.ndarray) -> Spread:
    """The runs' own score less the one here, as a spread: seeds are paired, the units of the two sets are not."""
    sign = 1.0 if cell.higher_is_better else -1.0
    observed = sign * (scores - cell.scores.observed)
    unknown = Spread(float(observed.mean()), math.nan, math.nan)
    here = cell.scores
    if own is None or own.scores.resampled is None or here.resampled is None:
        return unknown
    places = [own.runs.index(run) for run in own_runs]
    resampled = sign * (own.scores.resampled[:, places] - here.resampled)
    fewest = min(num_units for num_units in (own.scores.num_units, here.num_units) if num_units is not None)
    return Scores(observed, resampled, fewest).mean()


def scores_table(rows: Sequence[Transferred], *, is_flagged: bool, is_perturbed: bool = False) -> Table:
    """One row a test set, split, training task and variant, the best mean of each first."""
    data = pd.DataFrame([_figures(row) for row in rows])
    shown = pd.DataFrame(
        [
            {
                "core": row.cell.variant,
                "test set": row.name,
                "trained on": row.trained_on,
                "metric": row.cell.metric,
                "score": f"{_with_interval(row.cell.mean, row.cell.interval)} n={row.cell.num_seeds}",
                "own test": number(row.own_score),
                "drop": _with_interval(row.drop.value, row.drop.interval(), sign=True),
            }
            for row in rows
        ]
    )
    drawn = resampled_note((row.name, row.cell.drawn) for row in rows)
    notes = (NOTE, *filter(None, [PERTURBED_NOTE if is_perturbed else "", drawn]))
    return Table("test-sets", "Other test sets", shown, data, notes, is_flagged=is_flagged, section=SECTION)


def _figures(row: Transferred) -> dict[str, Any]:
    (low, high), (drop_low, drop_high) = row.cell.interval, row.drop.interval() or (math.nan, math.nan)
    return {
        "core": row.cell.variant,
        "test_set": row.test_set,
        "split": row.split,
        "trained_on": row.trained_on,
        "metric": row.cell.metric,
        "mean": row.cell.mean,
        "low": low,
        "high": high,
        "seeds": row.cell.num_seeds,
        "own_score": row.own_score,
        "drop": row.drop.value,
        "drop_low": drop_low,
        "drop_high": drop_high,
    }


def _with_interval(value: float, interval: tuple[float, float] | None, *, sign: bool = False) -> str:
    low, high = interval or (math.nan, math.nan)
    return number(value, sign=sign) + (f" [{low:.2f}, {high:.2f}]" if math.isfinite(low) else "")


def _in_order(rows: Sequence[Transferred]) -> list[str]:
    return list(dict.fromkeys(row.trained_on for row in rows))


def _plot(trained_on: str, rows: Sequence[Transferred], look: Mapping[str, Look]) -> Plot:
    """A row a test set, the runs' own at the top; a point and an interval a core."""
    cells = [row.cell for row in rows]
    variants = list(dict.fromkeys(cell.variant for cell in ranked(cells)))[:MOST_VARIANTS]
    names = list(dict.fromkeys(row.name for row in rows))
    own = {row.cell.variant: row.own for row in rows if row.own is not None}
    by_place: dict[tuple[int, str], Cell] = {(0, variant): cell for variant, cell in own.items()}
    by_place |= {(1 + names.index(row.name), row.cell.variant): row.cell for row in rows}
    num_rows, num_variants = 1 + len(names), len(variants)
    figure, (axes,) = new_figure(1, 1.1 + (0.24 + 0.12 * num_variants) * num_rows)
    for place, variant in enumerate(variants):
        mine = look[variant]
        found = [(row, cell) for (row, name), cell in by_place.items() if name == variant]
        ys = [row + (place - (num_variants - 1) / 2) * 0.6 / num_variants for row, _ in found]
        for y, (_, cell) in zip(ys, found, strict=True):
            axes.hlines(y, *cell.interval, color=mine.colour, lw=1.4)
        means = [cell.mean for _, cell in found]
        (marks,) = axes.plot(means, ys, color=mine.colour, marker=mine.marker, ms=6, ls="", label=mine.name)
        tip(marks, *(f"{variant}: {_with_interval(cell.mean, cell.interval)}" for _, cell in found))
    axes.set_yticks(range(num_rows), [f"own test ({short(trained_on)})", *map(short, names)])
    axes.set_ylim(num_rows - 0.4, -0.6)
    axes.axhline(0.5, color=SOFT, lw=0.8, ls="--")
    axes.set_xlabel(" or ".join(dict.fromkeys(cell.metric for cell in cells)))
    legend(figure, num_variants)
    title = f"{trained_on}: scores on other test sets (mean over seeds; lines: 95 % interval)"
    return finished(figure, f"test-sets-{slug(trained_on)}", title, SECTION)
