"""Mentions of a document by the clusters that they are in."""

from __future__ import annotations

from atinuke_bench.registry import load_metric

DISPLAY = load_metric("coref", "conll_f1").display
WORDS = ["Ada", "met", "Ben", ".", "She", "saw", "him", "and", "his", "dog", "."]
EXAMPLE = {"words": WORDS, "sentence_lengths": [4, 7]}
GOLD = "[[[2, 2], [6, 6], [8, 8]], [[0, 0], [4, 4]]]"


def _labels(shown):
    (field,) = DISPLAY.fields(EXAMPLE)
    return [(field.text[mark.start : mark.end], mark.label) for mark in shown.marks]


def test_right_clusters_are_numbered_in_the_order_of_their_first_mentions():
    (field,) = DISPLAY.fields(EXAMPLE)
    assert [field.text[start : start + 3] for start in field.sentences] == ["Ada", "She"]
    shown = DISPLAY.right(EXAMPLE, GOLD)
    assert _labels(shown) == [("Ada", "1"), ("She", "1"), ("Ben", "2"), ("him", "2"), ("his", "2")]
    assert shown.text == "1: Ada (2); 2: Ben (3)"


def test_a_found_cluster_has_the_number_of_the_right_one_that_it_shares_most_with():
    # Of the two that share mentions with cluster 2, one shares more; the other, and one that is all new, are marked so.
    found = "[[[0, 0], [8, 8]], [[6, 6], [2, 2], [4, 4]], [[8, 9], [9, 9]]]"
    shown = DISPLAY.answer(EXAMPLE, found, GOLD)
    assert _labels(shown) == [
        ("Ada", "1"), ("his", "1"), ("Ben", "2"), ("She", "2"), ("him", "2"), ("his dog", "+9"), ("dog", "+9"),
    ]  # fmt: skip
    assert len({mark.group for mark in shown.marks}) == 3
    assert DISPLAY.answer(EXAMPLE, "[]", GOLD).text == "no cluster"
