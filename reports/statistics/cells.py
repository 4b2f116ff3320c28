"""From a frame to the scores of every core in every column."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from atinuke_bench import registry
from atinuke_bench.config import is_floor

from ..reading.column import Column
from ..reading.frame import Frame, Gap
from .pairing import Drawn
from .resampled import resampled
from .spread import NUM_RESAMPLES, Scores


@dataclass(frozen=True)
class Cell:
    """A variant of a core in a column: the rows of its runs, and their scores, which lie within `limits`."""

    column: Column
    variant: str
    runs: tuple[int, ...]
    scores: Scores
    metric: str
    higher_is_better: bool
    limits: tuple[float, float]
    #: What is drawn when scores of the column are resampled; None where no predictions can be used.
    drawn: Drawn | None = None

    @property
    def num_seeds(self) -> int:
        return len(self.runs)

    @property
    def mean(self) -> float:
        return float(self.scores.observed.mean())

    @property
    def is_percentage(self) -> bool:
        """Whether more is better, of 100 at most; where the metric is not known here, so is its range."""
        return self.higher_is_better and self.limits[1] in (100.0, math.inf)

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the mean, inside the metric's range; NaN where there is none."""
        low, high = self.scores.mean().interval() or (math.nan, math.nan)
        return max(low, self.limits[0]), min(high, self.limits[1])


#: By column and variant.
Cells = dict[Column, dict[str, Cell]]


def ranked(cells: Iterable[Cell]) -> list[Cell]:
    """Cells of one column, the best mean first."""
    return sorted(cells, key=lambda cell: -cell.mean if cell.higher_is_better else cell.mean)


def measure(frame: Frame, *, num_resamples: int = NUM_RESAMPLES) -> tuple[Cells, list[Gap]]:
    """The cells of a frame, and what could not be used."""
    is_scored = frame.runs["score"].notna()
    gaps = [
        Gap(folder, "the score could not be computed, or the data has no labels")
        for folder in frame.runs.loc[~is_scored, "folder"]
    ]
    cells: Cells = {}
    for column, rows in frame.runs[is_scored].groupby("column", sort=False):
        assert isinstance(column, Column)
        found = resampled(frame, column, rows, num_resamples)
        drawn, scores_of = found.drawn, found.scores
        gaps += found.gaps
        rows = rows.drop(index=list(found.contradicted))
        if rows.empty:
            continue
        if drawn is not None and drawn.too_few:
            gaps.append(Gap(str(column), f"{drawn.too_few}: no interval, no test"))
        metric = rows["metric"].iloc[0]
        # Without a sample there is no interval to keep within limits, and perhaps no metric that has any.
        limits = registry.load_metric(column.task, metric).bounds if scores_of else (-math.inf, math.inf)
        cells[column] = {}
        for name, own in rows.groupby("variant", sort=False):
            runs = tuple(own.sort_values("seed").index)
            known = np.stack([scores_of[run] for run in runs], axis=1) if scores_of.keys() >= set(runs) else None
            observed = own.loc[list(runs), "score"].to_numpy(dtype=np.float64)
            num_units = drawn.num_units if drawn is not None and known is not None else None
            scores = Scores(observed, known, num_units, is_fixed=all(map(is_floor, own["core"].unique())))
            higher = bool(own["higher_is_better"].iloc[0])
            variant = str(name)
            cells[column][variant] = Cell(column, variant, runs, scores, metric, higher, limits, drawn)
    return cells, gaps
