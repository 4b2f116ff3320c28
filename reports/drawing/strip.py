"""Figures measured here and published ones on one axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from atinuke_bench.formatting import number

from .names import short
from .once import drawn_once
from .style import BAND, INK, PAPER, Plot, finished, new_figure, tip


@dataclass(frozen=True)
class Mark:
    """A figure on the strip with the bounds of its interval or spread, which may be the figure itself.

    `colour` is that of a core measured here, None for a published one; `is_whole` where it is comparable in everything.
    """

    name: str
    value: float
    bounds: tuple[float, float]
    colour: str | None = None
    is_whole: bool = True


@drawn_once
def strip(name: str, title: str, metric: str, marks: Sequence[Mark]) -> Plot:
    """One line a system, highest at the top: ours as a square, comparable ones filled, the others hollow."""
    ordered = sorted(marks, key=lambda mark: mark.value)
    figure, (axes,) = new_figure(1, 0.8 + 0.22 * len(ordered))
    for line, mark in enumerate(ordered):
        is_ours, colour = mark.colour is not None, mark.colour or INK
        if is_ours:
            axes.axhspan(line - 0.45, line + 0.45, color=BAND, zorder=0)
        has_line = mark.bounds[0] < mark.bounds[1]
        if has_line:
            axes.plot(mark.bounds, [line, line], color=colour, lw=1.4)
        (point,) = axes.plot(
            [mark.value], [line], color=colour, marker="s" if is_ours else "o", ms=5.5,
            mfc=colour if mark.is_whole else PAPER,
        )  # fmt: skip
        bounds = f" [{number(mark.bounds[0])}, {number(mark.bounds[1])}]" if has_line else ""
        tip(point, f"{mark.name}: {number(mark.value)}{bounds}")
    axes.set_yticks(np.arange(len(ordered)), [short(mark.name, 40) for mark in ordered])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(-0.7, len(ordered) - 0.3)
    axes.set_xlabel(metric)
    return finished(figure, name, title, "published")
