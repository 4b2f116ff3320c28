"""Right answers as a user's data gives them: a number from 0, a label that stands for one, or the choice's text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from atinuke_bench.data.declared import Rows
from atinuke_bench.data.records import Fields
from atinuke_bench.data.table import is_hidden
from atinuke_bench.errors import DataError, nearest

#: A number, where the data has numbers, or a text that is still to be understood.
Given = int | str


def given_answers(value: Any, fields: Fields) -> list[Given]:
    """The answers that a record gives, several as a list; none where they are hidden. DataError."""
    values = value if isinstance(value, list) else [value]
    return [_given(one, fields) for one in values if not is_hidden(one)]


def _given(value: Any, fields: Fields) -> Given:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int):
        column = ", ".join(map(str, fields.columns("answer")))
        raise DataError(f"an answer is a number from 0 or the text of a choice; found {value!r:.60}", field=column)
    return value


def resolve_answers(splits: Mapping[str, Rows], labels: Sequence[str] | None, column: str) -> None:
    """Put the texts of the right choices in place of what was given in `answers`; DataError, with the place.

    Texts mean the same in all splits: the choice of that text where each is one, else its number. `labels` are names
    of the numbers, such as A, B, C. Numbers in a file without types are texts too.
    """
    means_text = labels is None and _are_texts(splits, column)
    for rows in splits.values():
        for place, row in enumerate(rows.rows):
            try:
                row["answers"] = [_text(given, row["choices"], labels, means_text) for given in row["answers"]]
            except DataError as error:
                raise rows.refuse(place, str(error), column) from error


def _are_texts(splits: Mapping[str, Rows], column: str) -> bool:
    """Whether answers are texts of choices; DataError where they may be numbers as well, and mean another choice."""
    can_be_texts = can_be_numbers = True
    differs: tuple[Rows, int] | None = None
    for rows in splits.values():
        for place, row in enumerate(rows.rows):
            for given in row["answers"]:
                if isinstance(given, int):
                    continue
                is_text, is_number = given in row["choices"], _is_number(given, row["choices"])
                can_be_texts, can_be_numbers = can_be_texts and is_text, can_be_numbers and is_number
                if is_text and is_number and row["choices"][int(given)] != given:
                    differs = differs or (rows, place)
    if can_be_texts and can_be_numbers and differs is not None:
        rule = "answers are numbers or texts; here all are both, and this one means two choices"
        raise differs[0].refuse(differs[1], f"{rule}; nearest: `labels` that name the numbers", column)
    return can_be_texts or not can_be_numbers


def _is_number(given: str, choices: Sequence[str]) -> bool:
    return given.isascii() and given.isdecimal() and len(given) < 5 and int(given) < len(choices)


def _text(given: Given, choices: Sequence[str], labels: Sequence[str] | None, means_text: bool) -> str:
    if isinstance(given, int):
        number = given
    elif labels is not None:
        number = labels.index(given) if given in labels else -1
    elif means_text:
        if given in choices:
            return given
        near = nearest(given, choices)
        hint = f"nearest: {near!r:.60}" if near else f"its choices are {', '.join(choices)[:200]}"
        raise DataError(f"an answer is one of the example's choices, or its number from 0; found {given!r:.60}; {hint}")
    else:
        number = int(given)
    if not 0 <= number < len(choices):
        names = labels[: len(choices)] if labels is not None else ("0", str(len(choices) - 1))
        between = f"one of {', '.join(names)}" if labels is not None else f"a number from {' to '.join(names)}"
        raise DataError(f"an answer is {between}; found {given!r:.60}")
    return choices[number]
