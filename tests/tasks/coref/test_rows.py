"""Columns of a document: what words alone say."""

from __future__ import annotations

from atinuke_bench.tasks.coref.lexicon import head_index
from atinuke_bench.tasks.coref.rows import genre_id, lexical_columns


def test_the_head_of_a_span_is_that_of_the_rules():
    text = "the old margin of the river , which Anna and her mother 's friend knew"
    words = text.split()
    limits = lexical_columns([words])["head_limit"]
    for start in range(len(words)):
        for end in range(start, len(words)):
            assert min(limits[start], end) == start + head_index(words[start : end + 1])


def test_genres_are_those_of_ontonotes():
    assert [genre_id(genre) for genre in ("bc", "wb", "litbank", None)] == [1, 7, 0, 0]
