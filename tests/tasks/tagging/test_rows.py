"""Every word is learned and answered once, however long its sentence is."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from atinuke_bench.data.features import Encoded, Ragged
from atinuke_bench.data.tokenizer import SpecialTokens
from atinuke_bench.tasks.tagging.decode import join_rows
from atinuke_bench.tasks.tagging.rows import rows_of
from atinuke_bench.tasks.tagging.tagset import IGNORED

SPECIALS = SpecialTokens(1, 2, 1, 3, 4)


def make(lengths, max_length):
    pieces = [[10 + number] * length for number, length in enumerate(lengths)]
    return rows_of(pieces, list(range(len(lengths))), max_length, SPECIALS)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=60), st.integers(3, 24))
def test_each_word_has_one_row(lengths, max_length):
    rows = make(lengths, max_length)
    assert [word for row in rows for word in range(*row.own)] == list(range(len(lengths)))
    assert [target for row in rows for target in row.targets if target != IGNORED] == list(range(len(lengths)))
    for row in rows:
        assert len(row.input_ids) == len(row.word) <= max_length
        assert (row.input_ids[0], row.input_ids[-1], row.word[0], row.word[-1]) == (1, 2, -1, -1)
        assert max(row.word) + 1 == len(row.targets)
        for token, word in zip(row.input_ids[1:-1], row.word[1:-1], strict=True):
            assert token == 10 + row.first_word + word


def test_a_sentence_that_fits_is_one_row():
    (row,) = make([1, 2, 1], 6)
    assert (row.input_ids, row.word, row.own) == ([1, 10, 11, 11, 12, 2], [-1, 0, 1, 1, 2, -1], (0, 3))


def test_words_of_a_long_sentence_have_neighbours():
    rows = make([1] * 40, 10)
    for row in rows:
        first, end = row.first_word, row.first_word + len(row.targets)
        assert row.own[0] == 0 or row.own[0] - first >= 2
        assert row.own[1] == 40 or end - row.own[1] >= 2


def test_rows_are_joined_in_any_order():
    rows = make([1] * 20, 10)
    fixed = {
        "first_word": [row.first_word for row in rows],
        "own_begin": [row.own[0] for row in rows],
        "own_end": [row.own[1] for row in rows],
    }
    encoded = Encoded(
        {"input_ids": Ragged.from_rows([row.input_ids for row in rows])},
        np.zeros(len(rows), dtype=np.int64),
        {name: np.array(column) for name, column in fixed.items()},
    )
    # Each row says the number of the word, and nonsense of words that are another's.
    outputs = [
        {
            "rows": np.array([number]),
            "tags": np.array([[place if place in range(*row.own) else 99 for place in range(row.first_word, 20)]]),
        }
        for number, row in reversed(list(enumerate(rows)))
    ]
    (numbers,) = join_rows(outputs, encoded, 1)
    assert numbers.tolist() == list(range(20))
