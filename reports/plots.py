"""The report's figures. One colour, marker and line style a core, the same in every figure of a report.

Colours are Okabe and Ito's (2008), told apart by people of every colour vision; markers and line styles carry the same
distinction for print in grey. Lines and points are labelled where they are, not in a legend.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from .compare import Cell

#: Variants drawn in one figure; with more, nothing can be told apart.
MOST_VARIANTS = 8

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#444444", "#882255")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (8, 2)))
_HATCHES = ("", "///", "...", "xx", "\\\\\\", "--", "++", "oo")
_STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "text.parse_math": False,
}


@dataclass(frozen=True)
class Look:
    """How a core is drawn."""

    colour: str
    marker: str
    line: object
    hatch: str


@dataclass(frozen=True)
class Plot:
    """A figure as SVG for the page and PNG for slides."""

    name: str
    title: str
    svg: str
    png: bytes


def looks(variants: Sequence[str]) -> dict[str, Look]:
    """A look for each variant, by its place in alphabetical order."""
    return {
        name: Look(*(choices[place % len(choices)] for choices in (_COLOURS, _MARKERS, _LINES, _HATCHES)))
        for place, name in enumerate(sorted(variants))
    }


def learning_curves(task: str, histories: dict[str, list[pd.DataFrame]], look: dict[str, Look]) -> Plot | None:
    """Training loss and selection score by epoch: mean over seeds, band from the lowest to the highest seed.

    `histories` has for each variant one frame a seed with the columns epoch, loss, score.
    """
    drawn = {name: runs for name, runs in histories.items() if runs}
    if not drawn:
        return None
    figure, (left, right) = _figure(2, (8.4, 3.2))
    for axes, column, label in ((left, "loss", "training loss"), (right, "score", "selection score")):
        ends = []
        for name, runs in drawn.items():
            table = pd.concat([run.set_index("epoch")[column].astype(float) for run in runs], axis=1)
            table = table.dropna(how="all")
            if table.empty:
                continue
            mean, own = table.mean(axis=1), look[name]
            epochs = mean.index + 1
            axes.fill_between(epochs, table.min(axis=1), table.max(axis=1), color=own.colour, alpha=0.15, lw=0)
            axes.plot(epochs, mean, color=own.colour, ls=own.line, marker=own.marker, ms=4, lw=1.6)
            ends.append((float(epochs[-1]), float(mean.iloc[-1]), name, own.colour))
        axes.set_xlabel("epoch")
        axes.set_title(label, loc="left", fontsize=10)
        axes.xaxis.get_major_locator().set_params(integer=True)
        _label_ends(axes, ends)
    return _plot(figure, f"curves-{slug(task)}", f"{task}: learning curves (mean over seeds; band: all seeds)")


def score_against_cost(
    title: str, name: str, cells: Sequence[Cell], bounds: Sequence[tuple[float, float]], cost: dict[str, float],
    cost_label: str, metric: str, look: dict[str, Look],
) -> Plot | None:  # fmt: skip
    """Score with its interval over a cost on a logarithmic axis, with the front of those no other one dominates."""
    points = [
        (cost[cell.variant], float(cell.scores.observed.mean()), own, cell.variant)
        for cell, own in zip(cells, bounds, strict=True)
        if np.isfinite(cost.get(cell.variant, np.nan))
    ]
    if len(points) < 2:
        return None
    # Equal costs are common (one size, several cores); a step to the side keeps every interval visible.
    points = [
        (x * 1.04 ** sum(abs(x / other[0] - 1) < 0.02 for other in points[:place]), *rest)
        for place, (x, *rest) in enumerate(points)
    ]
    figure, (axes,) = _figure(1, (6.4, 3.6))
    axes.set_xscale("log")
    # Plain text, since the names of runs are never read as formulas.
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:.0e}")
    axes.xaxis.set_minor_formatter(lambda x, _: text if (text := f"{x:.0e}")[0] in "25" else "")
    for x, y, (low, high), variant in points:
        own = look[variant]
        if np.isfinite(low):
            axes.plot([x, x], [low, high], color=own.colour, lw=1.4)
        axes.plot([x], [y], color=own.colour, marker=own.marker, ms=8, ls="")
        axes.annotate(_short(variant), (x, y), xytext=(8, 4), textcoords="offset points", color="#222222")
    front = _front(points)
    axes.step([p[0] for p in front], [p[1] for p in front], where="post", color="#888888", lw=1, ls="--", zorder=0)
    axes.set_xlabel(cost_label)
    axes.set_ylabel(metric)
    axes.margins(x=0.25)
    axes.set_title("dashed: no core here is both cheaper and better", loc="left", fontsize=9)
    return _plot(figure, name, title)


def slice_bars(
    task: str, name: str, metric: str, table: pd.DataFrame, counts: pd.Series, look: dict[str, Look]
) -> Plot:
    """Bars of a slice: a row of `table` a label, a column a variant; `counts` of examples stand under the labels."""
    num_labels, num_variants = table.shape
    figure, (axes,) = _figure(1, (max(4.5, min(12.0, 0.28 * num_labels * num_variants + 2)), 3.2))
    width = 0.8 / num_variants
    for place, variant in enumerate(table.columns):
        own = look[variant]
        xs = np.arange(num_labels) + (place - (num_variants - 1) / 2) * width
        axes.bar(xs, table[variant], width, color=own.colour, edgecolor="white", hatch=own.hatch, label=_short(variant))
    labels = [f"{label}\nn={int(counts[label])}" if label in counts else str(label) for label in table.index]
    axes.set_xticks(np.arange(num_labels), labels, rotation=0 if num_labels < 9 else 60)
    axes.set_ylabel(metric)
    figure.legend(loc="outside upper right", ncols=min(num_variants, 4), frameon=False, fontsize=8)
    return _plot(figure, f"slices-{slug(task)}-{slug(name)}", f"{task}: {metric} by {name} (mean over seeds)")


def confusion_matrices(task: str, matrices: dict[str, pd.DataFrame]) -> Plot:
    """Rows gold, columns predicted, shares of the gold label in percent: summed over seeds, one panel a variant."""
    size = len(next(iter(matrices.values())))
    panel = max(1.9, 0.55 * size + 1)
    columns = min(len(matrices), 4)
    rows = -(-len(matrices) // columns)
    figure, axes = _figure(columns, (panel * columns + 0.6, (panel + 0.35) * rows), rows)
    for axis in axes[len(matrices) :]:
        axis.set_visible(False)
    for axis, (name, matrix) in zip(axes, matrices.items(), strict=False):
        shares = 100 * matrix.div(matrix.sum(axis=1).replace(0, np.nan), axis=0)
        axis.imshow(shares.to_numpy(dtype=float), cmap="Blues", vmin=0, vmax=100)
        for (row, column), share in np.ndenumerate(shares.to_numpy(dtype=float)):
            if np.isfinite(share):
                colour = "white" if share > 55 else "#222222"
                axis.text(column, row, f"{share:.0f}", ha="center", va="center", color=colour, fontsize=8)
        axis.set_xticks(range(size), map(_short, matrix.columns), rotation=45, ha="right", fontsize=7)
        axis.set_yticks(range(size), map(_short, matrix.index), fontsize=7)
        axis.set_title(_short(name, 22), fontsize=8)
        axis.spines[:].set_visible(False)
    return _plot(figure, f"confusion-{slug(task)}", f"{task}: predicted (across) by gold label (down), % of gold")


def _front(points: Sequence[tuple[float, float, object, str]]) -> list[tuple[float, float]]:
    best, front = -np.inf, []
    for x, y, _, _ in sorted(points, key=lambda point: (point[0], -point[1])):
        if y > best:
            front.append((x, y))
            best = y
    return front


def _figure(columns: int, size: tuple[float, float], rows: int = 1) -> tuple[Figure, list]:
    # No pyplot: it keeps global state and asks for a display.
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False)
    return figure, list(axes.ravel())


def _label_ends(axes: object, ends: list[tuple[float, float, str, str]]) -> None:
    """Write names at the ends of lines, pushed apart where they would overlap."""
    if not ends:
        return
    axes.margins(x=0.02)
    low, high = axes.get_ylim()
    gap = (high - low) * 0.075
    place = -np.inf
    for x, y, name, colour in sorted(ends, key=lambda end: end[1]):
        place = max(y, place + gap)
        last = max(end[0] for end in ends)
        axes.annotate(
            _short(name), (x, y), xytext=(last + 0.05 * max(last - 1, 0.5), place), color=colour, fontsize=8,
            va="center", annotation_clip=False, arrowprops={"arrowstyle": "-", "color": colour, "lw": 0.5},
        )  # fmt: skip


def _plot(figure: Figure, name: str, title: str) -> Plot:
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}):
        svg, png = io.StringIO(), io.BytesIO()
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
        figure.savefig(png, format="png", dpi=144, metadata={"Software": None})
    text = svg.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    # Several figures stand in one page, where an id may occur once.
    text = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{name}-", text)
    return Plot(name, title, text, png.getvalue())


def slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "x"


def _short(text: object, most: int = 28) -> str:
    text = str(text)
    return text if len(text) <= most else text[: most - 1] + "…"
