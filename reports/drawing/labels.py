"""Names and numbers on figures, where they cover nothing."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure

from .recording import measured
from .style import SOFT, TYPE_SIZE, WIDTH, set_type

#: Two ends of a line (x, y), the lower left one first, in the units of the axes.
Line = tuple[tuple[float, float], tuple[float, float]]
#: How many places beside a point are so near that a name needs no line to it.
_NEAR = 8


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
        axes.plot([x, last + step], [y, place], color=colour, lw=1.2, clip_on=False, scalex=False, scaley=False)
        axes.annotate(name, (last + 1.3 * step, place), va="center", annotation_clip=False)
    axes.set_ylim(low, high)


def label_points(axes: Axes, points: Sequence[tuple[float, float, str]], lines: Sequence[Line] = ()) -> None:
    """Write names beside points (x, y, name), each where it covers no other name, no point and none of some lines.

    A name that found room only further away has a line to its point. Nothing may be drawn on the axes afterwards.
    """
    # Where things are is known only once the figure has its layout.
    figure = axes.get_figure(root=True)
    assert figure is not None, "axes of no figure"
    set_type(figure)
    measured(figure)
    engine = figure.get_layout_engine()
    assert engine is not None, "a figure without a layout"
    engine.execute(figure)
    frame = axes.get_window_extent().padded(6)
    places = axes.transData.transform([(x, y) for x, y, _ in points])
    taken = [(px - 5, py - 5, px + 5, py + 5) for px, py in places]
    for line in lines:
        (left, low), (right, high) = axes.transData.transform(line)
        taken.append((left - 2, low - 2, right + 2, high + 2))
    for (x, y, name), (px, py) in zip(points, places, strict=True):
        text = axes.annotate(name, (x, y), xytext=(0, 0), textcoords="offset points", annotation_clip=False,
                             fontsize=TYPE_SIZE)  # fmt: skip
        size = text.get_window_extent()
        offsets = _offsets(size.width, size.height)
        corners = [(px + dx, py + dy) for dx, dy in offsets]
        boxes = [(x, y, x + size.width, y + size.height) for x, y in corners]
        covered = [
            sum(_overlap(box, other) for other in taken) + _area(box) - _overlap(box, frame.extents) for box in boxes
        ]
        best = min(range(len(boxes)), key=lambda place: (round(covered[place]), place))
        taken.append(boxes[best])
        dx, dy = offsets[best]
        text.set_position((dx, dy))
        if best >= _NEAR:
            end = (dx + min(max(-dx, 0.0), size.width), dy + (0.0 if dy > 0 else size.height))
            arrow = {"arrowstyle": "-", "color": SOFT, "lw": 0.6, "shrinkA": 1, "shrinkB": 4}
            axes.annotate("", (x, y), xytext=end, textcoords="offset points", annotation_clip=False, arrowprops=arrow)
    if all(_overlap(box, figure.bbox.extents) >= _area(box) - 1e-6 for box in taken):
        # No name needs other room, and a second layout would take as long as half of the rest.
        figure.set_layout_engine("none")


def _offsets(width: float, height: float) -> list[tuple[float, float]]:
    """Places of a name's lower left corner from its point, in points: beside it, then over and under it, then away."""
    middle, sides = -height / 2, (7.0, -7.0 - width)
    near = [(x, y) for x in sides for y in (middle, 3.0, -3.0 - height)] + [
        (-width / 2, 7.0),
        (-width / 2, -7.0 - height),
    ]
    assert len(near) == _NEAR
    steps = [step * height for step in (1.3, 2.4, 3.5, 4.6, 5.7)]
    return near + [(x, y) for step in steps for y in (step, -step - height) for x in (*sides, -width / 2)]


def _area(box: tuple[float, ...]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """The area that two boxes (left, bottom, right, top) share."""
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def legend(figure: Figure, num_variants: int) -> None:
    """Names above the panel, as many a row as figures are wide enough for."""
    longest = max((len(name) for name in figure.axes[0].get_legend_handles_labels()[1]), default=1)
    # Inches: a letter, and the mark with the room around it.
    columns = int(WIDTH / (0.066 * longest + 0.6))
    figure.legend(loc="outside upper left", ncols=max(1, min(num_variants, columns, 4)), frameon=False)


def shared_legend(figure: Figure, panels: Sequence[Axes]) -> None:
    """Names above several panels, each once for what has it in any of them."""
    handles: dict[str, Artist] = {}
    for axes in panels:
        handles |= {name: handle for handle, name in zip(*axes.get_legend_handles_labels(), strict=True)}
    columns = max(1, min(len(handles), 4))
    figure.legend(list(handles.values()), list(handles), loc="outside upper left", ncols=columns, frameon=False)


def plain_log_axis(axis: Axis) -> None:
    """Labels of a logarithmic axis as plain text, since the names of runs are never read as formulas."""
    axis.set_major_formatter(lambda value, _: compact(value))
    axis.set_minor_formatter(lambda value, _: compact(value) if _is_labelled(value, axis) else "")


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
