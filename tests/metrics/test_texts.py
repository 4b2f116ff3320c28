"""Answers compared as SQuAD's scripts compare them."""

from __future__ import annotations

import pytest

from atinuke_bench.metrics.texts import normalize_answer, token_f1


@pytest.mark.parametrize(
    ("text", "normalized"),
    [
        ("The  Theatre\tof an Anthem.", "theatre of anthem"),
        ("a-b", "ab"),
        ("“quoted”", "“quoted”"),  # only ASCII punctuation goes
        ("U.S.A.", "usa"),
        ("the", ""),
        ("the_a", "thea"),
        ("Ünïcode a\u00a0b", "ünïcode b"),
    ],
)
def test_normalization(text, normalized):
    assert normalize_answer(text) == normalized


def test_f1_counts_repeated_words_once_per_occurrence():
    assert token_f1("new new york", "new york york") == pytest.approx(2 / 3)
    assert token_f1("boston", "new york") == 0.0
