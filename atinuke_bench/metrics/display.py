"""How an example and the answers to it are shown: as fields of text, and as marks on the parts that an answer names.

A metric has a display, since it knows how answers are stored. The base class shows what any task has, its columns and
answers as texts; families that name parts of a text mark them. Reports draw what is given here without torch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any

#: The columns of an example that the store keeps, as plain data.
Example = Mapping[str, Any]


@dataclass(frozen=True)
class Mark:
    """Characters `start` to `end`, which lies outside, of a field, and what an answer calls them."""

    field: str
    start: int
    end: int
    label: str = ""
    #: Marks of one group are of one thing, such as a cluster, and have one colour.
    group: int | None = None


@dataclass(frozen=True)
class Field:
    """A text of an example."""

    name: str
    text: str
    #: Where its sentences begin: a long text is cut there.
    sentences: tuple[int, ...] = ()
    #: Marks of what is given with the example, such as the predicate that is asked about.
    given: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class ShownAnswer:
    """An answer in words, and the parts of the fields that it names."""

    text: str
    marks: tuple[Mark, ...] = ()


class Display:
    """Every column as a text, and answers as they are stored.

    >>> Display().fields({"sentence1": "Ada runs.", "words": ["a", "b"]})[1].text
    'a b'
    """

    def fields(self, example: Example) -> list[Field]:
        """The texts of an example; ValueError where it is of another task."""
        return [Field(name, as_text(value)) for name, value in example.items()]

    def right(self, example: Example, gold: str) -> ShownAnswer:
        """The right answer as it is stored; ValueError."""
        return ShownAnswer(gold)

    def answer(self, example: Example, prediction: str, gold: str) -> ShownAnswer:
        """A prediction as it is stored, beside the right answer; ValueError."""
        return ShownAnswer(prediction)


class NumberDisplay(Display):
    """Numbers, with the digits that a reader compares.

    >>> NumberDisplay().answer({}, "2.857024669647217", "5.0").text
    '2.857'
    """

    def right(self, example: Example, gold: str) -> ShownAnswer:
        return ShownAnswer(f"{float(gold):.4g}")

    def answer(self, example: Example, prediction: str, gold: str) -> ShownAnswer:
        return self.right(example, prediction)


def as_text(value: Any) -> str:
    """Plain data as a text: lists of words with spaces between them, all else but texts as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        return " ".join(value)
    return json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True)
class Words:
    """Words as one text, with spaces between them.

    >>> Words(("Ada", "sees", "Ben")).part(1, 2)
    'sees Ben'
    """

    words: Sequence[str]

    def __post_init__(self) -> None:
        if not all(isinstance(word, str) for word in self.words):
            raise ValueError("words are texts")

    @cached_property
    def text(self) -> str:
        return " ".join(self.words)

    @cached_property
    def starts(self) -> list[int]:
        """Where each word begins, and where one after the last would."""
        return list(accumulate((len(word) + 1 for word in self.words), initial=0))

    def bounds(self, first: int, last: int) -> tuple[int, int]:
        """The characters of the words from the first to the last, both inside; ValueError where there are none."""
        if not 0 <= first <= last < len(self.words):
            raise ValueError(f"words {first} to {last} of {len(self.words)}")
        starts = self.starts
        return starts[first], starts[last + 1] - 1

    def part(self, first: int, last: int) -> str:
        """The text of some words; ValueError where there are none."""
        start, end = self.bounds(first, last)
        return self.text[start:end]

    def mark(self, field: str, first: int, last: int, label: str, group: int | None = None) -> Mark:
        """A mark of some words; ValueError where there are none."""
        return Mark(field, *self.bounds(first, last), label, group)
