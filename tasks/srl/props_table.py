"""`.props` files straight into arrays, for scoring: some ten times faster than building sentences.

Reads plain files only (ASCII, one bracket pair at a time in each column). Anything unusual, errors included, is left to
the careful reader in `props`, which both understands it and says where it goes wrong.

Letters in shapes: B bytes, K cells, L lines with cells, P predicates, N spans.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atinuke_bench.data.text import read_bytes
from atinuke_bench.tasks.srl.propositions import Integers, Propositions

_SPACE, _TAB, _NEWLINE, _DASH, _STAR, _OPEN, _CLOSE = (ord(character) for character in " \t\n-*()")


class PropsTable(NamedTuple):
    """A `.props` file: the number of words of each sentence, and the propositions."""

    num_words: Integers
    propositions: Propositions


def read_props_tables(gold_path: str | Path, predicted_path: str | Path) -> tuple[Propositions, Propositions] | None:
    """The propositions of two files with the same sentences, or None: then `read_aligned_props` must read them."""
    gold, predicted = (read_props_table(path) for path in (gold_path, predicted_path))
    if gold is None or predicted is None or not np.array_equal(gold.num_words, predicted.num_words):
        return None
    return gold.propositions, predicted.propositions


def read_props_table(path: str | Path) -> PropsTable | None:
    """The table of a plain `.props` file (`.gz` accepted); None when it is not plain or has an error."""
    content = read_bytes(path)
    data = np.frombuffer(content, dtype=np.uint8)
    has_controls = np.any((data < _SPACE) & (data != _TAB) & (data != _NEWLINE))
    if not content.isascii() or has_controls:
        return None
    cells = _find_cells(data)
    return None if cells is None else _build_table(content.decode("ascii"), cells)


@dataclass(frozen=True, slots=True)
class _Cells:
    """Where the cells of a file lie: bounds in bytes, line (those without cells left out), column."""

    data: NDArray[np.uint8]  # [B]
    begin: Integers  # [K]
    end: Integers  # [K] outside the cell
    line: Integers  # [K]
    column: Integers  # [K]
    line_sentence: Integers  # [L]
    line_word: Integers  # [L] position in its sentence
    num_words: Integers  # of each sentence
    num_columns: Integers  # of each sentence


def _find_cells(data: NDArray[np.uint8]) -> _Cells | None:
    """The cells; None when there are none or the number of columns changes inside a sentence."""
    filled = (data != _SPACE) & (data != _TAB) & (data != _NEWLINE)
    edges = np.flatnonzero(np.diff(filled, prepend=False, append=False))
    begin, end = edges[0::2], edges[1::2]
    if not len(begin):
        return None
    file_line = np.cumsum(data == _NEWLINE, dtype=np.int32)[begin]
    first = np.flatnonzero(np.diff(file_line, prepend=-1))  # [L] the first cell of each line
    num_cells = np.diff(first, append=len(begin))
    line = np.repeat(np.arange(len(first)), num_cells)
    column = np.arange(len(begin)) - first[line]
    # A sentence begins where a line without cells lies between a line and the one before it.
    begins = np.diff(file_line[first], prepend=-2) > 1
    sentence = np.cumsum(begins) - 1
    head = np.flatnonzero(begins)
    num_columns = num_cells[head]
    if not np.array_equal(num_cells, num_columns[sentence]):
        return None
    word = np.arange(len(first)) - head[sentence]
    return _Cells(data, begin, end, line, column, sentence, word, np.diff(head, append=len(first)), num_columns)


def _build_table(text: str, cells: _Cells) -> PropsTable | None:
    data, begin, end = cells.data, cells.begin, cells.end
    in_first = cells.column == 0
    is_dash = (data[begin] == _DASH) & (end - begin == 1)
    predicate = np.flatnonzero(in_first & ~is_dash)  # [P] cells
    predicate_sentence = cells.line_sentence[cells.line[predicate]]
    num_predicates = np.bincount(predicate_sentence, minlength=len(cells.num_words))
    if not np.array_equal(num_predicates, cells.num_columns - 1) or _are_irregular(cells, np.flatnonzero(~in_first)):
        return None
    opens, closes = np.flatnonzero(data == _OPEN), np.flatnonzero(data == _CLOSE)
    if len(opens) != len(closes):
        return None
    open_cell, close_cell = (np.searchsorted(begin, place, side="right") - 1 for place in (opens, closes))
    first_proposition = np.cumsum(num_predicates) - num_predicates  # of each sentence
    proposition, start, order = _by_column(cells, open_cell, first_proposition)
    close_proposition, stop, _ = _by_column(cells, close_cell, first_proposition)
    next_start = np.where(proposition[1:] == proposition[:-1], start[1:], np.iinfo(np.int64).max)
    if not np.array_equal(proposition, close_proposition) or np.any(start > stop) or np.any(stop[:-1] >= next_start):
        return None
    names, role = _role_names(text, data, opens[order] + 1)
    bounds = zip(begin[predicate].tolist(), end[predicate].tolist(), strict=True)
    lemmas = [text[first:last] for first, last in bounds]
    index = cells.line_word[cells.line[predicate]]
    return PropsTable(
        cells.num_words,
        Propositions(len(cells.num_words), predicate_sentence, index, lemmas, proposition, start, stop, role, names),
    )


def _are_irregular(cells: _Cells, arguments: Integers) -> bool:
    """Whether any argument cell is not `*`, `(ROLE*`, `*)` or `(ROLE*)`, or a first column holds a bracket or star."""
    data = cells.data
    begin, end = cells.begin[arguments], cells.end[arguments]
    opens, closes = data[begin] == _OPEN, data[end - 1] == _CLOSE
    stars = end - 1 - closes  # where the asterisk of each cell must be
    return bool(
        np.any(data[stars] != _STAR)
        or not np.all(np.where(opens, stars - begin > 1, stars == begin))
        # The marks seen above are then all that the file has: none inside a role or a lemma.
        or np.count_nonzero(data == _STAR) != len(begin)
        or np.count_nonzero(data == _OPEN) != np.count_nonzero(opens)
        or np.count_nonzero(data == _CLOSE) != np.count_nonzero(closes)
    )


def _by_column(
    cells: _Cells, bracket_cell: Integers, first_proposition: Integers
) -> tuple[Integers, Integers, Integers]:
    """Proposition and word of each bracket, ordered by them, and the order itself."""
    line = cells.line[bracket_cell]
    proposition = first_proposition[cells.line_sentence[line]] + cells.column[bracket_cell] - 1
    word = cells.line_word[line]
    order = np.argsort(proposition * (int(cells.num_words.max()) + 1) + word, kind="stable")
    return proposition[order], word[order], order


def _role_names(text: str, data: NDArray[np.uint8], begin: Integers) -> tuple[list[str], Integers]:
    """The distinct roles that begin at the given bytes and end before an asterisk, and the place of each in them."""
    packed = np.zeros(len(begin), dtype="<u8")  # the first eight letters, zero from the asterisk on
    going = np.ones(len(begin), dtype=bool)
    for offset in range(8):
        letter = data[np.minimum(begin + offset, len(data) - 1)]
        going &= letter != _STAR
        packed |= np.where(going, letter, 0).astype("<u8") << np.uint64(8 * offset)
    values, role = np.unique(packed, return_inverse=True)
    names = {value.tobytes().rstrip(b"\0").decode("ascii"): place for place, value in enumerate(values)}
    for which in np.flatnonzero(going).tolist():  # the few that are longer
        name = text[begin[which] : text.index("*", begin[which])]
        role[which] = names.setdefault(name, len(names))
    return list(names), role
