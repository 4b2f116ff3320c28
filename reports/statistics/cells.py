"""From a frame to the scores of every core in every column."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from atinuke_bench import registry
from atinuke_bench.config import is_floor
from atinuke_bench.errors import RunFolderError
from atinuke_bench.metrics.bootstrap import resample_together
from atinuke_bench.metrics.metric import Floats, Sample

from ..reading.column import Column
from ..reading.frame import Frame, Gap
from .samples import read_sample
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

    @property
    def num_seeds(self) -> int:
        return len(self.runs)

    @property
    def mean(self) -> float:
        return float(self.scores.observed.mean())

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
        resampled = _resample(_paired_samples(frame, rows, gaps), column, num_resamples)
        metric = rows["metric"].iloc[0]
        # Without a sample there is no interval to keep within limits, and perhaps no metric that has any.
        limits = registry.load_metric(column.task, metric).bounds if resampled else (-math.inf, math.inf)
        cells[column] = {}
        for name, own in rows.groupby("variant", sort=False):
            runs = tuple(own.sort_values("seed").index)
            known = np.stack([resampled[run] for run in runs], axis=1) if resampled.keys() >= set(runs) else None
            observed = own.loc[list(runs), "score"].to_numpy(dtype=np.float64)
            scores = Scores(observed, known, is_fixed=all(map(is_floor, own["core"].unique())))
            higher = bool(own["higher_is_better"].iloc[0])
            variant = str(name)
            cells[column][variant] = Cell(column, variant, runs, scores, metric, higher, limits)
    return cells, gaps


def _paired_samples(frame: Frame, rows: pd.DataFrame, gaps: list[Gap]) -> dict[int, Sample]:
    """The samples of a column's runs that have the same units, by run."""
    samples: dict[int, Sample] = {}
    for run in rows.index[~rows["is_remote"]]:
        try:
            sample = read_sample(frame, run)
        except (RunFolderError, ValueError) as error:
            gaps.append(Gap(frame.value(run, "folder"), str(error)))
            continue
        if samples and sample.units != next(iter(samples.values())).units:
            reason = "its examples differ from those of the other runs, so it is not paired"
            gaps.append(Gap(frame.value(run, "folder"), reason))
            continue
        samples[run] = sample
    return samples


def _resample(samples: dict[int, Sample], column: Column, num_resamples: int) -> dict[int, Floats]:  # run -> [R]
    """The scores of runs on the same resamples of the same units."""
    if not samples or len(next(iter(samples.values())).units) < 2:
        return {}
    generator = np.random.default_rng(zlib.crc32(str(column).encode()))
    return dict(zip(samples, resample_together(list(samples.values()), num_resamples, generator), strict=True))
