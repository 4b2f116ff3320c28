"""A question with all its choices as one row, so that they are computed together and compared.

The choices of a question share its text, which a row holds once: `[CLS] text`, then `[SEP] choice [SEP]` for each
choice. An input of the core is the text as far as it is kept beside a choice, and what belongs to that choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from atinuke_bench.data.tokenizer import SpecialTokens, longest_first

#: What a choice is put in place of, in questions that have it (ReCoRD's mark).
BLANK = "@placeholder"


@dataclass(frozen=True)
class Row:
    """The inputs of one example; `input_lengths` and `head_lengths` have one entry a choice."""

    input_ids: list[int]  # the text, and the choices one after another
    segment_ids: list[int]  # 0 in the text and the [SEP] after it, 1 in a choice and its own
    input_lengths: list[int]  # tokens of the whole input
    head_lengths: list[int]  # of these, tokens of the text


def build_row(text: list[int], choices: Sequence[list[int]], specials: SpecialTokens, max_length: int) -> Row:
    """The row of a text and its choices, as token ids; of an input that is too long, the longer part is cut first.

    >>> row = build_row([7, 8, 9], [[5], [6, 6]], SpecialTokens(cls=2, sep=3, num_between=1, unk=1, mask=4), 7)
    >>> row.input_ids
    [2, 7, 8, 9, 3, 5, 3, 3, 6, 6, 3]
    >>> row.input_lengths, row.head_lengths
    ([7, 7], [4, 3])
    """
    room = max_length - specials.num_in_pair
    kept = [longest_first(len(text), len(choice), room) for choice in choices]
    between = [specials.sep] * specials.num_between
    tails = [[*between, *choice[:num], specials.sep] for choice, (_, num) in zip(choices, kept, strict=True)]
    head = [specials.cls, *text[: max(num for num, _ in kept)]]
    head_lengths = [1 + num for num, _ in kept]
    segments = [[0] * len(between) + [1] * (len(tail) - len(between)) for tail in tails]
    return Row(
        [*head, *(token for tail in tails for token in tail)],
        [0] * len(head) + [segment for tail in segments for segment in tail],
        [length + len(tail) for length, tail in zip(head_lengths, tails, strict=True)],
        head_lengths,
    )


def texts_of(context: str, question: str, choices: Sequence[str]) -> tuple[str, list[str]]:
    """The text that all choices share, and what belongs to each: the question, and the choice after it or in its blank.

    Where there is no context, the question is what they share.

    >>> texts_of("Ada met Ben.", "Who was late?", ["Ada", "Ben"])
    ('Ada met Ben.', ['Who was late? Ada', 'Who was late? Ben'])
    >>> texts_of("Ada met Ben.", "@placeholder was late.", ["Ada", "Ben"])
    ('Ada met Ben.', ['Ada was late.', 'Ben was late.'])
    """
    if BLANK in question:
        return context or question, [question.replace(BLANK, choice) for choice in choices]
    if context and question:
        return context, [f"{question} {choice}" for choice in choices]
    return context or question, list(choices)
