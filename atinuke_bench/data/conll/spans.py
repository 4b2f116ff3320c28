"""The bracket columns of CoNLL files: labelled spans of one predicate, numbered mentions of a document.

Argument columns (CoNLL-2005 and CoNLL-2012) hold one cell a word, `(ROLE*` where a span opens, `*)` where it closes
and `*` elsewhere; spans nest and never cross. The coreference column holds `(7` and `7)` joined by `|`; mentions of
different clusters may cross. All positions count from 0 and both ends of a span are inside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from atinuke_bench.errors import DataError

#: Openings, the asterisk, closings; CoNLL-2004 repeats the role before each closing, which srl-eval.pl still reads.
_CELL = re.compile(r"((?:\([^()*\s]+)*)\*((?:[^()*\s]*\))*)")
_MENTION = re.compile(r"(\()?(\d+)(\))?")


class Argument(NamedTuple):
    """A span of words with a role, both ends inside; the predicate's own span has the role `V`."""

    start: int
    end: int
    role: str


_UNCLOSED = Argument(-1, -1, "")


class Mention(NamedTuple):
    """A span of a document's words (both ends inside) and the cluster number its file gives it."""

    start: int
    end: int
    cluster: int


class BracketError(ValueError):
    """A bracket column breaks its rules at word `index`; readers turn it into a DataError with file and line."""

    def __init__(self, problem: str, index: int) -> None:
        super().__init__(problem)
        self.problem, self.index = problem, index


@lru_cache(maxsize=4096)  # a corpus of 300,000 cells holds some hundred different ones
def _split_cell(cell: str) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """Roles that open in a cell and the roles beside its closings (mostly empty); None when it is no bracket cell."""
    match = _CELL.fullmatch(cell)
    return None if match is None else (tuple(match[1].split("(")[1:]), tuple(match[2].split(")")[:-1]))


@lru_cache(maxsize=4096)  # a system repeats most of the gold columns beside it
def parse_arguments(cells: tuple[str, ...]) -> tuple[Argument, ...]:
    """The spans of one argument column, in the order in which they open, outer before inner.

    Raises BracketError for a cell that is no bracket cell, a close without an open, and an open never closed.

    >>> parse_arguments(("(ARG0*)", "(V*)", "(ARG1*", "(C-V*)", "*)"))[2:]
    (Argument(start=2, end=4, role='ARG1'), Argument(start=3, end=3, role='C-V'))
    """
    spans: list[Argument] = []
    open_spans: list[tuple[int, int, str]] = []  # position in spans, start, role
    for index in [index for index, cell in enumerate(cells) if cell != "*"]:
        brackets = _split_cell(cells[index])
        if brackets is None:
            problem = f"{cells[index]!r} is no bracket cell; expected '*', '(ROLE*', '*)' or '(ROLE*)'"
            raise BracketError(problem, index)
        for role in brackets[0]:
            open_spans.append((len(spans), index, role))
            spans.append(_UNCLOSED)
        for beside in brackets[1]:
            if not open_spans:
                raise BracketError(f"{cells[index]!r} closes a span that was never opened", index)
            position, start, role = open_spans.pop()
            if beside and beside != role:
                problem = f"{cells[index]!r} closes {beside!r}, but {role!r} is the innermost open span"
                raise BracketError(problem, index)
            spans[position] = Argument(start, index, role)
    if open_spans:
        _, start, role = open_spans[-1]
        raise BracketError(f"the span '({role}*' is never closed in its sentence", start)
    return tuple(spans)


def format_arguments(arguments: Iterable[Argument], num_words: int) -> list[str]:
    """The argument column of a sentence; `parse_arguments` reads the same spans back.

    Of two spans over the same words the first given is the outer one. Raises DataError for spans that cross or leave
    the sentence, which brackets cannot express.

    >>> format_arguments([Argument(0, 2, "ARG1"), Argument(1, 1, "V")], 3)
    ['(ARG1*', '(V*)', '*)']
    """
    opens = [""] * num_words
    closes = [""] * num_words
    open_spans: list[Argument] = []
    for argument in sorted(arguments, key=lambda span: (span.start, -span.end)):
        if not 0 <= argument.start <= argument.end < num_words:
            raise DataError(f"{argument} lies outside a sentence of {num_words} words")
        while open_spans and open_spans[-1].end < argument.start:
            open_spans.pop()
        if open_spans and open_spans[-1].end < argument.end:
            raise DataError(f"{open_spans[-1]} and {argument} cross; bracket columns can only nest them")
        open_spans.append(argument)
        opens[argument.start] += f"({argument.role}"
        closes[argument.end] += ")"
    return [f"{before}*{after}" for before, after in zip(opens, closes, strict=True)]


