"""Tables as files: Markdown, LaTeX, CSV and Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from atinuke_bench.files import write_bytes, write_text

from ..sections.table import Table
from .latex import to_latex


def to_markdown(table: Table) -> str:
    """A pipe table under its title, notes below."""
    lines = [f"### {escape_markdown(table.title)}", ""]
    lines.append("| " + " | ".join(escape_markdown(str(name)) for name in table.shown.columns) + " |")
    lines.append("|" + "---|" * len(table.shown.columns))
    lines += [
        "| "
        + " | ".join(escape_markdown(table.marked(place, number, str(text))) for number, text in enumerate(row))
        + " |"
        for place, row in enumerate(table.shown.itertuples(index=False))
    ]
    lines += ["", *(f"{escape_markdown(note)}\n" for note in table.notes)]
    return "\n".join(lines)


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
