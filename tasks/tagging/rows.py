"""Inputs of the core for tagging: a sentence as tokens, or overlapping windows of one that is too long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from atinuke_bench.data.tokenizer import SpecialTokens
from atinuke_bench.data.windows import overlapping_windows, owners
from atinuke_bench.tasks.tagging.tagset import IGNORED


@dataclass(frozen=True)
class Row:
    """One input of the core, and the words whose tags are learned and read from it."""

    input_ids: list[int]
    word: list[int]  # of each token, counted from `first_word`; -1 at [CLS] and [SEP]
    targets: list[int]  # of each word; IGNORED at those that another window answers
    first_word: int
    own: tuple[int, int]  # first word and end of those that it answers, counted from the sentence's first


def rows_of(pieces: Sequence[list[int]], targets: Sequence[int], max_length: int, specials: SpecialTokens) -> list[Row]:
    """Rows of at most `max_length` tokens that answer each word of a sentence once.

    A sentence that fits is one row. Of a longer one a word is answered in that of several windows, sharing half of
    their tokens, whose nearer edge is farthest from it.
    """
    room = max_length - 2
    lengths = [min(len(word), room) for word in pieces]
    offsets = np.concatenate([[0], np.cumsum(lengths)])  # (W + 1,)
    windows = overlapping_windows(offsets, room, room // 2)
    owner = owners(offsets, windows)  # ascending
    rows = []
    for number, (first, end) in enumerate(windows):
        own = int(np.searchsorted(owner, number)), int(np.searchsorted(owner, number, side="right"))
        if own[0] == own[1]:
            continue
        ids, word = [specials.cls], [-1]
        for place, tokens in enumerate(pieces[first:end]):
            ids += tokens[:room]
            word += [place] * len(tokens[:room])
        learned = [targets[place] if own[0] <= place < own[1] else IGNORED for place in range(first, end)]
        rows.append(Row([*ids, specials.sep], [*word, -1], learned, first, own))
    return rows
