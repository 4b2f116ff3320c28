"""Pieces of Markdown that generated pages are made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def cell(text: object) -> str:
    """A text that may stand in a cell of a table."""
    return " ".join(str(text).split()).replace("|", r"\|")


def as_text(text: str) -> str:
    """A text of others, such as a system's name, without what Markdown would take for marks.

    >>> as_text("a_b <x> *c*")
    'a\\\\_b &lt;x> \\\\*c\\\\*'
    """
    for mark in ("\\", "*", "_", "[", "]", "$", "`", "{", "}"):
        text = text.replace(mark, f"\\{mark}")
    return text.replace("<", "&lt;")


def prose(text: str) -> str:
    """A text of ours, in which single backticks mark code and nothing else is a mark.

    >>> prose("`a_b` of c_d")
    '`a_b` of c\\\\_d'
    """
    parts = text.split("`")
    return "`".join(part if number % 2 else as_text(part) for number, part in enumerate(parts))


def code(text: object) -> str:
    return f"`{text}`"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Lines of a table; none without rows."""
    lines = [f"| {' | '.join(cell(one) for one in row)} |" for row in rows]
    return [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *lines, ""] if lines else []


def facts(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """A table of names and what is known of them; what is empty is left out."""
    return table(("what", "is known"), [(f"**{name}**", value) for name, value in pairs if value])


def tables_of(text: str) -> list[list[dict[str, str]]]:
    """The tables of a page, each as its rows by column.

    >>> tables_of("| a | b |\\n|---|---|\\n| 1 | 2 |\\n")
    [[{'a': '1', 'b': '2'}]]
    """
    found: list[list[dict[str, str]]] = []
    head: list[str] = []
    for line in text.splitlines():
        if not line.startswith("|"):
            head = []
            continue
        cells = [part.strip() for part in line.strip().strip("|").split(" | ")]
        if not head:
            head = [part.strip() for part in line.strip().strip("|").split("|")]
            found.append([])
        elif set(line) > {"|", "-"} or not set(line) <= {"|", "-", " "}:
            found[-1].append(dict(zip(head, cells, strict=True)))
    return found
