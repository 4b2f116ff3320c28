"""How every figure of a report looks. One colour, marker and line style a core, the same in all of them.

Colours are Okabe and Ito's (2008), which people of every colour vision can distinguish, the two lightest darkened until
they have a contrast of 3 to white; markers and line styles carry the same distinction for print in grey. Lines and
points are labelled where they are, not in a legend. All text is of one size, and every figure is as wide as half the
page, so that it is of one size there too.

The page shows figures in its own light and dark colours (`themed`), and says what a mark is when a pointer rests on it
(`tip`).
"""

from __future__ import annotations

import html
import json
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from atinuke_bench.files import sha256_json

from .names import short_names
from .recording import written

#: Letters of a name that files of figures are called by.
_MOST_SLUG = 80
#: Variants drawn in one figure; with more, nothing can be told apart.
MOST_VARIANTS = 8

#: Inches. Two figures are beside each other on a page of 1,280 pixels.
WIDTH = 6.0
TYPE_SIZE = 9.0
#: Text and axes, lines that guide the eye, what is behind a figure, and a band behind a row of it.
INK, SOFT, PAPER, BAND = "#1b1b1b", "#767676", "#ffffff", "#eeeeee"

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#3a97cf", "#bf8300", "#444444", "#882255")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (8, 2)))
_HATCHES = ("", "///", "...", "xx", "\\\\\\", "--", "++", "oo")
_STYLE: dict[Any, Any] = {
    "font.size": TYPE_SIZE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": TYPE_SIZE,
    "axes.titlelocation": "left",
    **dict.fromkeys(("axes.labelsize", "xtick.labelsize", "ytick.labelsize", "legend.fontsize"), TYPE_SIZE),
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK),
    **dict.fromkeys(("axes.facecolor", "figure.facecolor"), PAPER),
    "svg.fonttype": "none",
    # TrueType: journals refuse fonts of Type 3.
    "pdf.fonttype": 42,
    "font.family": "sans-serif",
    "text.parse_math": False,
}
#: Colours of figures that the page has its own for, by the name of its CSS variable.
_THEMED = {INK: "ink", SOFT: "mid", PAPER: "paper", BAND: "band"} | {
    colour: f"core-{place}" for place, colour in enumerate(_COLOURS)
}
_TIP = "tip:"


@dataclass(frozen=True)
class Look:
    """How a core is drawn, and what it is called where there is little room."""

    name: str
    colour: str
    marker: str
    line: object
    hatch: str


@dataclass(frozen=True)
class Plot:
    """A figure as SVG for the page, PNG for slides and PDF for papers, and the section of the page that shows it."""

    name: str
    title: str
    svg: str
    png: bytes
    pdf: bytes
    section: str = "figures"
    #: The table that it is drawn beside; empty for one that stands with the others of its section.
    of_table: str = ""


def looks(variants: Sequence[str]) -> dict[str, Look]:
    """A look for each variant, by its place in the given order; past the last colour the other marks differ."""
    found, names = {}, short_names(variants)
    for place, name in enumerate(variants):
        colour, other = place % len(_COLOURS), (place + place // len(_COLOURS)) % len(_COLOURS)
        found[name] = Look(names[name], _COLOURS[colour], _MARKERS[other], _LINES[other], _HATCHES[other])
    return found


def new_figure(columns: int, height: float, rows: int = 1) -> tuple[Figure, list[Axes]]:
    """An empty figure of some panels, in reading order; the height is in inches."""
    # No pyplot: it keeps global state and asks for a display.
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False)
    return figure, list(axes.ravel())


def set_type(figure: Figure) -> None:
    """Give all text of a figure its size and colour; what was written since it was made has Matplotlib's own."""
    for text in figure.findobj(Text):
        text.set_fontsize(TYPE_SIZE)
        if text.get_color() == "black":
            text.set_color(INK)


def tip(artist: Artist, *texts: str) -> None:
    """What is said when a pointer rests on a mark: one text for all of it, or one for each of its points.

    Points are counted as they are drawn, so that all of them must be finite and within the figure.
    """
    # As digits, which no writer of XML escapes in a way of its own.
    artist.set_gid(_TIP + json.dumps(texts).encode().hex())


def finished(figure: Figure, name: str, title: str, section: str = "figures") -> Plot:
    """The figure as a plot; it may not be drawn on afterwards."""
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}), warnings.catch_warnings():
        # A label in a script that the font lacks: the page shows it in the reader's font, the PNG and the PDF as a box.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        set_type(figure)
        svg, png, pdf = written(figure)
    drawn = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    # Several figures share a page, where an id may occur once.
    drawn = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{name}-", drawn)
    return Plot(name, title, _with_tips(drawn, f"{name}-{_TIP}"), png, pdf, section)


def _with_tips(svg: str, prefix: str) -> str:
    """Titles in place of the ids that `tip` gave to marks."""
    head, *marks = re.split(f'<g id="{re.escape(prefix)}([0-9a-f]*)">', svg)
    parts = [head]
    for coded, after in zip(marks[::2], marks[1::2], strict=True):
        titles = [f"<title>{html.escape(text)}</title>" for text in json.loads(bytes.fromhex(coded))]
        if len(titles) == 1:
            parts += [f"<g>{titles[0]}", after]
            continue
        left = iter(titles)
        end = _end_of_group(after)
        own = re.sub(r"(<use [^>]*)/>", lambda use, left=left: f"{use[1]}>{next(left, '')}</use>", after[:end])
        parts += ["<g>", own, after[end:]]
    return "".join(parts)


def _end_of_group(svg: str) -> int:
    """Where the group ends that the text is the inside of."""
    depth = 1
    for tag in re.finditer(r"<(/?)g\b", svg):
        depth += -1 if tag[1] else 1
        if not depth:
            return tag.start()
    return len(svg)


def themed(svg: str) -> str:
    """A figure in the page's colours, which differ between its light and its dark scheme.

    >>> themed('<path style="fill: #0072b2; stroke: #1b1b1b"/>')
    '<path style="fill: var(--core-0); stroke: var(--ink)"/>'
    """
    # Joints of lines and letters are as the page's own style says, once for all figures.
    plain = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>|font-family: [^;\"]*; ?", "", svg, flags=re.DOTALL)
    return re.sub("|".join(_THEMED), lambda colour: f"var(--{_THEMED[colour[0]]})", plain)


def slug(text: str) -> str:
    """Text as a part of a file name and of an id.

    Long texts and those in other scripts have a digest there, which tells them apart.

    >>> slug("glue/RTE (3f)"), slug("ядро 2")
    ('glue-rte-3f', '2-94fa0b74')
    """
    kept = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if text.isascii() and 0 < len(kept) <= _MOST_SLUG:
        return kept
    return f"{kept[:_MOST_SLUG]}-{sha256_json(text)[:8]}".lstrip("-")
