"""Inputs of the core for semantic roles: a sentence as tokens, or the parts of it that fit around its predicates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from atinuke_bench.data.bio import BioTags, LabelledSpan
from atinuke_bench.data.tokenizer import SpecialTokens
from atinuke_bench.data.windows import overlapping_windows, owners


@dataclass(frozen=True)
class Row:
    """One input of the core, and the tags of the predicates that are asked of it."""

    input_ids: list[int]
    word: list[int]  # of each token, counted from `first_word`; -1 at [CLS] and [SEP]
    asked: list[int]  # which of the sentence's predicates
    predicates: list[int]  # their words, counted from `first_word`
    tags: list[int]  # of every word, for one predicate after another
    first_word: int
    num_cut: int  # gold arguments of these predicates that are not wholly inside


@dataclass(frozen=True)
class Question:
    """The predicates of a sentence, given as the pieces of its words, with the gold arguments of each."""

    pieces: list[list[int]]
    predicates: list[int]
    arguments: list[list[LabelledSpan]]

    def rows(self, tags: BioTags, max_length: int, specials: SpecialTokens, *, centred: bool) -> list[Row]:
        """Rows of at most `max_length` tokens that ask every predicate once, each beside the words around it.

        With `centred` a predicate has a row to itself, the part of the sentence around it. Otherwise a sentence that
        fits is one row, and of a longer one a predicate is asked in that of several overlapping windows whose nearer
        edge is farthest from it. So its row depends on the sentence and on it alone.
        """
        room = max_length - 2
        lengths = [min(len(word), room) for word in self.pieces]
        if centred:
            windows = [window_around(lengths, predicate, room) for predicate in self.predicates]
            return [self._row(window, [number], room, tags, specials) for number, window in enumerate(windows)]
        asked: dict[tuple[int, int], list[int]] = {}
        for number, window in enumerate(self._shared_windows(lengths, room)):
            asked.setdefault(window, []).append(number)
        return [self._row(window, numbers, room, tags, specials) for window, numbers in sorted(asked.items())]

    def _shared_windows(self, lengths: list[int], room: int) -> list[tuple[int, int]]:
        """First word and end of each predicate's window."""
        offsets = np.concatenate([[0], np.cumsum(lengths)])  # (W + 1,)
        windows = overlapping_windows(offsets, room, room // 2)
        return [windows[number] for number in owners(offsets, windows)[self.predicates].tolist()]

    def _row(self, window: tuple[int, int], asked: list[int], room: int, tags: BioTags, specials: SpecialTokens) -> Row:
        first, end = window
        ids, word = [specials.cls], [-1]
        for number, own in enumerate(self.pieces[first:end]):
            ids += own[:room]
            word += [number] * len(own[:room])
        encoded = (tags.encode(self.arguments[number], len(self.pieces))[0] for number in asked)
        return Row(
            [*ids, specials.sep],
            [*word, -1],
            asked,
            [self.predicates[number] - first for number in asked],
            [tag for own in encoded for tag in own[first:end].tolist()],
            first,
            sum(start < first or last >= end for number in asked for start, last, _ in self.arguments[number]),
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
