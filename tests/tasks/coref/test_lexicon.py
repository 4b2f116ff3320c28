"""What words say by themselves: types and heads of mentions."""

from __future__ import annotations

import pytest

from atinuke_bench.tasks.coref.lexicon import head_index, mention_type


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("herself", "pronoun"),
        ("everybody", "pronoun"),
        ("Sir Walter Elliot , of Kellynch Hall", "name"),
        ("the Thames", "name"),
        ("the King who ruled", "name"),
        ("London 's streets", "nominal"),
        ("the house of the Lord", "nominal"),
        ("her own mother", "nominal"),
        ("Men", "name"),  # words alone cannot tell it from a name
    ],
)
def test_mention_types_from_words(words, expected):
    assert mention_type(words.split()) == expected


def test_mention_types_from_tags_where_there_are_any():
    assert mention_type(["Men"], ["NNS"]) == "nominal"
    assert mention_type(["the", "iphone"], ["DT", "NNP"]) == "name"
    assert mention_type(["This"], ["DT"]) == "pronoun"
    assert mention_type(["Anna"], ["-"]) == "name"


def test_the_head_is_never_before_the_mention():
    assert head_index(["of"]) == 0
    assert head_index([",", ","]) == 0
