"""Figures of attention heads: what the score loses without each, and with ever fewer of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.patches import Rectangle

from atinuke_bench.formatting import number

from .labels import legend
from .once import drawn_once
from .style import SOFT, WIDTH, Plot, finished, new_figure, tip

#: Inches of a letter, of a cell at least where it holds a number, of a cell at most, and of the labels of layers.
_LETTER, _LEAST_CELL, _MOST_CELL, _LABELS = 0.068, 0.4, 0.75, 0.65
_IMPORTANT, _RANDOM = "#0072b2", "#d55e00"
#: Points of a curve that have a label on the axis.
_MOST_TICKS = 7


@dataclass(frozen=True)
class HeadMap:
    """What is lost without each head of one run, by layer: points, whether a test found it, and a text for pointers."""

    title: str
    drops: Sequence[Sequence[float | None]]
    is_found: Sequence[Sequence[bool]]
    tips: Sequence[Sequence[str]]


@drawn_once
def head_maps(name: str, title: str, maps: Sequence[HeadMap]) -> Plot:
    """Layers down, heads across, one panel a run: blue where the score falls without a head, orange where it rises."""
    num_heads = max(len(row) for one in maps for row in one.drops)
    num_layers = max(len(one.drops) for one in maps)
    # As many beside each other as have room for numbers; a single map of few heads is no wider than it need be.
    most_columns, least_columns = (int(WIDTH / (size * num_heads + _LABELS)) for size in (_LEAST_CELL, _MOST_CELL))
    columns = max(1, min(most_columns, max(len(maps), least_columns)))
    cell = min(_MOST_CELL, (WIDTH / columns - _LABELS) / num_heads)
    rows = -(-len(maps) // columns)
    height = min(cell, 0.34)
    figure, panels = new_figure(columns, (height * num_layers + 0.75) * rows, rows)
    for axes in panels[len(maps) :]:
        axes.set_visible(False)
    known = [abs(drop) for one in maps for row in one.drops for drop in row if drop is not None]
    most = max(known, default=0.0) or 1.0
    for axes, one in zip(panels, maps, strict=False):
        _draw_map(axes, one, most, int(cell / _LETTER))
        axes.set(xlim=(-0.5, num_heads - 0.5), ylim=(num_layers - 0.5, -0.5))
        axes.set_xticks(range(num_heads), [str(place + 1) for place in range(num_heads)])
        axes.set_yticks(range(num_layers), [str(place + 1) for place in range(num_layers)])
        axes.set_xlabel("head")
        axes.set_ylabel("layer")
        axes.set_title(one.title)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
    return finished(figure, name, title, "attention")


def _draw_map(axes: Axes, one: HeadMap, most: float, letters: int) -> None:
    digits = _digits(most, letters)
    for layer, row in enumerate(one.drops):
        for head, drop in enumerate(row):
            if drop is None:
                continue
            share = abs(drop) / most
            # The palest end of a map is white, which is no colour on a white page.
            colours = mpl.colormaps["Blues" if drop >= 0 else "Oranges"]
            filled = to_hex(colours(0.06 + 0.9 * share))
            square = Rectangle((head - 0.48, layer - 0.46), 0.96, 0.92, color=filled, lw=0)
            tip(square, one.tips[layer][head])
            axes.add_patch(square)
            # What rounds to zero has no sign.
            shown = "" if digits is None else number(round(drop, digits) + 0.0, digits)
            is_found = one.is_found[layer][head]
            axes.text(head, layer, f"{shown}{'*' if is_found else ''}", ha="center", va="center", color=_ink_on(filled),
                      fontweight="bold" if is_found else "normal")  # fmt: skip


def _ink_on(colour: str) -> str:
    """The ink that can be read on a colour: dark or light, not those of ink and paper, which schemes exchange.

    >>> _ink_on("#ffffff"), _ink_on("#08306b")
    ('#111111', '#fefefe')
    """
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in to_rgb(colour))
    # The relative luminance of WCAG 2, at which black and white have the same contrast.
    return "#111111" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 else "#fefefe"


def _digits(most: float, letters: int) -> int | None:
    """Digits of the numbers in cells that hold so many letters; None where no number has room.

    >>> _digits(12.5, 7), _digits(12.5, 6), _digits(0.04, 8), _digits(12.5, 3)
    (2, 1, 3, None)
    """
    before = 2 + len(str(int(most)))  # a sign, and the mark of what was found
    for digits in (3, 2, 1, 0):
        fits = before + digits + (digits > 0) <= letters
        if fits and (digits < 3 or most < 0.1):
            return digits
    return None


@dataclass(frozen=True)
class PruningCurve:
    """Scores with ever fewer heads; a band from `low` to `high`, NaN where there is none."""

    kept: Sequence[int]
    score: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


@drawn_once
def pruning_curves(
    name: str, title: str, metric: str, by_importance: PruningCurve, at_random: PruningCurve, flops: Sequence[float]
) -> Plot:
    """Score against heads kept, by importance and at random; below each number, what is left of the operations."""
    figure, (axes,) = new_figure(1, 2.9)
    for curve, label, colour, line, marker in (
        (by_importance, "by importance", _IMPORTANT, "-", "o"),
        (at_random, "random order", _RANDOM, "--", "s"),
    ):
        kept, score = np.array(curve.kept, dtype=float), np.array(curve.score, dtype=float)
        known = np.isfinite(score)
        axes.fill_between(kept, curve.low, curve.high, color=colour, alpha=0.15, lw=0)
        (marks,) = axes.plot(kept[known], score[known], color=colour, ls=line, lw=1.6, marker=marker, ms=4, label=label)
        tip(marks, *(f"{label}, {int(k)} heads: {number(s)}" for k, s in zip(kept[known], score[known], strict=True)))
    axes.axhline(by_importance.score[0], color=SOFT, lw=0.8, ls=":", zorder=0)
    axes.invert_xaxis()
    step = -(-(len(flops) - 1) // (_MOST_TICKS - 1))
    ticks = [(kept, 100 * left / flops[0]) for kept, left in zip(by_importance.kept, flops, strict=True)][::step]
    axes.set_xticks([kept for kept, _ in ticks], [f"{kept}\n{share:.0f} %" for kept, share in ticks])
    axes.set_xlabel("attention heads kept, and the core's operations")
    axes.set_ylabel(metric)
    # Both lines begin and end in the same points, so that their names have no place there.
    legend(figure, 2)
    return finished(figure, name, title, "attention")
