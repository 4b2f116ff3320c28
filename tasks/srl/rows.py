"""Inputs of the core for semantic roles: a sentence as tokens, or the part of it around its predicate that fits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from atinuke_bench.data.tokenizer import SpecialTokens


@dataclass(frozen=True)
class Row:
    """One input of the core, and the tags of the predicates that are asked of it."""

    input_ids: list[int]
    word: list[int]  # of each token, counted from `first_word`; -1 at [CLS] and [SEP]
    predicates: list[int]  # counted from `first_word`; -1 where it does not fit
    tags: list[int]  # of every word, for one predicate after another
    first_word: int

    @classmethod
    def build(
        cls,
        pieces: list[list[int]],
        predicates: list[int],
        tags: list[np.ndarray],
        max_length: int,
        specials: SpecialTokens,
    ) -> Row:
        """The row of a sentence, given as the pieces of its words; `tags` has one array a predicate."""
        pieces = [word[: max_length - 2] for word in pieces]
        first, end = window_around([len(word) for word in pieces], predicates[0], max_length - 2)
        ids, word = [specials.cls], [-1]
        for number, own in enumerate(pieces[first:end]):
            ids += own
            word += [number] * len(own)
        return cls(
            [*ids, specials.sep],
            [*word, -1],
            [index - first if first <= index < end else -1 for index in predicates],
            [tag for own in tags for tag in own[first:end].tolist()],
            first,
        )


def window_around(lengths: list[int], focus: int, room: int) -> tuple[int, int]:
    """First word and end of the words around `focus` that fit into `room` pieces: all, or about as many on each side.

    >>> window_around([1] * 9, 4, 9), window_around([1] * 9, 4, 3), window_around([1] * 9, 0, 3)
    ((0, 9), (3, 6), (0, 3))
    """
    first, end, left = focus, focus + 1, room - lengths[focus]
    while True:
        before = first > 0 and lengths[first - 1] <= left
        after = end < len(lengths) and lengths[end] <= left - (lengths[first - 1] if before else 0)
        if not before and not after:
            return first, end
        first, left = (first - 1, left - lengths[first - 1]) if before else (first, left)
        end, left = (end + 1, left - lengths[end]) if after else (end, left)
