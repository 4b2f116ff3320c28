"""How every figure of a report looks. One colour, marker and line style a core, the same in all of them.

Colours are Okabe and Ito's (2008), which people of every colour vision can distinguish; markers and line styles carry
the same distinction for print in grey. Lines and points are labelled where they are, not in a legend.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from atinuke_bench.files import sha256_json

from .recording import written

#: Letters of a name that files of figures are called by.
_MOST_SLUG = 80
#: Variants drawn in one figure; with more, nothing can be told apart.
MOST_VARIANTS = 8
#: Widths of figures in inches, as papers have them: one of two columns, and both.
SINGLE_COLUMN, DOUBLE_COLUMN = 3.3, 6.9

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#444444", "#882255")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (8, 2)))
_HATCHES = ("", "///", "...", "xx", "\\\\\\", "--", "++", "oo")
_STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "svg.fonttype": "none",
    # TrueType: journals refuse fonts of Type 3.
    "pdf.fonttype": 42,
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
    """A figure as SVG for the page, PNG for slides and PDF for papers, and the section of the page that shows it."""

    name: str
    title: str
    svg: str
    png: bytes
    pdf: bytes
    section: str = "figures"


def looks(variants: Sequence[str]) -> dict[str, Look]:
    """A look for each variant, by its place in the given order; past the last colour the other marks differ."""
    found = {}
    for place, name in enumerate(variants):
        colour, other = place % len(_COLOURS), (place + place // len(_COLOURS)) % len(_COLOURS)
        found[name] = Look(_COLOURS[colour], _MARKERS[other], _LINES[other], _HATCHES[other])
    return found


def new_figure(columns: int, size: tuple[float, float], rows: int = 1) -> tuple[Figure, list[Axes]]:
    """An empty figure of some panels, in reading order; the size is in inches, and the width becomes a column's."""
    width = SINGLE_COLUMN if size[0] <= 4 else DOUBLE_COLUMN
    # No pyplot: it keeps global state and asks for a display.
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width, size[1]), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False)
    return figure, list(axes.ravel())


def finished(figure: Figure, name: str, title: str, section: str = "figures") -> Plot:
    """The figure as a plot; it may not be drawn on afterwards."""
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}), warnings.catch_warnings():
        # A label in a script that the font lacks: the page shows it in the reader's font, the PNG and the PDF as a box.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        svg, png, pdf = written(figure)
    text = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    # Several figures share a page, where an id may occur once.
    text = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{name}-", text)
    return Plot(name, title, text, png, pdf, section)


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
