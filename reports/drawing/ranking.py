"""Figures over all tasks of a table: ranks with their critical difference, and performance profiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from atinuke_bench.metrics.metric import Floats

from ..statistics.averages import performance_profile
from ..statistics.ranks import Ranking
from .labels import legend
from .once import drawn_once
from .style import INK, Look, Plot, finished, new_figure, tip

#: Past so many ranks, numbers beside each other run into each other.
_MOST_NUMBERS = 10


@drawn_once
def rank_diagram(name: str, title: str, variants: Sequence[str], ranking: Ranking, look: Mapping[str, Look]) -> Plot:
    """Mean ranks on a line (Demšar 2006), best at the left; a bar joins those that are not told apart."""
    order = [int(place) for place in np.argsort(ranking.mean_ranks, kind="stable")]
    half = (len(order) + 1) // 2
    ties = ranking.ties()
    first = 0.75 + 0.3 * len(ties)  # the height of the first names, below the bars
    lowest = first + 0.6 * (half - 1)
    figure, (axes,) = new_figure(1, 0.95 + 0.36 * lowest)
    last = len(variants)
    axes.set_xlim(1 - 0.62 * (last - 1), last + 0.62 * (last - 1))
    axes.set_ylim(-lowest - 0.35, 1.75)
    axes.axis("off")
    _scale(axes, last, ranking.critical_difference)
    for side, members in ((-1, order[:half]), (1, order[half:][::-1])):
        end = 1 - 0.06 * (last - 1) if side < 0 else last + 0.06 * (last - 1)
        for step, place in enumerate(members):
            own, x, y = look[variants[place]], float(ranking.mean_ranks[place]), -first - 0.6 * step
            axes.plot([x, x, end], [0, y, y], color=own.colour, lw=1.2)
            (mark,) = axes.plot([x], [0], color=own.colour, marker=own.marker, ms=6, zorder=4)
            tip(mark, f"{variants[place]}: mean rank {x:.2f}")
            text = f"{own.name}  {x:.2f}" if side < 0 else f"{x:.2f}  {own.name}"
            axes.text(
                end + 0.02 * side * (last - 1), y, text, ha="right" if side < 0 else "left", va="center", color=INK
            )
    for step, tie in enumerate(ties):
        low, high = (float(ranking.mean_ranks[place]) for place in (tie[0], tie[-1]))
        edge = 0.015 * (last - 1)
        axes.plot([low - edge, high + edge], [-0.35 - 0.3 * step] * 2, color=INK, lw=3, solid_capstyle="butt")
    return finished(figure, name, title, "across")


def _scale(axes: Axes, last: int, critical_difference: float) -> None:
    """The line of ranks with its numbers, and above it how long the critical difference is."""
    axes.plot([1, last], [0, 0], color=INK, lw=1)
    for rank in range(1, last + 1):
        axes.plot([rank, rank], [0, 0.12], color=INK, lw=1)
        if last <= _MOST_NUMBERS or rank == 1 or rank % 5 == 0:
            axes.text(rank, 0.22, str(rank), ha="center", va="bottom", color=INK)
    text = f"critical difference {critical_difference:.2f}"
    if critical_difference > last - 1:
        axes.text(1, 1.1, f"{text}: more than the whole scale", va="center", color=INK)
        return
    end = 1 + critical_difference
    axes.plot([1, end], [1.1, 1.1], color=INK, lw=1)
    for x in (1, end):
        axes.plot([x, x], [1.0, 1.2], color=INK, lw=1)
    axes.text(end + 0.03 * (last - 1), 1.1, text, va="center", color=INK)


@drawn_once
def profile_figure(name: str, title: str, runs: Mapping[str, Floats], look: Mapping[str, Look]) -> Plot:
    """The share of all runs on all tasks that score above each score: of each variant, runs by tasks [S, T]."""
    scores = np.concatenate([own.ravel() for own in runs.values()])
    thresholds = np.linspace(scores.min() - 1, scores.max() + 1, 401)
    figure, (axes,) = new_figure(1, 3.4)
    for variant, own in runs.items():
        shares = 100 * performance_profile(own, thresholds)
        own_look = look[variant]
        (line,) = axes.plot(thresholds, shares, color=own_look.colour, ls=own_look.line, lw=1.8, label=own_look.name)
        tip(line, variant)
    axes.set_xlabel("score")
    axes.set_ylabel("runs that score above it, %")
    axes.set_ylim(-2, 102)
    legend(figure, len(runs))
    return finished(figure, name, title, "across")
