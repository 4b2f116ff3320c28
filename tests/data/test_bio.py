"""BIO tags: lossless for spans side by side, precedence for others, decoding for any sequence."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from atinuke_bench.data.bio import BioTags, LabelledSpan, place_spans

quick = settings(max_examples=100, deadline=None)
LABELS = ("A0", "C-A0", "R-A0", "V")
TAGS = BioTags(LABELS)
NAMES = ("O", *(f"{prefix}-{label}" for label in LABELS for prefix in "BI"))


def decode_names(tags: Sequence[int]) -> list[LabelledSpan]:
    """The spans of any tags, by the rule of conlleval, one tag after another."""
    spans: list[LabelledSpan] = []
    label = ""
    for index, name in enumerate(NAMES[tag] for tag in tags):
        if name == "O":
            label = ""
        elif name.startswith("I-") and name[2:] == label:
            spans[-1] = (spans[-1][0], index, label)
        else:
            label = name[2:]
            spans.append((index, index, label))
    return spans


def decode(tags: ArrayLike) -> list[LabelledSpan]:
    return TAGS.decode_batch(np.array([tags], dtype=int), [np.size(tags)])[0]


@st.composite
def side_by_side(draw: st.DrawFn) -> tuple[list[LabelledSpan], int]:
    """Spans that do not overlap, touching ones of equal label included, and the number of words."""
    spans, word = [], 0
    for _ in range(draw(st.integers(0, 5))):
        start = word + draw(st.integers(0, 2))
        end = start + draw(st.integers(0, 3))
        spans.append((start, end, draw(st.sampled_from(LABELS))))
        word = end + 1
    return spans, word + draw(st.integers(0, 2))


@quick
@given(side_by_side())
def test_spans_side_by_side_come_back(drawn: tuple[list[LabelledSpan], int]) -> None:
    spans, num_words = drawn
    numbers, left_out = TAGS.encode(spans, num_words)
    assert decode_names(numbers.tolist()) == spans
    assert decode(numbers) == spans
    assert left_out == []


@quick
@given(st.lists(st.lists(st.integers(0, TAGS.num_tags - 1), max_size=9), min_size=1, max_size=4))
def test_any_tags_decode_alike_alone_and_in_a_batch(rows: list[list[int]]) -> None:
    padded = np.full((len(rows), max(map(len, rows))), 1)
    for row, tags in enumerate(rows):
        padded[row, : len(tags)] = tags
    spans = [decode_names(tags) for tags in rows]
    assert TAGS.decode_batch(padded, [len(tags) for tags in rows]) == spans
    assert [decode(tags) for tags in rows] == spans


@quick
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.sampled_from(LABELS)), max_size=6))
def test_overlapping_spans_are_placed_or_dropped(drawn: list[LabelledSpan]) -> None:
    spans = [(min(a, b), max(a, b), label) for a, b, label in drawn]
    placed, dropped = place_spans(spans)
    assert sorted(placed + dropped) == sorted(spans)
    assert all(one[1] < other[0] for one, other in itertools.pairwise(placed))
    assert all(any(a <= end and start <= b for a, b, _ in placed) for start, end, _ in dropped)
    assert decode_names(TAGS.encode(spans, 10)[0].tolist()) == placed


def test_the_predicate_keeps_its_word_and_the_outer_span_wins() -> None:
    spans = [(0, 5, "A0"), (2, 2, "V"), (6, 9, "A0"), (7, 7, "R-A0"), (8, 11, "C-A0")]
    assert place_spans(spans) == ([(2, 2, "V"), (6, 9, "A0")], [(0, 5, "A0"), (7, 7, "R-A0"), (8, 11, "C-A0")])


def test_unknown_labels_are_left_out_and_named() -> None:
    numbers, left_out = TAGS.encode([(0, 1, "A9"), (1, 1, "V")], 2)
    assert (numbers.tolist(), left_out) == ([0, 7], [(0, 1, "A9")])


def test_a_span_outside_the_sentence_is_a_bug() -> None:
    with pytest.raises(AssertionError, match=r"span \(1, 2\) in a sentence of 2 words"):
        TAGS.encode([(1, 2, "V")], 2)


def test_no_labels_and_no_words() -> None:
    empty = BioTags(())
    assert empty.num_tags == 1
    assert empty.decode_batch(np.zeros((2, 0), dtype=int), [0, 0]) == [[], []]
    assert empty.encode([], 0)[0].shape == (0,)
