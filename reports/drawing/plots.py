"""The figures of a column, each from tables; the title says what it shows of how many runs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..statistics.cells import Cell
from .labels import label_ends, label_points, legend, plain_log_axis
from .once import drawn_once
from .style import DOUBLE_COLUMN, Look, Plot, finished, new_figure, short, slug

_MOST_BARS = 6
#: A seed's epochs: epoch, loss, score.
History = tuple[Sequence[float], Sequence[float], Sequence[float]]


@drawn_once
def learning_curves(task: str, histories: dict[str, list[History]], look: dict[str, Look]) -> Plot | None:
    """Training loss and selection score by epoch: mean over seeds, band from the lowest to the highest seed.

    `histories` has for each variant the epochs of each seed.
    """
    drawn = {name: runs for name, runs in histories.items() if runs}
    # One epoch is a point, not a curve.
    if not any(len(run[0]) > 1 for runs in drawn.values() for run in runs):
        return None
    figure, (left, right) = new_figure(2, (8.4, 3.2))
    for axes, part, label in ((left, 1, "training loss"), (right, 2, "selection score")):
        ends = []
        for name, runs in drawn.items():
            epochs, values = _by_epoch(runs, part)
            if not len(epochs):
                continue
            mean, own = np.nanmean(values, axis=0), look[name]
            axes.fill_between(epochs, np.nanmin(values, axis=0), np.nanmax(values, axis=0), color=own.colour,
                              alpha=0.15, lw=0)  # fmt: skip
            axes.plot(epochs, mean, color=own.colour, ls=own.line, marker=own.marker, ms=4, lw=1.6)
            ends.append((float(epochs[-1]), float(mean[-1]), name, own.colour))
        axes.set_xlabel("epoch")
        axes.set_title(label, loc="left", fontsize=10)
        axes.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True))
        label_ends(axes, ends)
    return finished(figure, f"curves-{slug(task)}", f"{task}: learning curves (mean over seeds; band: all seeds)")


def _by_epoch(runs: Sequence[History], part: int) -> tuple[np.ndarray, np.ndarray]:  # [E], [S, E]
    """The epochs that any seed has a figure of, counted from 1, and the figures; NaN where a seed has ended."""
    last = max((int(epoch) for run in runs for epoch in run[0]), default=-1)
    values = np.full((len(runs), last + 1), np.nan)
    for place, run in enumerate(runs):
        values[place, np.asarray(run[0], dtype=int)] = np.asarray(run[part], dtype=np.float64)
    known = np.isfinite(values).any(axis=0)
    return np.arange(1, last + 2)[known], values[:, known]


def score_against_cost(
    task: str, cells: Sequence[Cell], training_flops: Mapping[str, float], look: dict[str, Look]
) -> Plot | None:
    """Score with its interval over a cost on a logarithmic axis, with the front of those no other one dominates."""
    points = [
        (training_flops[cell.variant], cell.mean, cell.interval, cell.variant)
        for cell in cells
        if np.isfinite(training_flops[cell.variant])
    ]
    return _pareto(task, cells[0].metric, points, look) if len(points) > 1 else None


@drawn_once
def _pareto(
    task: str,
    metric: str,
    points: Sequence[tuple[float, float, tuple[float, float], str]],
    look: Mapping[str, Look],
) -> Plot:
    # Equal costs are common (one size, several cores); a step to the side keeps every interval visible.
    points = [
        (x * 1.04 ** sum(abs(x / other[0] - 1) < 0.02 for other in points[:place]), y, interval, variant)
        for place, (x, y, interval, variant) in enumerate(points)
    ]
    figure, (axes,) = new_figure(1, (6.4, 3.6))
    axes.set_xscale("log")
    plain_log_axis(axes.xaxis)
    for x, y, (low, high), variant in points:
        own = look[variant]
        if np.isfinite(low):
            axes.plot([x, x], [low, high], color=own.colour, lw=1.4)
        axes.plot([x], [y], color=own.colour, marker=own.marker, ms=8, ls="")
    front = _front(points)
    axes.step([p[0] for p in front], [p[1] for p in front], where="post", color="#888888", lw=1, ls="--", zorder=0)
    axes.set_xlabel("training FLOPs")
    axes.set_ylabel(metric)
    axes.margins(x=0.25)
    label_points(axes, [(x, y, variant) for x, y, _, variant in points])
    axes.set_title("dashed: no core here is both cheaper and better", loc="left", fontsize=9)
    title = f"{task}: score against training cost (mean, 95 % interval)"
    return finished(figure, f"pareto-{slug(task)}", title, "cost")


@dataclass(frozen=True)
class SliceTable:
    """A metric by the labels of a slice (rows) and variants (columns): mean, lowest and highest seed; counts a label.

    `num_labels` is how many labels there are, of which the rows are the most frequent.
    """

    task: str
    name: str
    metric: str
    mean: pd.DataFrame
    low: pd.DataFrame
    high: pd.DataFrame
    counts: pd.Series
    num_labels: int

    @property
    def title(self) -> str:
        shown = f"the {len(self.mean)} most frequent of {self.num_labels} labels; "
        some = shown if len(self.mean) < self.num_labels else ""
        return f"{self.task}: {self.metric} by {self.name} ({some}mean over seeds; lines: lowest to highest seed)"

    @property
    def ticks(self) -> list[str]:
        return [
            f"{short(label, 18)}\nn={self.counts[label]:.0f}" if label in self.counts else short(label, 18)
            for label in self.mean.index
        ]


@drawn_once
def slice_figure(table: SliceTable, look: dict[str, Look]) -> Plot:
    """Curves where the labels are lengths or distances in order, else bars."""
    if _is_ordered(table.mean.index):
        draw = _slice_curves
    else:
        draw = _slice_bars if len(table.mean) <= _MOST_BARS else _slice_dots
    return finished(draw(table, look), f"slices-{slug(table.task)}-{slug(table.name)}", table.title)


def _is_ordered(labels: pd.Index) -> bool:
    return len(labels) > 2 and all(re.fullmatch(r"\d+([-–]\d+|\+)?", str(label)) for label in labels)


def _slice_curves(table: SliceTable, look: dict[str, Look]) -> Figure:
    figure, (axes,) = new_figure(1, (max(5.0, 0.75 * len(table.mean) + 2.4), 3.2))
    order = sorted(range(len(table.mean)), key=lambda place: int(re.findall(r"\d+", str(table.mean.index[place]))[0]))
    xs, ends = np.arange(len(order)), []
    for variant in table.mean.columns:
        own = look[variant]
        mean, low, high = (part[variant].to_numpy(dtype=float)[order] for part in (table.mean, table.low, table.high))
        axes.fill_between(xs, low, high, color=own.colour, alpha=0.15, lw=0)
        axes.plot(xs, mean, color=own.colour, ls=own.line, marker=own.marker, ms=5, lw=1.6)
        known = np.flatnonzero(np.isfinite(mean))
        if len(known):
            ends.append((float(known[-1]), float(mean[known[-1]]), variant, own.colour))
    axes.set_xticks(xs, [table.ticks[place] for place in order], fontsize=8)
    axes.set_xlabel(table.name)
    axes.set_ylabel(table.metric)
    label_ends(axes, ends)
    return figure


def _slice_dots(table: SliceTable, look: dict[str, Look]) -> Figure:
    """A row a label, for more labels than bars have room for."""
    num_labels, num_variants = table.mean.shape
    figure, (axes,) = new_figure(1, (7.2, 0.9 + (0.2 + 0.06 * num_variants) * num_labels))
    for place, variant in enumerate(table.mean.columns):
        own = look[variant]
        ys = np.arange(num_labels) + (place - (num_variants - 1) / 2) * 0.6 / num_variants
        axes.hlines(ys, table.low[variant], table.high[variant], color=own.colour, lw=1.2)
        axes.plot(table.mean[variant], ys, color=own.colour, marker=own.marker, ms=5, ls="", label=short(variant))
    axes.set_yticks(np.arange(num_labels), [tick.replace("\n", "  ") for tick in table.ticks], fontsize=8)
    axes.set_ylim(num_labels - 0.4, -0.6)
    axes.grid(axis="y", color="#eeeeee", lw=6, zorder=0)
    axes.set_axisbelow(True)
    axes.set_xlabel(table.metric)
    legend(figure, num_variants, 7.2)
    return figure


def _slice_bars(table: SliceTable, look: dict[str, Look]) -> Figure:
    num_labels, num_variants = table.mean.shape
    width_in = max(4.5, min(8.4, 0.26 * num_labels * num_variants + 2))
    figure, (axes,) = new_figure(1, (width_in, 3.4))
    width = 0.8 / num_variants
    for place, variant in enumerate(table.mean.columns):
        own = look[variant]
        xs = np.arange(num_labels) + (place - (num_variants - 1) / 2) * width
        axes.bar(xs, table.mean[variant], width, color=own.colour, edgecolor="white", hatch=own.hatch,
                 label=short(variant))  # fmt: skip
        axes.vlines(xs, table.low[variant], table.high[variant], color="#222222", lw=1)
    axes.set_xticks(np.arange(num_labels), table.ticks, fontsize=8)
    axes.set_ylabel(table.metric)
    legend(figure, num_variants, width_in)
    return figure


def confusion_matrices(task: str, matrices: dict[str, pd.DataFrame]) -> Plot:
    """Rows gold, columns predicted, shares of the gold label in percent: summed over seeds, one panel a variant."""
    size = len(next(iter(matrices.values())))
    names = max(len(short(label)) for label in next(iter(matrices.values())).index)
    cells = max(1.1, 0.27 * size)
    panel = cells + 0.06 * names + 0.25
    columns = min(len(matrices), max(1, int(DOUBLE_COLUMN / panel)))
    rows = -(-len(matrices) // columns)
    figure, axes = new_figure(columns, (panel * columns, (cells + 0.045 * names + 0.5) * rows), rows)
    for axis in axes[len(matrices) :]:
        axis.set_visible(False)
    for axis, (name, matrix) in zip(axes, matrices.items(), strict=False):
        shares = 100 * matrix.div(matrix.sum(axis=1).replace(0, np.nan), axis=0)
        axis.imshow(shares.to_numpy(dtype=float), cmap="Blues", vmin=0, vmax=100)
        for (row, column), share in np.ndenumerate(shares.to_numpy(dtype=float)):
            if np.isfinite(share):
                colour = "white" if share > 55 else "#222222"
                axis.text(column, row, f"{share:.0f}", ha="center", va="center", color=colour, fontsize=8)
        axis.set_xticks(range(size), map(short, matrix.columns), rotation=45, ha="right", fontsize=7)
        axis.set_yticks(range(size), map(short, matrix.index), fontsize=7)
        axis.set_title(short(name, 22), fontsize=8)
        axis.spines[:].set_visible(False)
    return finished(figure, f"confusion-{slug(task)}", f"{task}: predicted (across) by gold label (down), % of gold")


def _front(points: Sequence[tuple[float, float, object, str]]) -> list[tuple[float, float]]:
    best, front = -np.inf, []
    for x, y, _, _ in sorted(points, key=lambda point: (point[0], -point[1])):
        if y > best:
            front.append((x, y))
            best = y
    return front
