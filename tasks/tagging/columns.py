"""CoNLL columns of tagged words, and CoNLL-U.

A word a line, columns parted by tabs where a line has any, else by spaces, a blank line between sentences. In CoNLL-U
(`.conllu`) columns have names, and the lines of multiword tokens (`1-2`) and of empty nodes (`8.1`) are left out. A
document begins at `-DOCSTART-`, `# newdoc` or `#begin document`. Other lines that begin with `#` are comments; without
CoNLL-U, where the word itself may be `#`, unless their tag is one that other lines have.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from atinuke_bench.data.conll.read import Block, split_blocks, split_columns
from atinuke_bench.data.text import read_lines
from atinuke_bench.errors import DataError, nearest

Column = str | int
_Line = tuple[int, str]
_Cells = tuple[int, list[str]]

#: The columns of CoNLL-U.
_CONLLU = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
_CONLLU_ENDINGS = (".conllu", ".conllup")
_DOCUMENT = re.compile(r"-DOCSTART-|#\s*newdoc\b|#\s*begin document\b")
_GLOBAL_COLUMNS = re.compile(r"#\s*global\.columns\s*=\s*(.+)")
_WORD_NUMBER = re.compile(r"[0-9]+([-.][0-9]+)?")


@dataclass(frozen=True)
class Columns:
    """Which column has the words and which the tags: a number from 0, or from -1 for the last, or a name of CoNLL-U.

    When not given, the first and the last, or CoNLL-U's `form` and `upos`.
    """

    words: Column | None = None
    tags: Column | None = None


def read_columns(path: Path, columns: Columns) -> Iterator[tuple[int, dict[Any, Any]]]:
    """The sentences of a file, each with the number of its first line; DataError.

    A sentence has `words` and `tags`, the `lines` of these, and its `document`, None in a file of fewer than two.
    """
    lines = list(read_lines(path))
    is_conllu = path.name.removesuffix(".gz").lower().endswith(_CONLLU_ENDINGS)
    documents = _conllu_documents(path, lines) if is_conllu else _documents(lines, columns)
    names = _names_of(lines) if is_conllu else ()
    num_named = sum(bool(rows) for rows in documents[1:])
    for number, rows in enumerate(documents):
        document = f"{path.name}:{number}" if num_named > 1 else None
        for block in split_blocks(path, rows):
            yield block.lines[0], {**_sentence(path, block, columns, names), "document": document}


def _documents(lines: Sequence[_Line], columns: Columns) -> list[list[_Cells]]:
    """The lines of each document, as cells; before the first that a line begins there may be others."""
    place = columns.tags if isinstance(columns.tags, int) else -1

    def tag_of(cells: list[str]) -> str | None:
        return cells[place] if -len(cells) <= place < len(cells) else None

    known = {tag_of(split_columns(line)) for _, line in lines if not line.startswith("#")} - {None}
    documents: list[list[_Cells]] = [[]]
    for number, line in lines:
        if _DOCUMENT.match(line):
            documents.append([])
            continue
        cells = split_columns(line)
        if not line.startswith("#") or tag_of(cells) in known:
            documents[-1].append((number, cells))
    return documents


def _conllu_documents(path: Path, lines: Sequence[_Line]) -> list[list[_Cells]]:
    documents: list[list[_Cells]] = [[]]
    for number, line in lines:
        if _DOCUMENT.match(line):
            documents.append([])
        if line.startswith("#"):
            continue
        cells = line.split("\t")
        match = _WORD_NUMBER.fullmatch(cells[0])
        if any(cells) and match is None:
            raise DataError(f"a word's number comes first, and a tab; found {line[:40]!r}", path=path, line=number)
        if match is None or match[1] is None:
            documents[-1].append((number, cells))
    return documents


def _names_of(lines: Sequence[_Line]) -> tuple[str, ...]:
    """The names of a file's columns, which a first line of CoNLL-U Plus gives."""
    match = _GLOBAL_COLUMNS.match(lines[0][1])
    return _CONLLU if match is None else tuple(name.lower() for name in match[1].split())


def _sentence(path: Path, block: Block, columns: Columns, names: tuple[str, ...]) -> dict[str, Any]:
    defaults: tuple[Column, Column] = ("form", "upos") if names else (0, -1)
    cells = []
    for field, column, default in zip(("words", "tags"), (columns.words, columns.tags), defaults, strict=True):
        chosen = default if column is None else column
        place = _place(chosen, names, len(block.columns))
        if place is None:
            raise DataError(
                f"no column {chosen!r}; {_hint(chosen, names, len(block.columns))}",
                path=path,
                line=block.lines[0],
                field=f"fields.{field}",
            )
        cells.append(block.columns[place])
    words, tags = cells
    if words is tags:
        raise DataError(
            "words and tags are two columns; found one", path=path, line=block.lines[0], field="fields.tags"
        )
    for line, word in zip(block.lines, words, strict=True):
        if not word:
            raise DataError("a line with columns has a word; found an empty cell", path=path, line=line, field="words")
    return {"words": list(words), "tags": list(tags), "lines": list(block.lines)}


def _place(column: Column, names: tuple[str, ...], width: int) -> int | None:
    if isinstance(column, str):
        column = names.index(column.lower()) if column.lower() in names else width
    return column % width if -width <= column < width else None


def _hint(column: Column, names: tuple[str, ...], width: int) -> str:
    if isinstance(column, str) and names:
        near = nearest(column.lower(), names)
        return f"nearest: {near!r}" if near else f"it is one of {', '.join(names)}"
    return f"the line has {width}, numbered from 0, and -1 is the last" + (
        f"; nearest: {width - 1}" if isinstance(column, int) else ""
    )
