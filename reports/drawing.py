"""How every figure of a report looks. One colour, marker and line style a core, the same in all of them.

Colours are Okabe and Ito's (2008), told apart by people of every colour vision; markers and line styles carry the same
distinction for print in grey. Lines and points are labelled where they are, not in a legend.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure

#: Variants drawn in one figure; with more, nothing can be told apart.
MOST_VARIANTS = 8

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#444444", "#882255")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (8, 2)))
_HATCHES = ("", "///", "...", "xx", "\\\\\\", "--", "++", "oo")
_STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "text.parse_math": False,
}


@dataclass(frozen=True)
class Look:
    """How a core is drawn."""

    colour: str
    marker: str
    line: object
    hatch: str


@dataclass(frozen=True)
class Plot:
    """A figure as SVG for the page and PNG for slides, and the section of the page that shows it."""

    name: str
    title: str
    svg: str
    png: bytes
    section: str = "figures"


def looks(variants: Sequence[str]) -> dict[str, Look]:
    """A look for each variant, by its place in the given order; past the last colour the other marks differ."""
    found = {}
    for place, name in enumerate(variants):
        colour, other = place % len(_COLOURS), (place + place // len(_COLOURS)) % len(_COLOURS)
        found[name] = Look(_COLOURS[colour], _MARKERS[other], _LINES[other], _HATCHES[other])
    return found


def new_figure(columns: int, size: tuple[float, float], rows: int = 1) -> tuple[Figure, list[Axes]]:
    """An empty figure of some panels, in reading order; the size is in inches."""
    # No pyplot: it keeps global state and asks for a display.
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False)
    return figure, list(axes.ravel())


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


def finished(figure: Figure, name: str, title: str, section: str = "figures") -> Plot:
    """The figure as a plot; it may not be drawn on afterwards."""
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}), warnings.catch_warnings():
        # A label in a script that the font lacks: the page shows it in the reader's font, the PNG as a box.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        svg, png = io.StringIO(), io.BytesIO()
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
        # Laying out costs as much as drawing, and the panels now are where they belong.
        figure.set_layout_engine("none")
        figure.savefig(png, format="png", dpi=144, metadata={"Software": None})
    text = svg.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    # Several figures stand in one page, where an id may occur once.
    text = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{name}-", text)
    return Plot(name, title, text, png.getvalue(), section)


def slug(text: str) -> str:
    """Text as a part of a file name and of an id.

    >>> slug("glue/RTE (3f)")
    'glue-rte-3f'
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "x"


def short(text: object, most: int = 28) -> str:
    """Text of at most so many letters; names of variants differ at their ends, so that the middle is left out.

    >>> short("atinuke-micro[dropout=0.2,causal=false]", 24)
    'atinuke-micr…usal=false]'
    """
    text = str(text)
    if len(text) <= most:
        return text
    tail = (most - 1) // 2
    return f"{text[: most - 1 - tail]}…{text[len(text) - tail :]}"
