"""Overlapping segments of a document."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest

from atinuke_bench.tasks.coref.segments import cut_segments


@pytest.mark.parametrize("overlap", [0, 4, 11, 30])
def test_segments_read_every_word_once_and_where_it_has_most_context(overlap):
    draw = random.Random(overlap)
    pieces = [[word + 10] * draw.choice([1, 1, 2, 5, 40]) for word in range(200)]
    segments = cut_segments(pieces, 18, overlap, (1, 2))
    assert segments.lengths.max() <= 18
    assert segments.lengths.sum() == len(segments.piece_ids) == len(segments.piece_word)
    read = segments.piece_word >= 0
    assert segments.piece_word[read].tolist() == sorted(segments.piece_word[read].tolist())
    for word, own in enumerate(pieces):
        assert (segments.piece_word == word).sum() == min(len(own), 16)
        assert set(segments.piece_ids[segments.piece_word == word]) == {word + 10}
    ends = np.cumsum(segments.lengths)
    for start, end in zip(ends - segments.lengths, ends, strict=True):
        assert (segments.piece_ids[start], segments.piece_ids[end - 1]) == (1, 2)
    ids = [segments.piece_ids[start + 1 : end - 1] for start, end in zip(ends - segments.lengths, ends, strict=True)]
    assert all(set(later) - set(earlier) for earlier, later in pairwise(ids))


def test_overlapping_segments_give_context_on_both_sides():
    segments = cut_segments([[word + 10] for word in range(100)], 22, 10, (1, 2))
    places = np.concatenate([np.arange(length) for length in segments.lengths])
    lengths = np.repeat(segments.lengths, segments.lengths)
    for word in range(10, 90):
        place = int(np.flatnonzero(segments.piece_word == word)[0])
        assert min(places[place], lengths[place] - 1 - places[place]) >= 5
