"""Tables as files: Markdown, LaTeX (booktabs), CSV and Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from atinuke_bench.files import write_bytes, write_text

from ..sections.table import Table

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
    "▲": r"$\blacktriangle$",
    "≈": r"$\approx$",
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


def to_markdown(table: Table) -> str:
    """A pipe table under its title, notes below."""
    lines = [f"### {escape_markdown(table.title)}", ""]
    lines.append("| " + " | ".join(escape_markdown(str(name)) for name in table.shown.columns) + " |")
    lines.append("|" + "---|" * len(table.shown.columns))
    lines += [
        "| " + " | ".join(escape_markdown(str(text)) for text in row) + " |"
        for row in table.shown.itertuples(index=False)
    ]
    lines += ["", *(f"{escape_markdown(note)}\n" for note in table.notes)]
    return "\n".join(lines)


def to_latex(table: Table) -> str:
    """A booktabs table; the document needs `\\usepackage{booktabs,amssymb,graphicx}`."""
    columns = list(table.shown.columns)
    rows = [" & ".join(map(escape_tex, map(str, row))) + r" \\" for row in table.shown.itertuples(index=False)]
    caption = escape_tex(". ".join([table.title, *(note.rstrip(".") for note in table.notes)]) + ".")
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            r"\resizebox{\linewidth}{!}{%",
            rf"\begin{{tabular}}{{l{'r' * (len(columns) - 1)}}}",
            r"\toprule",
            " & ".join(map(escape_tex, map(str, columns))) + r" \\",
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}}",
            rf"\caption{{{caption}}}",
            r"\end{table}",
            "",
        ]
    )


def to_csv(table: Table) -> str:
    """The plain figures; a text that a spreadsheet would take for a formula begins with an apostrophe.

    A cell that is a number stays one, its sign included, in columns of texts too.
    """
    data = table.data.rename(columns=lambda name: _no_formula(str(name)))
    texts = data.select_dtypes(exclude="number").columns
    return data.assign(**{name: data[name].map(_no_formula) for name in texts}).to_csv(index=False)


def _no_formula(cell: Any) -> Any:
    """
    >>> _no_formula("=1+1"), _no_formula("-1.5"), _no_formula(-1.5), _no_formula("atinuke")
    ("'=1+1", '-1.5', -1.5, 'atinuke')
    """
    if not isinstance(cell, str) or not cell.startswith(("=", "+", "-", "@", "\t", "\r")):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell


def escape_tex(text: str) -> str:
    """Text that pdflatex sets as it is; letters that its fonts lack are named by their code points.

    >>> print(escape_tex("a_b & 5 %"), escape_tex("中"))
    a\\_b \\& 5 \\% \\texttt{U+4E2D}
    """
    return "".join(_TEX.get(letter) or _letter(letter) for letter in text)


def _letter(letter: str) -> str:
    # Latin letters with accents are in every font; the others stop pdflatex.
    return letter if " " <= letter <= "~" or "\xa0" <= letter <= "ſ" else rf"\texttt{{U+{ord(letter):04X}}}"


def write_table(table: Table, folder: Path) -> list[Path]:
    """Write a table in every format; the paths."""
    paths = [folder / f"{table.name}.{ending}" for ending in ("md", "tex", "csv", "parquet")]
    write_text(paths[0], to_markdown(table))
    write_text(paths[1], to_latex(table))
    write_text(paths[2], to_csv(table))
    write_bytes(paths[3], table.data.to_parquet(None, index=False))
    return paths


def escape_markdown(text: str) -> str:
    """Text that Markdown shows as it is, in a cell of a table too."""
    escaped = text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
    return escaped.replace("*", "\\*").replace("[", "\\[")
