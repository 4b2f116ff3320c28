"""Figures measured here and published ones on one axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .style import Plot, finished, new_figure, short

_OURS, _THEIRS = "#0072B2", "#444444"


@dataclass(frozen=True)
class Mark:
    """A figure on the strip with its spread, which may be 0; `is_whole` where it is comparable in everything."""

    name: str
    value: float
    spread: float
    is_ours: bool
    is_whole: bool = True


def strip(name: str, title: str, metric: str, marks: Sequence[Mark]) -> Plot:
    """One line a system, highest at the top: ours as a square, comparable ones filled, the others hollow."""
    ordered = sorted(marks, key=lambda mark: mark.value)
    figure, (axes,) = new_figure(1, (6.8, 0.8 + 0.22 * len(ordered)))
    for line, mark in enumerate(ordered):
        colour = _OURS if mark.is_ours else _THEIRS
        if mark.spread > 0:
            axes.plot([mark.value - mark.spread, mark.value + mark.spread], [line, line], color=colour, lw=1.4)
        axes.plot(
            [mark.value], [line], color=colour, marker="s" if mark.is_ours else "o", ms=5.5,
            mfc=colour if mark.is_whole else "white",
        )  # fmt: skip
    axes.set_yticks(np.arange(len(ordered)), [short(mark.name, 40) for mark in ordered])
    for label, mark in zip(axes.get_yticklabels(), ordered, strict=True):
        label.set_fontweight("bold" if mark.is_ours else "normal")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#dddddd", lw=0.6)
    axes.set_axisbelow(True)
    axes.set_ylim(-0.7, len(ordered) - 0.3)
    axes.set_xlabel(metric)
    return finished(figure, name, title, "published")
