"""Fonts for PDF files, quick to embed.

Of an embedded font only the letters that occur are kept. Finding these takes most of the time that a PDF takes, since
every table of ligatures, marks and kerning is cut down to them; plain texts need none of those.
"""

from __future__ import annotations

import re
import tempfile
from functools import cache
from pathlib import Path

from fontTools.ttLib import TTFont, TTLibError
from matplotlib.font_manager import FontProperties, findfont

#: Letters that stand beside each other unchanged: Latin, Greek, Cyrillic, punctuation, arrows and mathematics.
_PLAIN = re.compile("[ -\u02ff\u0370-\u052f\u2000-\u2bff]*")
#: Tables of a font that shape its letters.
_SHAPING = ("GSUB", "GPOS", "GDEF", "kern", "MATH")


def plain_font(text: str, font: FontProperties) -> FontProperties:
    """The font without what shapes letters where the text needs no shaping, else the font."""
    if not _PLAIN.fullmatch(text):
        return font
    path = _without_shaping(str(findfont(font)))
    return font if path is None else FontProperties(fname=path, size=font.get_size_in_points())


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    # It goes when the process does.
    return tempfile.TemporaryDirectory(prefix="atinuke-bench-fonts-")


@cache
def _without_shaping(path: str) -> Path | None:
    """A copy of a TrueType font file without the tables that shape letters; None where it cannot be made."""
    if not path.endswith(".ttf"):
        return None
    try:
        font = TTFont(path, recalcTimestamp=False)
        for table in _SHAPING:
            if table in font:
                del font[table]
        copy = Path(_folder().name) / Path(path).name
        font.save(copy)
    except (TTLibError, OSError):
        return None
    return copy
