"""One example as the page shows it: its texts in pieces, with the marks of the right answer and of cores over them.

Marks of several answers that agree are one bar that names them all, so that what differs is seen. A long text is cut to
what lies around the marks that answers differ in.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from atinuke_bench.formatting import visible
from atinuke_bench.metrics.display import Display, Example, Field, Mark, ShownAnswer

#: Characters of a text, and of an answer in words, that are shown.
MOST_TEXT = 900
MOST_ANSWER = 300
#: Fields of an example, such as its choices, and characters of a name.
_MOST_FIELDS = 32
_MOST_NAME = 100
#: Characters on either side of a mark that are kept of a text without known sentences.
_AROUND = 160
#: Bars over one word; further ones, of mentions in mentions in mentions, are left out.
_MOST_LANES = 9
#: A word, or a part of one without end, with the space after it.
_WORD = re.compile(r"\s*\S{1,24}\s?|\s+")
GOLD = "gold"
#: What a display may raise for an example or an answer of another shape.
_MISFITS = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)


@dataclass(frozen=True)
class Bar:
    """The part of a mark under one piece; `text`, where it begins, says whose it is and what it says."""

    text: str
    is_first: bool
    is_last: bool
    #: Whether the right answer has it, and whether a core has.
    is_gold: bool
    is_answer: bool
    #: Whether the mark is long enough for the text, so that the word over it need not be widened.
    has_room: bool
    #: One of a few colours, from 0, of a mark that has a group.
    colour: int | None


@dataclass(frozen=True)
class Piece:
    """A part of a text; `lanes` are the bars under it from the top, None where a lane is free."""

    text: str
    lanes: tuple[Bar | None, ...] = ()


@dataclass(frozen=True)
class ShownExample:
    """An example: its fields in pieces (none where its texts were not kept), and every answer in words."""

    id: str
    #: Whom the filter shows it for: `a`, `b` or `both`.
    who: str
    fields: tuple[tuple[str, tuple[Piece, ...]], ...]
    answers: tuple[tuple[str, str], ...]

    def record(self) -> dict[str, Any]:
        """The example as plain data: texts as they are shown, without marks."""
        texts = {name: "".join(piece.text for piece in own) for name, own in self.fields}
        better = {"a": "A", "b": "B"}.get(self.who, "neither")
        return {"id": self.id, "better": better, "texts": texts, **dict(self.answers)}

    @property
    def cost(self) -> int:
        """About how many bytes of the page it takes."""
        pieces = [piece for _, own in self.fields for piece in own]
        return (
            400
            + sum(len(text) for _, text in self.answers)
            + sum(len(one.text) + 70 * len(one.lanes) for one in pieces)
        )


def show_example(
    display: Display,
    id_: str,
    who: str,
    example: Example | None,
    gold: str,
    answers: Mapping[str, str],
    most: int = MOST_TEXT,
) -> ShownExample:
    """An example with the right answer and others by name, all as they are stored; so many characters of a text."""
    try:
        shown = _shown_answers(display, example, gold, answers)
        fields = display.fields(example or {})
        drawn = tuple((_name(one.name), tuple(_pieces(one, shown, most))) for one in fields[:_MOST_FIELDS])
    except _MISFITS:
        drawn, shown = (), _in_words(display, gold, answers)
    texts = ((name, _one_line(answer.text)) for name, answer in shown.items())
    return ShownExample(_name(id_), who, drawn, tuple(texts))


def _shown_answers(
    display: Display, example: Example | None, gold: str, answers: Mapping[str, str]
) -> dict[str, ShownAnswer]:
    if example is None:
        raise ValueError("its texts were not kept")
    shown = {GOLD: display.right(example, gold)}
    return shown | {name: display.answer(example, text, gold) for name, text in answers.items()}


def in_words(display: Display, example: Example | None, gold: str, answers: Mapping[str, str]) -> dict[str, str]:
    """The right answer (GOLD) and others by name, whole; as they are stored where the display does not know them."""
    try:
        shown = _shown_answers(display, example, gold, answers)
    except _MISFITS:
        shown = _in_words(display, gold, answers)
    return {name: answer.text for name, answer in shown.items()}


def _in_words(display: Display, gold: str, answers: Mapping[str, str]) -> dict[str, ShownAnswer]:
    return {GOLD: ShownAnswer(gold), **{name: ShownAnswer(text) for name, text in answers.items()}}


def _name(text: str) -> str:
    return _one_line(text, _MOST_NAME)


def _one_line(text: str, most: int = MOST_ANSWER) -> str:
    text = " ".join(text[: 2 * most].split())
    return visible(text if len(text) <= most else f"{text[: most - 1]}…")


def _pieces(field: Field, answers: Mapping[str, ShownAnswer], most: int) -> Iterator[Piece]:
    own = {name: _within(field, answer.marks) for name, answer in answers.items()}
    whose: dict[Mark, list[str]] = {mark: [] for mark in _within(field, field.given)}
    for name, marks in own.items():
        for mark in marks:
            whose.setdefault(mark, []).append(name)
    cores = [set(marks) for name, marks in own.items() if name != GOLD]
    apart = set[Mark]().union(*cores) - cores[0].intersection(*cores) if cores else set[Mark]()
    focus = apart or {mark for mark, names in whose.items() if len(names) < len(answers)} or set(whose)
    place = 0
    for start, end in kept_ranges(field, focus, most):
        if start > place:
            yield Piece(" … ")
        yield from _of_range(field.text, start, end, whose)
        place = end
    if place < len(field.text):
        yield Piece(" …")


def _within(field: Field, marks: Iterable[Mark]) -> list[Mark]:
    """The marks of a field, those that no text lies under left out."""
    size = len(field.text)
    return [mark for mark in marks if mark.field == field.name and 0 <= mark.start < mark.end <= size]


def kept_ranges(field: Field, focus: Iterable[Mark], most: int) -> list[tuple[int, int]]:
    """What is shown of a text: all of a short one, else what lies around some marks, as many as there is room for.

    >>> text = "One. " * 200
    >>> kept_ranges(Field("text", text, tuple(range(0, 1000, 5))), [Mark("text", 500, 503)], 100)
    [(495, 505)]
    """
    if len(field.text) <= most:
        return [(0, len(field.text))]
    ranges: list[tuple[int, int]] = []
    left = most
    for mark in sorted(focus, key=lambda mark: mark.start):
        start, end = _around(field, mark)
        if ranges and start <= ranges[-1][1]:
            start = ranges[-1][1]
        if end - start > left:  # at a space, where there is one
            space = field.text.rfind(" ", start, start + left + 1)
            end = space if space > start else start + left
        if end <= start:
            continue
        left -= end - start
        if ranges and ranges[-1][1] == start:
            ranges[-1] = (ranges[-1][0], end)
        else:
            ranges.append((start, end))
    return ranges or [(0, most)]


def _around(field: Field, mark: Mark) -> tuple[int, int]:
    """The sentences of a mark and the one before, or some words on either side."""
    text, bounds = field.text, field.sentences
    if bounds:
        first, after = bisect_right(bounds, mark.start) - 2, bisect_left(bounds, mark.end)
        return bounds[max(first, 0)], bounds[after] if after < len(bounds) else len(text)
    start, end = max(0, mark.start - _AROUND), min(len(text), mark.end + _AROUND)
    # At a space, where there is one near.
    start = text.find(" ", start, mark.start) + 1 or start if start else 0
    return start, text.rfind(" ", mark.end, end) if end < len(text) and " " in text[mark.end : end] else end


def _of_range(text: str, start: int, end: int, whose: Mapping[Mark, Sequence[str]]) -> Iterator[Piece]:
    marks = [mark for mark in whose if mark.start < end and mark.end > start]
    lanes = _lanes(marks)
    bounds = {start, end, *(place for mark in marks for place in (mark.start, mark.end) if start < place < end)}
    places = sorted(bounds)
    for first, last in pairwise(places):
        over = [mark for mark in marks if mark.start <= first and last <= mark.end and mark in lanes]
        if not over:
            yield Piece(_shown(text[first:last]))
            continue
        for match in _WORD.finditer(text, first, last):
            bars: list[Bar | None] = [None] * (1 + max(lanes[mark] for mark in over))
            for mark in over:
                is_first = match.start() == max(mark.start, start)
                bars[lanes[mark]] = _bar(mark, whose[mark], is_first, match.end() == min(mark.end, end))
            yield Piece(_shown(match[0]), tuple(bars))


def _lanes(marks: Iterable[Mark]) -> dict[Mark, int]:
    """A lane for each mark, so that those that overlap have different ones; the outer one has the upper."""
    ends: list[int] = []
    lanes = {}
    for mark in sorted(marks, key=lambda mark: (mark.start, -mark.end)):
        lane = next((lane for lane, end in enumerate(ends) if end <= mark.start), len(ends))
        if lane >= _MOST_LANES:
            continue
        ends[lane : lane + 1] = [mark.end]
        lanes[mark] = lane
    return lanes


def _bar(mark: Mark, names: Sequence[str], is_first: bool, is_last: bool) -> Bar:
    text = visible(" ".join(filter(None, [*names, _short(mark.label)]))) if is_first else ""
    colour = None if mark.group is None else mark.group % 8
    # Letters of a text are a little wider than those under it.
    has_room = 1.15 * (mark.end - mark.start) >= len(text)
    return Bar(text, is_first, is_last, GOLD in names, any(name != GOLD for name in names), has_room, colour)


def _short(label: str) -> str:
    return label if len(label) <= 24 else f"{label[:23]}…"


def _shown(text: str) -> str:
    """A text without what steers terminals or turns the direction of writing; ends of lines stay."""
    return "\n".join(visible(line.replace("\t", " ")) for line in text.split("\n"))
