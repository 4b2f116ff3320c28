"""The figures of a column, each from tables; the title says what it shows of how many runs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from atinuke_bench.formatting import number

from ..statistics.cells import Cell
from .labels import label_ends, label_points, legend, plain_log_axis
from .names import short, short_names
from .once import drawn_once
from .style import BAND, INK, PAPER, SOFT, WIDTH, Look, Plot, finished, new_figure, slug, tip

_MOST_BARS = 6
#: Letters of all labels below an axis, beside each other.
_LETTERS_ACROSS = 84
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
    figure, (left, right) = new_figure(2, 2.9)
    named: set[str] = set()
    # Names are at the right panel's lines, and at the left one's only where the right one has none.
    for axes, part, label in ((right, 2, "selection score"), (left, 1, "training loss")):
        ends: list[tuple[float, float, str, str]] = []
        added: set[str] = set()
        for name, runs in drawn.items():
            epochs, values = _by_epoch(runs, part)
            if not len(epochs):
                continue
            mean, own = np.nanmean(values, axis=0), look[name]
            axes.fill_between(epochs, np.nanmin(values, axis=0), np.nanmax(values, axis=0), color=own.colour,
                              alpha=0.15, lw=0)  # fmt: skip
            (line,) = axes.plot(epochs, mean, color=own.colour, ls=own.line, marker=own.marker, ms=4, lw=1.6)
            tip(line, *(f"{name}, {label} of epoch {e}: {number(y)}" for e, y in zip(epochs, mean, strict=True)))
            if name not in named:
                ends.append((float(epochs[-1]), float(mean[-1]), own.name, own.colour))
                added.add(name)
        named |= added
        axes.set_xlabel("epoch")
        axes.set_title(label, loc="left")
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
    costs = {variant: x for x, _, _, variant in points}
    # Equal costs are common (one size, several cores); a step to the side keeps every interval visible.
    points = [
        (x * 1.04 ** sum(abs(x / other[0] - 1) < 0.02 for other in points[:place]), y, interval, variant)
        for place, (x, y, interval, variant) in enumerate(points)
    ]
    figure, (axes,) = new_figure(1, 3.6)
    axes.set_xscale("log")
    plain_log_axis(axes.xaxis)
    for x, y, (low, high), variant in points:
        own = look[variant]
        if np.isfinite(low):
            axes.plot([x, x], [low, high], color=own.colour, lw=1.4)
        (mark,) = axes.plot([x], [y], color=own.colour, marker=own.marker, ms=8, ls="")
        bounds = f" [{number(low)}, {number(high)}]" if np.isfinite(low) else ""
        tip(mark, f"{variant}: {number(y)}{bounds} at {costs[variant]:.3g} FLOPs")
    front = _front(points)
    axes.step([p[0] for p in front], [p[1] for p in front], where="post", color=SOFT, lw=1, ls="--", zorder=0)
    axes.set_xlabel("training FLOPs")
    axes.set_ylabel(metric)
    axes.margins(x=0.25)
    axes.set_title("dashed: no core here is both cheaper and better", loc="left")
    lines = [((x, low), (x, high)) for x, _, (low, high), _ in points if np.isfinite(low)]
    lines += [(left, (right[0], left[1])) for left, right in pairwise(front)]
    label_points(axes, [(x, y, look[variant].name) for x, y, _, variant in points], lines)
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

    def ticks(self, most: int = 24, between: str = "\n") -> list[str]:
        """The labels, of at most so many letters, with their counts."""
        return [
            f"{short(label, most)}{between}n={self.counts[label]:,.0f}" if label in self.counts else short(label, most)
            for label in self.mean.index
        ]

    def tips(self, variant: str) -> list[str]:
        """What each label's mark says, of the labels that the variant has a figure of."""
        rows = zip(self.mean.index, *(part[variant] for part in (self.mean, self.low, self.high)), strict=True)
        return [
            f"{variant}, {label}: {number(mean)} (seeds {number(low)} to {number(high)})"
            for label, mean, low, high in rows
            if np.isfinite(mean)
        ]


@drawn_once
def slice_figure(table: SliceTable, look: dict[str, Look]) -> Plot:
    """Curves where the labels are lengths or distances in order, else bars."""
    if is_ordered(table.mean.index):
        draw = _slice_curves
    else:
        longest = max(len(str(label)) for label in table.mean.index)
        fits = len(table.mean) <= _MOST_BARS and longest * len(table.mean) <= _LETTERS_ACROSS
        draw = _slice_bars if fits else _slice_dots
    return finished(draw(table, look), f"slices-{slug(table.task)}-{slug(table.name)}", table.title)


def is_ordered(labels: pd.Index) -> bool:
    """Whether labels are lengths or distances, of which a curve can be drawn."""
    return len(labels) > 2 and all(re.fullmatch(r"\d+([-–]\d+|\+)?", str(label)) for label in labels)


def _slice_curves(table: SliceTable, look: dict[str, Look]) -> Figure:
    figure, (axes,) = new_figure(1, 3.2)
    order = sorted(range(len(table.mean)), key=lambda place: int(re.findall(r"\d+", str(table.mean.index[place]))[0]))
    xs, ends = np.arange(len(order)), []
    for variant in table.mean.columns:
        own = look[variant]
        mean, low, high = (part[variant].to_numpy(dtype=float)[order] for part in (table.mean, table.low, table.high))
        axes.fill_between(xs, low, high, color=own.colour, alpha=0.15, lw=0)
        known = np.flatnonzero(np.isfinite(mean))
        # A line is broken where a figure is missing; marks are of what is there, each with its text.
        axes.plot(xs, mean, color=own.colour, ls=own.line, lw=1.6)
        (marks,) = axes.plot(xs[known], mean[known], color=own.colour, ls="", marker=own.marker, ms=5)
        tips = dict(zip(table.mean.index[table.mean[variant].notna()], table.tips(variant), strict=True))
        tip(marks, *(tips[table.mean.index[order[place]]] for place in known))
        if len(known):
            ends.append((float(known[-1]), float(mean[known[-1]]), own.name, own.colour))
    ticks = table.ticks(between=" ")
    axes.set_xticks(xs, [ticks[place] for place in order], rotation=40, ha="right", rotation_mode="anchor")
    axes.set_xlabel(table.name)
    axes.set_ylabel(table.metric)
    label_ends(axes, ends)
    return figure


