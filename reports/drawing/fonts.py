"""Fonts for PDF files, quick to embed.

Of an embedded font only the letters that occur are kept. Finding these takes most of the time that a PDF takes, since
thousands of letters, and every table of ligatures, marks and kerning, are read and cut down to them, once a figure.
Plain texts need none of those tables, and most need few letters: they have a copy of the font that has been cut down
once for all.
"""

from __future__ import annotations

import re
import tempfile
from functools import cache
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont, TTLibError
from matplotlib.font_manager import FontProperties, findfont

#: Letters that stand beside each other unchanged: Latin, Greek, Cyrillic, punctuation, arrows and mathematics.
_PLAIN = re.compile("[ -\u02ff\u0370-\u052f\u2000-\u2bff]*")
#: Of these the ones that nearly all figures make do with: Latin, dashes and quotation marks, arrows and comparisons.
_COMMON = "".join(map(chr, (*range(0x20, 0x180), *range(0x2010, 0x2027), *range(0x2190, 0x2194)))) + "−≈≠≤≥"
_COMMON_LETTERS = frozenset(_COMMON)
#: Tables of a font that shape its letters.
_SHAPING = ("GSUB", "GPOS", "GDEF", "kern", "MATH")


def plain_font(text: str, font: FontProperties) -> FontProperties:
    """The font without what shapes letters, and with common ones alone, where the text needs no more, else the font."""
    if not _PLAIN.fullmatch(text):
        return font
    letters = _COMMON if set(text) <= _COMMON_LETTERS else None
    path = _copy(str(findfont(font)), letters)
    return font if path is None else FontProperties(fname=path, size=font.get_size_in_points())


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    # It goes when the process does.
    return tempfile.TemporaryDirectory(prefix="atinuke-bench-fonts-")


@cache
def _copy(path: str, letters: str | None) -> Path | None:
    """A copy of a TrueType font file without the tables that shape letters; None where it cannot be made.

    It has all letters, or those that are given, as far as the font has them.
    """
    if not path.endswith(".ttf"):
        return None
    try:
        font = TTFont(path, recalcTimestamp=False)
        for table in _SHAPING:
            if table in font:
                del font[table]
        if letters is not None:
            _cut(font, letters)
        copy = Path(_folder().name) / ("all" if letters is None else "common") / Path(path).name
        copy.parent.mkdir(exist_ok=True)
        font.save(copy)
    except (TTLibError, OSError):
        return None
    return copy


def _cut(font: TTFont, letters: str) -> None:
    """Take everything but some letters out of a font, whose hints and names stay."""
    options = Options(glyph_names=True, notdef_outline=True, recommended_glyphs=True, name_IDs=["*"])
    # Of the program that made the font; fontTools warns of it.
    options.drop_tables = [*options.drop_tables, "FFTM"]
    cut = Subsetter(options)
    cut.populate(text=letters)
    cut.subset(font)
