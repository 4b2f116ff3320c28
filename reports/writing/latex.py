"""Tables as LaTeX that compiles as it is: booktabs, the best mean in bold, notes below, wide and long tables in parts.

The document needs `\\usepackage{booktabs,amssymb,graphicx}` and nothing else, and may be set by pdflatex.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from ..sections.table import Table

PACKAGES = r"\usepackage{booktabs,amssymb,graphicx}"
_TEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    # After a line end of a table, [ opens an argument and * a variant of the command.
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    "–": "--",
    "⚠": r"\textbf{!}",
    "▲": r"$\blacktriangle$",
    "▼": r"$\blacktriangledown$",
    "≈": r"$\approx$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "→": r"$\rightarrow$",
    "−": "$-$",
    "²": "$^2$",
    "·": r"$\cdot$",
    "×": r"$\times$",
    "…": r"\ldots{}",
    "“": "``",
    "”": "''",
    "‘": "`",
    "’": "'",
    "\n": " ",
}
#: Latin letters that the fonts which LaTeX takes unasked (encoding OT1) cannot compose; each stops pdflatex.
_NOT_COMPOSED = frozenset("«»ÐÞðþĄąĐđĘęĦħĮįĸĿŀŉŊŋŦŧŲųſ")
#: Letters across a page of an article, at the size of tables.
_LINE = 90
#: Columns of names that every part of a wide table has.
_MOST_KEYS = 3
#: Lines of a table on one page.
_PAGE = 50
#: Letters of a column from which texts go on over several lines.
_MOST_LETTERS = 30
#: Between two columns, in letters.
_GAP = 3
#: How wide a letter is on the average, in the width of an m.
_LETTER_EM = 0.5


def escape_tex(text: str) -> str:
    """Text that pdflatex sets as it is; letters that its fonts lack are named by their code points.

    >>> print(escape_tex("a_b & 5 %"), escape_tex("中"))
    a\\_b \\& 5 \\% \\texttt{U+4E2D}
    """
    return "".join(_TEX.get(letter) or _letter(letter) for letter in text)


def _letter(letter: str) -> str:
    if " " <= letter <= "~" or ("\xa0" <= letter <= "ſ" and letter not in _NOT_COMPOSED):
        return letter
    return rf"\texttt{{U+{ord(letter):04X}}}"


@dataclass(frozen=True)
class _Column:
    """A column as it is set: its header in lines, its texts, and how wide it is, in letters."""

    header: tuple[str, ...]
    texts: tuple[str, ...]
    is_number: bool

    @cached_property
    def width(self) -> int:
        longest = max((len(text) for text in (*self.header, *self.texts)), default=0)
        return longest if self.is_number else min(longest, _MOST_LETTERS)

    def is_wrapped(self, text: str) -> bool:
        return not self.is_number and len(text) > self.width

    def num_lines(self, row: int) -> int:
        return -(-len(self.texts[row]) // max(1, self.width)) if self.is_wrapped(self.texts[row]) else 1


def to_latex(table: Table) -> str:
    """A table in as many parts as its width and length need; the first has the label `tab:<name>`.

    What is wide is set as several tables below each other, whose first columns, those of names, are the same.
    """
    # A tabular without columns is none.
    columns = [
        _column(str(name), (table.marked(row, place, str(text)) for row, text in enumerate(table.shown[name])))
        for place, name in enumerate(table.shown.columns)
    ] or [_column("", ())]
    bands = list(_bands(columns))
    pages = list(_pages(columns, len(table.shown), bands))
    floats = [
        _float(table, [_tabular(table, columns, band, rows) for band in bands], part) for part, rows in enumerate(pages)
    ]
    return "\n".join(floats)


def document(names: Iterable[str]) -> str:
    """A document of all tables, beside their files."""
    inputs = "\n".join(rf"\input{{{name}.tex}}" + "\n\\clearpage" for name in names)
    head = rf"\documentclass{{article}}{PACKAGES}" + "\n\\usepackage[margin=2.5cm]{geometry}"
    return f"% pdflatex all.tex, in this folder\n{head}\n\\begin{{document}}\n{inputs}\n\\end{{document}}\n"


def _column(name: str, texts: Iterable[object]) -> _Column:
    cells = tuple(map(str, texts))
    is_number = any(map(_is_number, cells)) and all(_is_number(text) or text in ("", "–") for text in cells)
    longest = max(map(len, cells), default=0)
    return _Column(tuple(textwrap.wrap(name, max(longest, 12))) or ("",), cells, is_number)


def _is_number(text: str) -> bool:
    """Whether a cell is a figure, perhaps with an interval, a mark or a unit.

    >>> _is_number("85.20 [84.1, 86.3] n=5 ▲"), _is_number("<0.0001"), _is_number("3 layers deep")
    (True, True, False)
    """
    return re.fullmatch(r"[<(\[]?[-+−]?\d[^A-Za-z]*( (n=\d+|MB|s|ms|h)\b[^A-Za-z]*)?", text) is not None


def _bands(columns: Sequence[_Column]) -> Iterator[list[int]]:
    """Columns that fit beside each other, each time after those of names, which come first."""
    keys: list[int] = []
    for place, column in enumerate(columns[:-1]):
        wide = sum(columns[key].width + _GAP for key in keys) + column.width > _LINE // 2
        if keys and (column.is_number or wide or len(keys) == _MOST_KEYS):
            break
        keys.append(place)
    start = sum(columns[place].width + _GAP for place in keys)
    band, used = list(keys), start
    for place in range(len(keys), len(columns)):
        width = columns[place].width + _GAP
        if used + width > _LINE and len(band) > len(keys):
            yield band
            band, used = list(keys), start
        band.append(place)
        used += width
    yield band


def _pages(columns: Sequence[_Column], num_rows: int, bands: Sequence[Sequence[int]]) -> Iterator[range]:
    """Rows that fit on a page; all where there are few."""
    first, used = 0, 0
    for row in range(num_rows):
        lines = sum(max((columns[place].num_lines(row) for place in band), default=1) for band in bands)
        if used + lines > _PAGE and row > first:
            yield range(first, row)
            first, used = row, 0
        used += lines
    yield range(first, num_rows)


def _tabular(table: Table, columns: Sequence[_Column], band: Sequence[int], rows: range) -> str:
    own = [columns[place] for place in band]
    shape = "".join("r" if column.is_number else "l" for column in own)
    lines = [" & ".join(_cell(table, columns, row, place) for place in band) + r" \\" for row in rows]
    body = [
        rf"\begin{{tabular}}{{@{{}}{shape}@{{}}}}",
        r"\toprule",
        " & ".join(map(_header, own)) + r" \\",
        r"\midrule",
        *lines,
        r"\bottomrule",
        r"\end{tabular}",
    ]
    # What is wider than it was taken for is made smaller, and nothing else is.
    fit = r"\ifdim\wd0>\linewidth\resizebox{\linewidth}{!}{\usebox0}\else\usebox0\fi"
    return "\n".join([r"\sbox0{%", *body[:-1], body[-1] + "}%", fit])


def _header(column: _Column) -> str:
    side = "r" if column.is_number else "l"
    if len(column.header) == 1:
        return escape_tex(column.header[0])
    lines = r"\\".join(map(escape_tex, column.header))
    return rf"\begin{{tabular}}[b]{{@{{}}{side}@{{}}}}{lines}\end{{tabular}}"


def _cell(table: Table, columns: Sequence[_Column], row: int, place: int) -> str:
    column = columns[place]
    text = column.texts[row]
    num_bold = table.best.get((row, str(table.shown.columns[place])), 0)
    shown = escape_tex(text[num_bold:])
    if num_bold:
        shown = rf"\textbf{{{escape_tex(text[:num_bold])}}}{shown}"
    if not column.is_wrapped(text):
        return shown
    width = f"{_LETTER_EM * column.width:.1f}em"
    return rf"\parbox[t]{{{width}}}{{\raggedright {shown}\strut}}"


def _float(table: Table, parts: Sequence[str], page: int) -> str:
    title = escape_tex(table.title)
    caption = [rf"\caption{{{title}}}", rf"\label{{tab:{table.name}}}"]
    if page:
        # The same number as the first part.
        caption = [r"\addtocounter{table}{-1}", rf"\caption{{{title} (continued)}}"]
    notes = [] if page else [r"\par\smallskip", *_notes(table)]
    tabulars = "\n\\par\\medskip\n".join(parts)
    return "\n".join(
        [
            r"\begin{table}[htbp]",
            r"\centering",
            *caption,
            r"\smallskip",
            r"\footnotesize",
            tabulars,
            *notes,
            r"\end{table}",
            "",
        ]
    )


def _notes(table: Table) -> list[str]:
    notes = [*table.notes, *(["Bold: the best mean of the column."] if table.best else [])]
    lines = "\n\\par ".join(map(escape_tex, notes))
    return [rf"\parbox{{\linewidth}}{{\raggedright\scriptsize {lines}\par}}"] if notes else []
