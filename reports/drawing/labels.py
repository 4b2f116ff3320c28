"""Names and numbers on figures, where they cover nothing."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure

from .style import short


def label_ends(axes: Axes, ends: list[tuple[float, float, str, str]]) -> None:
    """Write names (x, y, name, colour) at the ends of lines, pushed apart where they would overlap."""
    if not ends:
        return
    axes.margins(x=0.02)
    low, high = axes.get_ylim()
    gap = (high - low) * 0.075
    places: list[float] = []
    ordered = sorted(ends, key=lambda end: end[1])
    for _, y, _, _ in ordered:
        places.append(max(y, places[-1] + gap) if places else y)
    # What was pushed out at the top comes back in, and pushes the others down.
    ceiling = high
    for number in reversed(range(len(places))):
        places[number] = min(places[number], ceiling)
        ceiling = places[number] - gap
    last = max(end[0] for end in ends)
    left, right = axes.get_xlim()
    step = 0.03 * (right - left)
    for (x, y, name, colour), place in zip(ordered, places, strict=True):
        axes.plot([x, last + step], [y, place], color=colour, lw=0.5, clip_on=False, scalex=False, scaley=False)
        axes.annotate(short(name), (last + 1.3 * step, place), color=colour, fontsize=8, va="center",
                      annotation_clip=False)  # fmt: skip
    axes.set_ylim(low, high)


def label_points(axes: Axes, points: Sequence[tuple[float, float, str]], size: float = 8) -> None:
    """Write names beside points (x, y, name), each where it covers no other name and no other point, if there is."""
    axes.figure.canvas.draw_idle()
    places = axes.transData.transform([(x, y) for x, y, _ in points])
    scale = axes.figure.dpi / 72
    taken = [(px - 4, py - 4, px + 4, py + 4) for px, py in places]
    for (x, y, name), (px, py) in zip(points, places, strict=True):
        text = short(name)
        width, height = 0.58 * size * scale * len(text), 1.2 * size * scale
        offsets = [(8, 5), (8, -13), (8, 17), (8, -25), (-8 - width / scale, 5), (-8 - width / scale, -13)]
        boxes = [(px + dx * scale, py + dy * scale) for dx, dy in offsets]
        overlaps = [sum(_overlap((bx, by, bx + width, by + height), other) for other in taken) for bx, by in boxes]
        best = overlaps.index(min(overlaps))
        taken.append((*boxes[best], boxes[best][0] + width, boxes[best][1] + height))
        axes.annotate(text, (x, y), xytext=offsets[best], textcoords="offset points", fontsize=size, color="#222222")


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """The area that two boxes (left, bottom, right, top) share."""
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def legend(figure: Figure, num_variants: int, width: float) -> None:
    """Names above the panel, as many a row as the figure is wide enough for."""
    figure.legend(
        loc="outside upper left", ncols=max(1, min(num_variants, int(width / 2.1))), frameon=False, fontsize=8
    )


def plain_log_axis(axis: Axis) -> None:
    """Labels of a logarithmic axis as plain text, since the names of runs are never read as formulas."""
    axis.set_major_formatter(lambda value, _: compact(value))
    axis.set_minor_formatter(lambda value, _: compact(value) if _is_labelled(value, axis) else "")
    axis.set_tick_params(which="both", labelsize=8)


def _is_labelled(value: float, axis: Axis) -> bool:
    # Over more than a decade and a half, labels between the powers of ten would run into each other.
    low, high = axis.get_view_interval()
    return high / low < 30 and f"{value:.0e}"[0] in "25"


def compact(value: float) -> str:
    """A count of parameters or operations for an axis.

    >>> [compact(value) for value in (50, 2_000, 3e6, 4.5e9, 1e13, 2e19)]
    ['50', '2k', '3M', '4.5G', '10T', '2e+19']
    """
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if size <= value < 1e15:
            return f"{value / size:g}{unit}"
    return f"{value:g}"
