"""The bracket columns of CoNLL files: labelled spans of one predicate, numbered mentions of a document.

Argument columns (CoNLL-2005 and CoNLL-2012) hold one cell a word, `(ROLE*` where a span opens, `*)` where it closes
and `*` elsewhere; spans nest and never cross. The coreference column holds `(7`, `7)` and `(7)`, with or without `|`
between them; mentions of different clusters may cross. All positions count from 0 and both ends of a span are inside.
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
_BRACKET = re.compile(r"\|*(?:\((?P<single>[0-9]+)\)|\((?P<opens>[0-9]+)|(?P<closes>[0-9]+)\))\|*")
#: What files write where a column has nothing to say; LitBank leaves the coreference cell empty.
BLANK = frozenset(("-", "_", ""))
_NO_MENTION = BLANK | {"*"}


class Argument(NamedTuple):
    """A span of words with a role, both ends inside; the predicate's own span has the role `V`."""

    start: int
    end: int
    role: str


_UNCLOSED = Argument(-1, -1, "")


class Mention(NamedTuple):
    """A span of a document's words (both ends inside) and the number of its cluster.

    Clusters that are read are numbered from 0 in the order in which scorer.pl meets them, whatever their file calls
    them: it takes their names as text, so that `(0)` and `(00)` are two.
    """

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
    may nest. `mentions` holds every mention, repeats included, in the order in which scorer.pl meets them: of one
    word, those of this word alone come first.
    """

    mentions: list[Mention] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)
    open_mentions: dict[str, list[int]] = field(default_factory=dict)

    def read(self, cell: str, index: int) -> None:
        """Takes the cell of word `index`; raises BracketError when it breaks the rules."""
        if cell in _NO_MENTION:
            return
        brackets = _split_mentions(cell)
        if brackets is None:
            raise BracketError(
                f"{cell!r} is no coreference cell; expected '-', '(N', 'N)' or '(N)', with or without | between", index
            )
        single, opened, closed = brackets
        for name in single:
            self.mentions.append(Mention(index, index, self._number(name)))
        for name in opened:
            self._number(name)
        for name in closed:
            if name in opened:
                # scorer.pl would read `0)|(0` as one mention of this word alone, which no writer means by it.
                raise BracketError(f"mentions of cluster {name} cross at {cell!r}; they can only nest", index)
            starts = self.open_mentions.get(name)
            if not starts:
                raise BracketError(f"{cell!r} closes a mention of cluster {name} that was never opened", index)
            self.mentions.append(Mention(starts.pop(), index, self._number(name)))
        for name in opened:
            self.open_mentions.setdefault(name, []).append(index)

    def finish(self) -> None:
        """Raises BracketError when a mention is still open at the end of the document."""
        left_open = [(starts[-1], name) for name, starts in self.open_mentions.items() if starts]
        if left_open:
            index, name = min(left_open)
            raise BracketError(f"a mention of cluster {name} opens and never closes", index)

    def _number(self, name: str) -> int:
        return self.numbers.setdefault(name, len(self.numbers))


@lru_cache(maxsize=4096)
def _split_mentions(cell: str) -> tuple[tuple[str, ...], ...] | None:
    """Names of the clusters with a mention of this word alone, with one that opens, with one that closes; or None.

    >>> _split_mentions("(10|(2)|2)")
    (('2',), ('10',), ('2',))
    >>> _split_mentions("(3(4)5)")
    (('4',), ('3',), ('5',))
    """
    found: dict[str, list[str]] = {"single": [], "opens": [], "closes": []}
    position = 0
    while position < len(cell):
        match = _BRACKET.match(cell, position)
        if match is None or match.lastgroup is None:
            return None
        found[match.lastgroup].append(match[match.lastgroup])
        position = match.end()
    return tuple(map(tuple, found.values()))


def repeats_among(mentions: Iterable[Mention]) -> list[Mention]:
    """The mentions whose span has been there before, in the same cluster or in another.

    >>> repeats_among([Mention(3, 4, 1), Mention(0, 0, 1), Mention(3, 4, 2)])
    [Mention(start=3, end=4, cluster=2)]
    """
    seen: set[tuple[int, int]] = set()
    repeats = []
    for mention in mentions:
        span = (mention.start, mention.end)
        if span in seen:
            repeats.append(mention)
        seen.add(span)
    return repeats


def group_clusters(mentions: Iterable[Mention]) -> list[list[tuple[int, int]]]:
    """Clusters of (start, end), each sorted, in the order in which scorer.pl meets them.

    It meets a cluster at the word where its first mention opens, a mention of this word alone before longer ones; of
    several that open there, the one with the smaller number.

    >>> group_clusters([Mention(5, 6, 0), Mention(2, 2, 9), Mention(0, 1, 0)])
    [[(0, 1), (5, 6)], [(2, 2)]]
    """
    clusters: dict[int, list[tuple[int, int]]] = {}
    for mention in sorted(mentions, key=lambda mention: mention.cluster):
        clusters.setdefault(mention.cluster, []).append((mention.start, mention.end))
    return in_order_of_meeting(map(sorted, clusters.values()))


def in_order_of_meeting(clusters: Iterable[list[tuple[int, int]]]) -> list[list[tuple[int, int]]]:
    """Sorted clusters in the order in which scorer.pl meets them; those that it meets at once stay as they are."""
    return sorted(clusters, key=lambda spans: (spans[0][0], spans[0][1] > spans[0][0]))


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
