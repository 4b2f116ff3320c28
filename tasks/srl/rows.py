"""Inputs of the core for semantic roles: a sentence as tokens, or the parts of it that fit around its predicates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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


@dataclass(frozen=True)
class Question:
    """The predicates of a sentence, given as the pieces of its words; `tags` has one array a predicate."""

    pieces: list[list[int]]
    predicates: list[int]
    tags: list[np.ndarray]

    def rows(self, max_length: int, specials: SpecialTokens, *, centred: bool) -> list[Row]:
        """One row where the sentence fits, else several, so that every predicate is asked of one.

        The row of a predicate depends on the sentence and that predicate alone: with `centred` it is the part of the
        sentence around it, else the one of overlapping windows whose nearer edge is farthest from it.
        """
        room = max_length - 2
        pieces = [word[:room] for word in self.pieces]
        lengths = [len(word) for word in pieces]
        asked: dict[tuple[int, int], list[int]] = {}
        for number, window in enumerate(self._windows(lengths, room, centred=centred)):
            asked.setdefault(window, []).append(number)
        return [self._row(pieces, window, numbers, specials) for window, numbers in sorted(asked.items())]

    def _windows(self, lengths: list[int], room: int, *, centred: bool) -> list[tuple[int, int]]:
        """First word and end of each predicate's window."""
        if sum(lengths) <= room:
            return [(0, len(lengths))] * len(self.predicates)
        if centred:
            return [window_around(lengths, predicate, room) for predicate in self.predicates]
        offsets = np.concatenate([[0], np.cumsum(lengths)])  # (W + 1,)
        windows = overlapping_windows(offsets, room, room // 2)
        return [windows[number] for number in owners(offsets, windows)[self.predicates].tolist()]

    def _row(self, pieces: list[list[int]], window: tuple[int, int], asked: list[int], specials: SpecialTokens) -> Row:
        first, end = window
        ids, word = [specials.cls], [-1]
        for number, own in enumerate(pieces[first:end]):
            ids += own
            word += [number] * len(own)
        return Row(
            [*ids, specials.sep],
            [*word, -1],
            asked,
            [self.predicates[number] - first for number in asked],
            [tag for number in asked for tag in self.tags[number][first:end].tolist()],
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