@dataclass(slots=True)
class MentionReader:
    """Collects the mentions of one document from its coreference cells, one word after another.

    A closing bracket closes the latest open mention of its cluster, as in scorer.pl, so that mentions of one cluster
    may nest. `mentions` holds every mention, repeats included, in the order in which they close.
    """

    mentions: list[Mention] = field(default_factory=list)
    open_mentions: dict[int, list[int]] = field(default_factory=dict)

    def read(self, cell: str, index: int) -> None:
        """Takes the cell of word `index`; raises BracketError when it breaks the rules."""
        if cell in ("-", "_"):
            return
        opened: list[int] = []
        closed: list[int] = []
        for part in cell.split("|"):
            match = _MENTION.fullmatch(part)
            if match is None or not (match[1] or match[3]):
                raise BracketError(
                    f"{cell!r} is no coreference cell; expected '-', '(N', 'N)' or '(N)', | between", index
                )
            cluster = int(match[2])
            if match[1] and match[3]:
                self.mentions.append(Mention(index, index, cluster))
            else:
                (opened if match[1] else closed).append(cluster)
        for cluster in closed:
            if cluster in opened:
                # scorer.pl would read `0)|(0` as one mention of this word alone, which no writer means by it.
                raise BracketError(f"mentions of cluster {cluster} cross at {cell!r}; they can only nest", index)
            starts = self.open_mentions.get(cluster)
            if not starts:
                raise BracketError(f"{cell!r} closes a mention of cluster {cluster} that was never opened", index)
            self.mentions.append(Mention(starts.pop(), index, cluster))
        for cluster in opened:
            self.open_mentions.setdefault(cluster, []).append(index)

    def finish(self) -> None:
        """Raises BracketError when a mention is still open at the end of the document."""
        left_open = [(starts[-1], cluster) for cluster, starts in self.open_mentions.items() if starts]
        if left_open:
            index, cluster = min(left_open)
            raise BracketError(f"a mention of cluster {cluster} opens and never closes", index)


def split_repeats(mentions: Iterable[Mention]) -> tuple[tuple[Mention, ...], tuple[Mention, ...]]:
    """Mentions with each span once (the first that closed stays), sorted; and the repeats that were dropped.

    >>> split_repeats([Mention(3, 4, 1), Mention(0, 0, 1), Mention(3, 4, 2)])[1]
    (Mention(start=3, end=4, cluster=2),)
    """
    kept: dict[tuple[int, int], Mention] = {}
    repeats = []
    for mention in mentions:
        if kept.setdefault((mention.start, mention.end), mention) is not mention:
            repeats.append(mention)
    return tuple(sorted(kept.values())), tuple(repeats)


def group_clusters(mentions: Iterable[Mention]) -> list[list[tuple[int, int]]]:
    """Clusters of (start, end), each sorted, ordered by their first mention.

    >>> group_clusters([Mention(5, 6, 0), Mention(2, 2, 9), Mention(0, 1, 0)])
    [[(0, 1), (5, 6)], [(2, 2)]]
    """
    clusters: dict[int, list[tuple[int, int]]] = {}
    for mention in sorted(mentions):
        clusters.setdefault(mention.cluster, []).append((mention.start, mention.end))
    return list(clusters.values())


def format_mentions(clusters: Iterable[Iterable[tuple[int, int]]], num_words: int) -> list[str]:
    """The coreference column of a document: clusters are numbered from 0 in the order given.

    Raises DataError for a mention outside the document, and for two mentions of a cluster that cross at one word or
    inside one another, which numbered brackets cannot express.

    >>> format_mentions([[(0, 1), (3, 3)], [(1, 2)]], 4)
    ['(0', '0)|(1', '1)', '(0)']
    """
    opens: list[list[str]] = [[] for _ in range(num_words)]
    closes: list[list[str]] = [[] for _ in range(num_words)]
    for cluster, spans in enumerate(clusters):
        open_spans: list[tuple[int, int]] = []
        for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
            if not 0 <= start <= end < num_words:
                raise DataError(f"mention ({start}, {end}) lies outside a document of {num_words} words")
            while open_spans and open_spans[-1][1] < start:
                open_spans.pop()
            if open_spans and open_spans[-1][1] < end:
                raise DataError(f"mentions {open_spans[-1]} and ({start}, {end}) of one cluster cross")
            open_spans.append((start, end))
            if start == end:
                opens[start].append(f"({cluster})")
            else:
                opens[start].append(f"({cluster}")
                closes[end].append(f"{cluster})")
    return ["|".join(before + after) or "-" for before, after in zip(closes, opens, strict=True)]
