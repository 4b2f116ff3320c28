"""Differences and their intervals, one a row: a forest plot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from atinuke_bench.formatting import number, p_value

from ..statistics.spread import Spread
from ..statistics.verdict import Judged
from .names import short
from .once import drawn_once
from .style import BAND, INK, SOFT, Plot, finished, new_figure, tip

#: Letters of a row's name at most.
_MOST_LETTERS = 36
_MARK = "#0072b2"
#: Marks of another kind of difference in the same plot.
OTHER_MARK = "#d55e00"


@dataclass(frozen=True)
class ForestRow:
    """A difference and what a pointer is told of it."""

    name: str
    spread: Spread
    is_told_apart: bool
    tip: str
    colour: str = _MARK
    #: Drawn as a bar from 0, as a part of a whole is.
    is_bar: bool = False

    @classmethod
    def of(cls, name: str, what: str, one: Judged) -> ForestRow:
        """A difference that was judged; `what` says of what it is."""
        p = f", p {p_value(one.p_corrected)}" if one.is_tested else ""
        return cls(name, one.spread, one.is_told_apart, f"{what}: {difference_text(one.spread)}{p}, {one.finding}")


@dataclass(frozen=True)
class ForestGroup:
    """Rows below a heading; without one where it is empty."""

    heading: str
    rows: tuple[ForestRow, ...]


def difference_text(spread: Spread) -> str:
    """A difference with its 95 % interval, where there is one.

    >>> difference_text(Spread(1.0, 0.5, 20.0)), difference_text(Spread(1.0, float("nan"), float("nan")))
    ('+1.00 [-0.04, 2.04]', '+1.00')
    """
    interval = spread.interval()
    bounds = "" if interval is None else f" [{number(interval[0])}, {number(interval[1])}]"
    return f"{number(spread.value, sign=True)}{bounds}"


@drawn_once
def forest(
    name: str, title: str, section: str, groups: Sequence[ForestGroup], label: str, margin: float | None
) -> Plot:
    """Each difference with its 95 % interval; filled where a test found it, hollow elsewhere, the margin shaded."""
    lines: list[ForestRow | str] = []
    for group in groups:
        lines += [group.heading] if group.heading else []
        lines += group.rows
    figure, (axes,) = new_figure(1, 0.9 + 0.21 * len(lines))
    if margin is not None:
        axes.axvspan(-margin, margin, color=BAND, lw=0, zorder=0)
    axes.axvline(0, color=SOFT, lw=1, ls="--", zorder=0)
    for place, row in enumerate(lines):
        if isinstance(row, str):
            continue
        face = row.colour if row.is_told_apart else "none"
        if row.is_bar:
            # Pale, so that the interval can be seen across it.
            (mark,) = axes.barh([place], [row.spread.value], 0.5, color=face, edgecolor=row.colour, alpha=0.5, zorder=1)
        else:
            (mark,) = axes.plot([row.spread.value], [place], "o", ms=6, color=row.colour, mfc=face)
        tip(mark, row.tip)
        if (interval := row.spread.interval()) is not None:
            axes.plot(interval, [place, place], color=INK, lw=1.4, zorder=1.5)
    names = [short(row if isinstance(row, str) else row.name, _MOST_LETTERS) for row in lines]
    axes.set_yticks(range(len(lines)), names)
    axes.tick_params(axis="y", length=0)
    for row, text in zip(lines, axes.get_yticklabels(), strict=True):
        text.set_fontweight("bold" if isinstance(row, str) else "normal")
    axes.set_ylim(len(lines) - 0.4, -0.6)
    axes.set_xlabel(label)
    return finished(figure, name, title, section)
