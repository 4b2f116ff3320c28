"""Errors over operations and over sizes, on logarithmic axes, with the laws that were fitted to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullLocator

from atinuke_bench.formatting import number

from .labels import Line, compact, label_points, legend, plain_log_axis
from .once import drawn_once
from .style import INK, SOFT, Look, Plot, finished, new_figure, tip

#: x and y of a curve.
Curve = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Marks:
    """Points of one look: places, errors with their intervals, what a pointer is told of each; and the fitted curve."""

    name: str
    look: Look
    x: np.ndarray
    values: np.ndarray
    intervals: tuple[tuple[float, float], ...]
    tips: tuple[str, ...]
    curve: Curve | None = None


@dataclass(frozen=True)
class Predicted:
    """What a law says of a place that it was not fitted to."""

    x: float
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Frontier:
    """The least error for each budget by the law, with its interval, and that of the runs themselves."""

    budgets: np.ndarray
    values: np.ndarray
    low: np.ndarray
    high: np.ndarray
    measured: Curve


@dataclass(frozen=True)
class Panel:
    """What is drawn over one quantity; `curves` are named lines that no marks are of."""

    label: str
    marks: tuple[Marks, ...]
    curves: tuple[tuple[str, Curve], ...] = ()
    predicted: tuple[Predicted, ...] = ()
    frontier: Frontier | None = None
    heading: str = ""


@drawn_once
def scaling_figure(name: str, title: str, quantity: str, panels: Sequence[Panel]) -> Plot:
    """Panels side by side, over one scale of errors."""
    figure, found = new_figure(len(panels), 3.6)
    low, high = _range(panels)
    for axes, panel in zip(found, panels, strict=True):
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_ylim(low, high)
        plain_log_axis(axes.xaxis)
        axes.yaxis.set_major_locator(MaxNLocator(9, steps=[1, 2, 2.5, 5, 10]))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.set_xlabel(panel.label)
        axes.set_title(panel.heading, loc="left")
    found[0].set_ylabel(quantity)
    for axes, panel in zip(found, panels, strict=True):
        _draw(axes, panel)
    if any(panel.curves for panel in panels):
        # Points of all sizes are among each other, where no name has room.
        legend(figure, len(panels[0].marks))
    for axes, panel in zip(found, panels, strict=True):
        if panel.curves:
            _name_curves(axes, panel)
        elif panel.frontier is None and not any(one.curves for one in panels):
            ends = [(float(one.x[-1]), float(one.values[-1]), one.name) for one in panel.marks]
            label_points(axes, ends, _lines(panel))
    return finished(figure, name, title, "scaling")


def _range(panels: Sequence[Panel]) -> tuple[float, float]:
    """The errors that every panel shows: of all marks and named ends, whatever an interval does beyond them."""
    ends = np.array([y[-1] for panel in panels for _, (_, y) in panel.curves])
    values = np.concatenate([ends, *(one.values for panel in panels for one in panel.marks)])
    room = (values.max() / values.min()) ** 0.1 * 1.01
    return float(values.min() / room), float(values.max() * room)


def _draw(axes: Axes, panel: Panel) -> None:
    for one in panel.marks:
        own = one.look
        if one.curve is not None:
            axes.plot(*one.curve, color=own.colour, lw=1, ls=own.line)
        low, high = np.array(one.intervals).T
        is_known = np.isfinite(low) & np.isfinite(high)
        axes.vlines(one.x[is_known], low[is_known], high[is_known], color=own.colour, lw=1, alpha=0.6)
        name = "" if panel.curves else one.name
        (mark,) = axes.plot(one.x, one.values, label=name, color=own.colour, marker=own.marker, ls="", ms=5.5)
        tip(mark, *one.tips)
    for _, curve in panel.curves:
        axes.plot(*curve, color=SOFT, lw=0.9, zorder=0)
    for place in panel.predicted:
        # Beside the mark, which would cover it.
        x = place.x * 1.12
        axes.plot([x, x], [place.low, place.high], color=SOFT, lw=2.2, alpha=0.7)
        axes.plot([x], [place.value], color=INK, marker="_", ms=8)
    if panel.frontier is not None:
        best = panel.frontier
        axes.fill_between(best.budgets, best.low, best.high, color=INK, alpha=0.12, lw=0)
        axes.plot(best.budgets, best.values, color=INK, lw=1.6)
        axes.step(*best.measured, where="post", color=SOFT, lw=1, ls="--", zorder=0)
    axes.margins(x=0.12)
    low, high = axes.get_xlim()
    axes.set_xlim(low, high * (high / low) ** (0.4 if panel.curves else 0.05))


def _name_curves(axes: Axes, panel: Panel) -> None:
    """Write the names of curves at their right ends, pushed apart where they would overlap."""
    ends = sorted((float(y[-1]), float(x[-1]), name) for name, (x, y) in panel.curves)
    low, high = np.log(axes.get_ylim())
    gap, place = 0.06 * (high - low), -np.inf
    for y, x, name in ends:
        place = max(float(np.log(y)), place + gap)
        axes.annotate(name, (x * 1.5, float(np.exp(place))), va="center", annotation_clip=False)


def _lines(panel: Panel) -> list[Line]:
    return [
        ((float(x), low), (float(x), high))
        for one in panel.marks
        for x, (low, high) in zip(one.x, one.intervals, strict=True)
        if np.isfinite([low, high]).all()
    ]


def told(name: str, quantity: str, value: float, size: float, tokens: float, operations: float) -> str:
    """What a pointer is told of a point.

    >>> told("nano", "bits_per_byte", 2.5, 98_304, 4.2e5, 1.25e12)
    'nano: bits_per_byte 2.50, 98.304k parameters, 420k tokens, 1.2e+12 FLOPs'
    """
    parts = [f"{compact(size)} parameters" if np.isfinite(size) else ""]
    parts += [f"{compact(tokens)} tokens" if np.isfinite(tokens) else ""]
    parts += [f"{operations:.2g} FLOPs" if np.isfinite(operations) else ""]
    return f"{name}: {quantity} {number(value)}, {', '.join(filter(None, parts))}"
