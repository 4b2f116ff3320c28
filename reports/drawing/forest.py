"""Differences with their intervals, one below the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from .style import short

_BLUE = "#0072B2"


@dataclass(frozen=True)
class Difference:
    """A row of a forest: its name, value, interval (None where there is none), and whether it is told apart from 0."""

    name: str
    value: float
    interval: tuple[float, float] | None
    is_told_apart: bool
    colour: str = _BLUE
    is_bar: bool = False


def forest_size(num_rows: int) -> tuple[float, float]:
    """Inches of a figure with so many rows."""
    return 6.8, 1.1 + 0.34 * num_rows


def draw_forest(axes: Axes, rows: Sequence[Difference], label: str) -> None:
    """Draw rows from the bottom up; filled is what is told apart from 0. `label` says what is measured."""
    for place, row in enumerate(rows):
        fill = row.colour if row.is_told_apart else "white"
        if row.is_bar:
            # Pale, so that the interval can be seen across it.
            axes.barh([place], [row.value], height=0.5, color=fill, edgecolor=row.colour, alpha=0.5, zorder=1)
        if row.interval is not None:
            axes.plot(row.interval, [place, place], color="#444444", lw=1.6, zorder=2)
        if not row.is_bar:
            axes.plot([row.value], [place], "o", ms=7, color=row.colour, mfc=fill)
    axes.axvline(0, color="#888888", lw=1, ls="--", zorder=0)
    axes.set_yticks(range(len(rows)), [short(row.name, 44) for row in rows], fontsize=8)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xlabel(f"{label}\n(95 % interval; filled: told apart from no change)")
