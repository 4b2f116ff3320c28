"""Arguments in pieces: one proposition compared exactly as srl-eval.pl compares it, corner cases included.

`events` counts plain propositions with arrays and leaves the others (continued, nested) to these functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from atinuke_bench.data.bio import LabelledSpan


@dataclass(slots=True, eq=False)
class WholeArgument:
    """An argument as srl-eval.pl compares it, its continuations joined to it.

    `pieces` is empty for a single span without spans inside it.
    """

    start: int
    end: int
    role: str
    pieces: list[WholeArgument] = field(default_factory=list)

    def distance(self, index: int) -> int:
        """Words between the predicate's word and the nearest piece; 0 when they touch or overlap."""
        if self.pieces:
            return min(_distance(piece.start, piece.end, index) for piece in self.pieces)
        return _distance(self.start, self.end, index)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The arguments of one proposition: correct ones as pairs (gold, predicted), the others alone."""

    correct: list[tuple[WholeArgument, WholeArgument]]
    excess: list[WholeArgument]
    missed: list[WholeArgument]


def join_pieces(spans: Iterable[LabelledSpan]) -> list[WholeArgument]:
    """Arguments of one proposition out of its spans, as srl-eval.pl reads them.

    A `C-X` continues the latest `X` before it; without one it is an argument `X` itself. Two corner cases follow the
    script: of spans over the same words only the innermost remains, and spans inside an argument count as its pieces
    (so that an argument continued inside itself has a piece twice and is never correct).

    >>> [(a.start, a.end, a.role, len(a.pieces)) for a in join_pieces([(0, 1, "A1"), (2, 2, "V"), (3, 5, "C-A1")])]
    [(0, 5, 'A1', 2), (2, 2, 'V', 0)]
    """
    latest: dict[str, WholeArgument] = {}
    arguments = []
    for argument in _nest(spans):
        role = argument.role.removeprefix("C-")
        if role != argument.role and role in latest:
            head = latest[role]
            if not head.pieces:
                head.pieces.append(WholeArgument(head.start, head.end, role))
            head.pieces.append(argument)
            head.end = argument.end
        else:
            argument.role = role
            latest[role] = argument
            arguments.append(argument)
    return arguments


def _nest(spans: Iterable[LabelledSpan]) -> Iterable[WholeArgument]:
    """Spans from left to right, outer before inner, each holding those directly inside it as pieces."""
    by_span: dict[tuple[int, int], WholeArgument] = {}
    around: list[WholeArgument] = []
    for start, end, role in sorted(spans, key=_opening):
        argument = WholeArgument(start, end, role, [])
        while around and around[-1].end < start:
            around.pop()
        if around:
            around[-1].pieces.append(argument)
        around.append(argument)
        by_span[start, end] = argument
    return by_span.values()


def _distance(start: int, end: int, index: int) -> int:
    return max(start - index - 1, index - end - 1, 0)


def _opening(span: LabelledSpan) -> tuple[int, int]:
    return span[0], -span[1]


def compare_arguments(
    gold: Sequence[WholeArgument], predicted: Sequence[WholeArgument], *, labelled: bool = True
) -> Comparison:
    """Which predicted arguments are correct, which are excess, and which gold ones are missed.

    Of gold arguments with the same first and last word only the last counts, as in srl-eval.pl.
    """
    remaining = {(argument.start, argument.end): argument for argument in gold}
    correct, excess = [], []
    for argument in predicted:
        match = remaining.get((argument.start, argument.end))
        if match is not None and _agree(match, argument, labelled):
            correct.append((match, argument))
            del remaining[argument.start, argument.end]
        else:
            excess.append(argument)
    return Comparison(correct, excess, list(remaining.values()))


def _agree(gold: WholeArgument, predicted: WholeArgument, labelled: bool) -> bool:
    if labelled and gold.role != predicted.role:
        return False
    if not gold.pieces or not predicted.pieces:
        return not gold.pieces and not predicted.pieces
    # The script strikes each predicted piece off the gold pieces, so that a piece predicted twice fails.
    pieces = [(piece.start, piece.end) for piece in predicted.pieces]
    return len(set(pieces)) == len(pieces) and set(pieces) == {(piece.start, piece.end) for piece in gold.pieces}
