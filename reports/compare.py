"""From a frame to figures: the scores of every core in every column, and the tests between them."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from atinuke_bench.config import is_floor
from atinuke_bench.errors import RunFolderError

from .corpora import Corpus, corpus_of
from .frame import Frame, Gap
from .statistics import (
    LEVEL,
    NUM_RESAMPLES,
    Scores,
    Spread,
    difference,
    draw_weights,
    holm,
    minimum_detectable_difference,
    probability_of_improvement,
    relative_change,
    relative_error_reduction,
)

#: Resamples are drawn in parts of at most so many weights, which bounds memory on large test sets.
_WEIGHTS_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class Cell:
    """A variant of a core in a column: the rows of its runs and their scores."""

    column: str
    variant: str
    runs: tuple[int, ...]
    scores: Scores

    @property
    def num_seeds(self) -> int:
        return len(self.runs)


@dataclass(frozen=True)
class Comparison:
    """A against B in one column. `spread` is A's mean less B's; `p_corrected` is Holm's over the whole table.

    `verdict` is better, worse or tie, as seen from A.
    """

    column: str
    a: Cell
    b: Cell
    spread: Spread
    p_corrected: float
    higher_is_better: bool

    @property
    def verdict(self) -> str:
        if not self.p_corrected < LEVEL:
            return "tie"
        return "better" if (self.spread.value > 0) == self.higher_is_better else "worse"

    @property
    def note(self) -> str:
        """Why there is no test, where there is none."""
        if math.isfinite(self.spread.error):
            return ""
        if self.a.scores.resampled is None or self.b.scores.resampled is None:
            return "not tested: predictions cannot be paired"
        if min(self.a.num_seeds, self.b.num_seeds) < 2:
            return "not tested: a test over seeds needs two or more seeds of each trained core"
        return "not tested: the metric is undefined on most resamples"

    def record(self) -> dict[str, Any]:
        """The comparison as plain figures."""
        ours, theirs = float(self.a.scores.observed.mean()), float(self.b.scores.observed.mean())
        bounds = self.spread.interval() or (float("nan"), float("nan"))
        improvement = probability_of_improvement(self.a.scores.observed, self.b.scores.observed)
        return {
            "task": self.column.rpartition(" ")[0],
            "a": self.a.variant,
            "b": self.b.variant,
            "score_a": ours,
            "score_b": theirs,
            "seeds_a": self.a.num_seeds,
            "seeds_b": self.b.num_seeds,
            "absolute difference": self.spread.value,
            "low": bounds[0],
            "high": bounds[1],
            "relative change %": relative_change(ours, theirs),
            "relative error reduction %": relative_error_reduction(ours, theirs),
            "p": self.spread.p_value,
            "p corrected": self.p_corrected,
            "minimum detectable difference": minimum_detectable_difference(self.spread),
            "probability of improvement": improvement if self.higher_is_better else 1 - improvement,
            "verdict": self.verdict,
            "note": self.note,
        }


def measure(
    frame: Frame, columns: Iterable[str] | None = None, *, num_resamples: int = NUM_RESAMPLES
) -> tuple[dict[tuple[str, str], Cell], list[Gap]]:
    """The cells of some columns, all by default, by column and variant; and what could not be used."""
    cells: dict[tuple[str, str], Cell] = {}
    gaps: list[Gap] = []
    runs = frame.runs[frame.runs["score"].notna()]
    gaps += [
        Gap(row["folder"], "the score could not be computed, or the data has no labels")
        for _, row in frame.runs[frame.runs["score"].isna()].iterrows()
    ]
    wanted = set(runs["column"] if columns is None else columns)
    for column, rows in runs.groupby("column", sort=False):
        if column not in wanted:
            continue
        resampled = _resample(frame, rows, column, num_resamples, gaps)
        for variant, own in rows.groupby("variant", sort=False):
            members = tuple(own.sort_values("seed").index)
            parts = [resampled.get(run) for run in members]
            known = None if any(part is None for part in parts) else np.stack(parts, axis=1)
            observed = own.loc[list(members), "score"].to_numpy(dtype=np.float64)
            is_fixed = all(map(is_floor, own["core"].unique()))
            cells[column, variant] = Cell(column, variant, members, Scores(observed, known, is_fixed))
    return cells, gaps


def best_against_others(frame: Frame, cells: Mapping[tuple[str, str], Cell]) -> list[Comparison]:
    """In every column the variant with the best mean against each other one.

    Which one is best is only known from the data, so that Holm's correction counts all pairs of all columns.
    """
    higher = dict(zip(frame.runs["column"], frame.runs["higher_is_better"], strict=True))
    found, num_tests = [], 0
    for column in dict.fromkeys(column for column, _ in cells):
        own = [cell for (name, _), cell in cells.items() if name == column]
        own.sort(key=lambda cell: cell.scores.observed.mean() * (-1 if higher[column] else 1))
        num_tests += len(own) * (len(own) - 1) // 2
        found += [compare_cells(column, own[0], other, higher[column]) for other in own[1:]]
    return corrected(found, num_tests)


def corrected(comparisons: list[Comparison], num_tests: int | None = None) -> list[Comparison]:
    """The comparisons with Holm's p values over all of them."""
    adjusted = holm([comparison.spread.p_value for comparison in comparisons], num_tests)
    return [replace(one, p_corrected=float(p)) for one, p in zip(comparisons, adjusted, strict=True)]


def compare_cells(column: str, a: Cell, b: Cell, higher_is_better: bool) -> Comparison:
    """A against B, uncorrected; `corrected` follows when all comparisons are made."""
    spread = difference(a.scores, b.scores)
    return Comparison(column, a, b, spread, spread.p_value, bool(higher_is_better))


def _resample(
    frame: Frame, rows: Any, column: str, num_resamples: int, gaps: list[Gap]
) -> dict[int, np.ndarray]:  # run -> [R]
    """The resampled scores of a column's runs, all on the same resamples of the same units."""
    corpora: dict[int, Corpus] = {}
    ids: tuple[str, ...] | None = None
    for run, row in rows[~rows["is_remote"]].iterrows():
        try:
            corpus = corpus_of(frame.predictions(run), row["task"], row["metric"], row["score"])
        except (RunFolderError, ValueError) as error:
            gaps.append(Gap(row["folder"], str(error)))
            continue
        ids = ids or corpus.ids
        if corpus.ids != ids:
            gaps.append(Gap(row["folder"], "its examples are not those of the other runs, so that it is not paired"))
            continue
        corpora[run] = corpus
    if ids is None or len(ids) < 2:
        return {}
    generator = np.random.default_rng(zlib.crc32(column.encode()))
    parts: dict[int, list[np.ndarray]] = {run: [] for run in corpora}
    done = 0
    while done < num_resamples:
        num = min(num_resamples - done, max(1, _WEIGHTS_AT_ONCE // len(ids)))
        weights = draw_weights(len(ids), num, generator)
        for run, corpus in corpora.items():
            parts[run].append(corpus.values(weights))
        done += num
    return {run: np.concatenate(own) for run, own in parts.items()}
