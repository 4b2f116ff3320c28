"""Score by distance for kinds of positions beside each other.

A panel has the variants of one core in one column that differ in positions and attention window alone. Points are means
over seeds; where there are three seeds or more, lines are Student's 95 % interval over them, the examples being the
same for all.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from matplotlib.axes import Axes
from scipy import stats

from atinuke_bench.config import Positions
from atinuke_bench.formatting import number

from ..drawing.labels import shared_legend
from ..drawing.once import drawn_once
from ..drawing.plots import SliceTable, is_ordered
from ..drawing.style import MOST_VARIANTS, SOFT, Look, Plot, finished, looks, new_figure, slug, tip
from ..reading.column import Column
from ..reading.frame import Frame
from ..statistics.cells import Cell, Cells
from .figures import slice_tables

#: The page's section, which `gains` shares.
SECTION = "positions"
#: What kinds of positions are told apart by; `max_positions` and `position_gain` go with them.
_KIND = ("core.positions", "core.attention_window")
_OF_KIND = (*_KIND, "core.max_positions", "core.position_gain")
_NAMES = {"alibi": "ALiBi", "none": "no positions"}
#: Slices that are about how far apart something is.
_APART = re.compile(r"\b(distance|position|between)\b")
_FEWEST_SEEDS = 3
#: Panels beside each other, and in all.
ACROSS, MOST_PANELS = 2, 4


@dataclass(frozen=True)
class Curve:
    """A kind of positions: the mean at each label and Student's interval, NaN where it has no figure or no interval."""

    kind: str
    variant: str
    mean: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


@dataclass(frozen=True)
class Panel:
    """The kinds of one core."""

    title: str
    curves: tuple[Curve, ...]


def position_plots(frame: Frame, cells: Cells) -> Iterable[Plot]:
    """Score by distance for each core with several kinds of positions."""
    for column, own in cells.items():
        groups = [group for group in _groups(frame, list(own.values())).items() if len(group[1]) > 1][:MOST_PANELS]
        if not groups:
            continue
        shown = [cell for _, kinds in groups for cell in kinds.values()]
        for table in slice_tables(frame, column, shown):
            labels = [str(label) for label in table.mean.index]
            if not (_APART.search(table.name) and is_ordered(table.mean.index)):
                continue
            labels.sort(key=lambda label: int(re.findall(r"\d+", label)[0]))
            panels = [
                Panel(title, tuple(_curve(frame, kind, cell, table, labels) for kind, cell in _in_order(kinds)))
                for title, kinds in groups
            ]
            yield _distance_figure(
                table.task, table.name, table.metric, labels, panels, _longest_trained(frame, column, shown)
            )


def _groups(frame: Frame, cells: Sequence[Cell]) -> dict[str, dict[str, Cell]]:
    """Name of a core -> kind of positions -> cell; cores that differ in anything else have a name each."""
    found: dict[str, dict[str, dict[str, Cell]]] = {}
    for cell in cells:
        config = frame.config(cell.runs[0])
        if config.get("core.positions") is None:
            continue
        rest = {name: value for name, value in config.items() if name not in _OF_KIND and value is not None}
        direction = "causal" if config.get("core.causal") else "bidirectional"
        name = f"{frame.value(cell.runs[0], 'core')}, {direction}"
        kinds = found.setdefault(name, {}).setdefault(json.dumps(rest, sort_keys=True, default=str), {})
        kinds.setdefault(kind_of(config), cell)
    return {
        name if len(alike) == 1 else f"{name} ({place})": kinds
        for name, alike in found.items()
        for place, kinds in enumerate(alike.values(), start=1)
    }


def kind_of(config: Mapping[str, Any]) -> str:
    """Positions and window of a core, for readers.

    >>> kind_of({"core.positions": "alibi", "core.attention_window": 16})
    'ALiBi, window 16'
    """
    positions = str(config["core.positions"])
    window = config.get("core.attention_window")
    return _NAMES.get(positions, positions) + (f", window {window}" if window is not None else "")


def _in_order(kinds: Mapping[str, Cell]) -> list[tuple[str, Cell]]:
    """The kinds that a figure has room for."""
    return sorted(kinds.items(), key=lambda item: _place(item[0]))[:MOST_VARIANTS]


def _place(kind: str) -> tuple[int, str]:
    """The same order in every figure, and so the same colours for the same kinds: as the setting names them."""
    names = [_NAMES.get(one, one) for one in get_args(Positions)]
    positions, _, window = kind.partition(",")
    return names.index(positions) if positions in names and not window else len(names), kind


