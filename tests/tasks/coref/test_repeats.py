"""Mentions that are twice in one cluster or in two: what the official scorer counts and what it drops."""

from __future__ import annotations

import pytest

from atinuke_bench.errors import DataError
from atinuke_bench.tasks.coref.scorer import (
    NAMES,
    Score,
    count_document,
    count_documents,
    printed_scores,
    scores,
    total,
)


def letters(*clusters: str) -> list[list[str]]:
    """Clusters of one-letter mentions."""
    return [list(cluster) for cluster in clusters]


# Recorded from scorer.pl v8.01 (LEA worked out by hand from its authors' script), as (recall, precision, F1).
REPEATED: dict[str, tuple[list, list, dict[str, tuple[float, float, float]]]] = {
    "a key mention in two clusters": (
        letters("ab", "bc"),
        letters("ab"),
        {
            "muc": (0, 0, 0),
            "bcub": (37.5, 75, 50),
            "ceafm": (50, 100, 66.66),
            "ceafe": (50, 100, 66.66),
            "blanc": (25, 50, 33.33),
            "lea": (50, 0, 0),
            "mentions": (66.66, 100, 80),
        },
    ),
    "a key mention twice in one cluster": (
        letters("aab", "c"),
        letters("ab", "cd"),
        {
            "muc": (50, 50, 50),
            "bcub": (58.33, 62.5, 60.34),
            "ceafm": (100, 100, 100),
            "ceafe": (93.33, 93.33, 93.33),
            "blanc": (75, 50, 58.33),
            "lea": (75, 50, 60),
            "mentions": (100, 75, 85.71),
        },
    ),
    "a response mention in two clusters": (
        letters("ab", "cd"),
        letters("ab", "bcd"),
        dict.fromkeys(NAMES, (100, 100, 100)),
    ),
    "a response mention twice in one cluster": (
        letters("ab", "cd"),
        letters("aab", "cd"),
        dict.fromkeys(NAMES, (100, 100, 100)),
    ),
    "a response mention twice that the key lacks": (
        letters("ab", "cd"),
        letters("abx", "cdx"),
        {
            "muc": (100, 50, 66.66),
            "bcub": (100, 44.44, 61.53),
            "ceafm": (100, 66.66, 80),
            "ceafe": (80, 80, 80),
            "blanc": (100, 38.88, 55.76),
            "lea": (100, 33.33, 50),
            "mentions": (100, 80, 88.88),
        },
    ),
    "a response cluster of repeats alone": (
        letters("ab", "cd"),
        letters("ab", "a", "cd"),
        dict.fromkeys(NAMES, (100, 100, 100)),
    ),
}


@pytest.mark.parametrize("case", REPEATED)
def test_repeated_mentions_score_as_in_the_official_scorer(case):
    key, response, expected = REPEATED[case]
    result = printed_scores(count_document(key, response))
    for name, values in expected.items():
        assert getattr(result, name) == Score(*map(float, values)), name


def test_more_repeats_than_the_official_scorer_drops_are_refused():
    key = {name: letters("abcdef") for name in ("d1", "d2")}
    ten, eleven = letters("abcdef", "abcde"), letters("abcdef", "abcdef")
    assert scores(total(count_documents(key, {"d1": ten, "d2": ten}).values())).conll_f1 == 100
    with pytest.raises(DataError, match=r"drops up to 10 repeated .* found 11, the first is mention 'a' in .* 'd1'"):
        count_documents(key, {"d1": ten, "d2": eleven})
    assert count_document(letters("g"), letters("abcdef", "abcdef")).mentions == (0, 1, 0, 6)  # none that the key has
