"""What the runs show as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from ..sections.findings import TableFindings
from .formats import escape_markdown


def findings_to_markdown(found: Sequence[TableFindings], notes: Sequence[str], num_gaps: int) -> str:
    """The sentences of every table, each with a link to the table of its figures."""
    lines = ["# What the runs show", "", *(f"{escape_markdown(note)}\n" for note in notes)]
    if not found:
        lines.append("Nothing: no finished run here has a score.\n")
    if num_gaps:
        lines.append(f"Incomplete, {num_gaps} gaps: every sentence is of the runs that are here.\n")
    for own in found:
        lines += [f"## {escape_markdown(own.title)}", ""]
        lines += [
            f"- **{escape_markdown(one.about)}**: {escape_markdown(one.text)} ([table](tables/{one.table}.md))"
            for one in (*own.overview, *own.tasks)
        ]
        lines += ["", *(f"{escape_markdown(limit)}\n" for limit in own.limits)]
    return "\n".join(lines)