def _slice_dots(table: SliceTable, look: dict[str, Look]) -> Figure:
    """A row a label, for more labels than bars have room for."""
    num_labels, num_variants = table.mean.shape
    figure, (axes,) = new_figure(1, 0.9 + (0.2 + 0.06 * num_variants) * num_labels)
    for place, variant in enumerate(table.mean.columns):
        own = look[variant]
        ys = np.arange(num_labels) + (place - (num_variants - 1) / 2) * 0.6 / num_variants
        axes.hlines(ys, table.low[variant], table.high[variant], color=own.colour, lw=1.2)
        is_known = table.mean[variant].notna()
        (marks,) = axes.plot(table.mean[variant][is_known], ys[is_known], color=own.colour, marker=own.marker, ms=5,
                             ls="", label=own.name)  # fmt: skip
        tip(marks, *table.tips(variant))
    axes.set_yticks(np.arange(num_labels), table.ticks(between="  "))
    axes.set_ylim(num_labels - 0.4, -0.6)
    axes.grid(axis="y", color=BAND, lw=6, zorder=0)
    axes.set_axisbelow(True)
    axes.set_xlabel(table.metric)
    legend(figure, num_variants)
    return figure


def _slice_bars(table: SliceTable, look: dict[str, Look]) -> Figure:
    num_labels, num_variants = table.mean.shape
    figure, (axes,) = new_figure(1, 3.2)
    width = 0.8 / num_variants
    for place, variant in enumerate(table.mean.columns):
        own = look[variant]
        xs = np.arange(num_labels) + (place - (num_variants - 1) / 2) * width
        is_known = table.mean[variant].notna()
        bars = axes.bar(xs[is_known], table.mean[variant][is_known], width, color=own.colour, edgecolor=PAPER,
                        hatch=own.hatch, label=own.name)  # fmt: skip
        for bar, text in zip(bars, table.tips(variant), strict=True):
            tip(bar, text)
        axes.vlines(xs, table.low[variant], table.high[variant], color=INK, lw=1)
    axes.set_xticks(np.arange(num_labels), table.ticks())
    axes.set_ylabel(table.metric)
    legend(figure, num_variants)
    return figure


def confusion_matrices(task: str, matrices: dict[str, pd.DataFrame]) -> Plot:
    """Rows gold, columns predicted, shares of the gold label in percent: summed over seeds, one panel a variant."""
    size = len(next(iter(matrices.values())))
    longest = max(len(short(label, 14)) for label in next(iter(matrices.values())).index)
    # Inches: a cell holds three digits, a label is beside the rows and, turned, below the columns.
    labels = 0.15 + 0.07 * longest
    columns = max(1, min(len(matrices), 4, int(WIDTH / (0.34 * size + labels + 0.2))))
    cell = min(0.6, (WIDTH / columns - labels - 0.2) / size)
    rows = -(-len(matrices) // columns)
    figure, axes = new_figure(columns, (cell * size + 0.8 * labels + 0.4) * rows, rows)
    for axis in axes[len(matrices) :]:
        axis.set_visible(False)
    colours, names = mpl.colormaps["Blues"], short_names(matrices)
    for axis, (name, matrix) in zip(axes, matrices.items(), strict=False):
        counts, sums = matrix.to_numpy(dtype=float), matrix.sum(axis=1).to_numpy(dtype=float)
        for (row, column), count in np.ndenumerate(counts):
            if not sums[row]:
                continue
            share = 100 * count / sums[row]
            square = Rectangle((column - 0.5, row - 0.5), 1, 1, color=to_hex(colours(share / 100)), lw=0)
            gold, predicted = matrix.index[row], matrix.columns[column]
            tip(square, f"{name}: {predicted} for gold {gold}: {count:,.0f} of {sums[row]:,.0f} ({share:.1f} %)")
            # As an artist: what lies within the limits that are set below need not be measured.
            axis.add_artist(square)
            # Not the colours of ink and paper: a square has its colour in every scheme.
            axis.text(column, row, f"{share:.0f}", ha="center", va="center",
                      color="#fefefe" if share > 55 else "#111111")  # fmt: skip
        axis.set(xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5), aspect="equal")
        turned: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if longest > 3 else {}
        axis.set_xticks(range(size), [short(label, 14) for label in matrix.columns], **turned)
        axis.set_yticks(range(size), [short(label, 14) for label in matrix.index])
        axis.set_title(short(names[name], int(WIDTH / columns / 0.085)))
        axis.spines[:].set_visible(False)
        axis.tick_params(length=0)
    return finished(figure, f"confusion-{slug(task)}", f"{task}: predicted (across) by gold label (down), % of gold")


def _front(points: Sequence[tuple[float, float, object, str]]) -> list[tuple[float, float]]:
    best, front = -np.inf, []
    for x, y, _, _ in sorted(points, key=lambda point: (point[0], -point[1])):
        if y > best:
            front.append((x, y))
            best = y
    return front