def _curve(frame: Frame, kind: str, cell: Cell, table: SliceTable, labels: Sequence[str]) -> Curve:
    rows = frame.slices[frame.slices["run"].isin(cell.runs)]
    rows = rows[(rows["slice"] == table.name) & (rows["metric"] == table.metric)]
    values = rows.pivot(index="label", columns="run", values="value").reindex(list(labels))
    spans = [student(row[np.isfinite(row)]) for row in values.to_numpy(dtype=np.float64)]
    mean, low, high = zip(*spans, strict=True)
    return Curve(kind, cell.variant, mean, low, high)


def student(values: np.ndarray) -> tuple[float, float, float]:
    """The mean of seeds and Student's 95 % interval of it; NaN for what too few seeds cannot tell.

    >>> [round(end, 2) for end in student(np.array([1.0, 2.0, 3.0]))]
    [2.0, -0.48, 4.48]
    """
    if not len(values):
        return math.nan, math.nan, math.nan
    mean = float(values.mean())
    if len(values) < _FEWEST_SEEDS:
        return mean, math.nan, math.nan
    half = float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values)))
    return mean, mean - half, mean + half


def _longest_trained(frame: Frame, column: Column, cells: Sequence[Cell]) -> int | None:
    """The largest distance of train, where generated data says it."""
    found = {str(frame.config(cell.runs[0]).get("source.microworld.train_distances")) for cell in cells}
    numbers = [int(one) for one in re.findall(r"\d+", found.pop())] if len(found) == 1 else []
    return max(numbers, default=None)


@drawn_once
def _distance_figure(
    task: str, name: str, metric: str, labels: Sequence[str], panels: Sequence[Panel], longest_trained: int | None
) -> Plot:
    across = min(len(panels), ACROSS)
    rows = -(-len(panels) // across)
    figure, axes = new_figure(across, 3.4 * rows, rows)
    kinds = sorted({curve.kind for panel in panels for curve in panel.curves}, key=_place)
    look = looks(kinds)
    for empty in axes[len(panels) :]:
        empty.set_visible(False)
    for own, panel in zip(axes, panels, strict=False):
        for curve in panel.curves:
            # Beside each other, so that no interval hides another.
            step = 0.07 * (kinds.index(curve.kind) - (len(kinds) - 1) / 2)
            _draw(own, curve, labels, look[curve.kind], step)
        own.set_xticks(range(len(labels)), labels)
        own.set_xlabel(name)
        own.set_ylabel(metric)
        own.set_title(panel.title, loc="left")
        if longest_trained is not None and str(longest_trained) in labels[:-1]:
            own.axvline(labels.index(str(longest_trained)) + 0.5, color=SOFT, lw=0.8, ls="--")
    # One scale, so that panels can be compared; nothing lies outside of 0 and 100, whatever an interval says.
    lows, highs = zip(*(own.get_ylim() for own in axes[: len(panels)]), strict=True)
    for own in axes[: len(panels)]:
        own.set_ylim(max(min(lows), -2.0), min(max(highs), 102.0))
    shared_legend(figure, axes[: len(panels)])
    beyond = "; right of the dashed line: farther than in training" if longest_trained is not None else ""
    title = f"{task}: {metric} by {name} and kind of positions (mean; lines: 95 % interval over seeds{beyond})"
    return finished(figure, f"positions-{slug(task)}-{slug(name)}", title, SECTION)


def _draw(axes: Axes, curve: Curve, labels: Sequence[str], look: Look, step: float) -> None:
    mean, low, high = (np.array(part, dtype=np.float64) for part in (curve.mean, curve.low, curve.high))
    xs = np.arange(len(labels)) + step
    axes.plot(xs, mean, color=look.colour, ls=look.line, lw=1.2)
    known, spread = np.flatnonzero(np.isfinite(mean)), np.flatnonzero(np.isfinite(low))
    axes.vlines(xs[spread], low[spread], high[spread], color=look.colour, lw=1, alpha=0.7)
    (marks,) = axes.plot(xs[known], mean[known], color=look.colour, ls="", marker=look.marker, ms=5, label=look.name)
    tip(
        marks,
        *(
            f"{curve.variant}, {labels[place]}: {number(mean[place])}"
            + (f" [{number(low[place])}, {number(high[place])}]" if np.isfinite(low[place]) else "")
            for place in known.tolist()
        ),
    )
