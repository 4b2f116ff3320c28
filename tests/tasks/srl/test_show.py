"""Arguments over the words of their sentence."""

from __future__ import annotations

import pytest

from atinuke_bench.metrics.display import Mark
from atinuke_bench.registry import load_metric

DISPLAY = load_metric("srl", "f1").display
EXAMPLE = {"words": ["Ada", "saw", "the", "sea", "today"], "predicate": 1, "lemma": "see"}


def test_arguments_are_spans_of_the_sentence_and_the_predicate_is_given():
    (field,) = DISPLAY.fields(EXAMPLE)
    assert field.text == "Ada saw the sea today"
    assert field.given == (Mark("sentence", 4, 7, "predicate"),)
    shown = DISPLAY.answer(EXAMPLE, '[[0, 0, "A0"], [2, 3, "A1"], [4, 4, "AM-TMP"]]', "[]")
    assert [(field.text[mark.start : mark.end], mark.label) for mark in shown.marks] == [
        ("Ada", "A0"),
        ("the sea", "A1"),
        ("today", "AM-TMP"),
    ]
    assert shown.text == "A0: Ada; A1: the sea; AM-TMP: today"


def test_nothing_found_is_said():
    assert DISPLAY.right(EXAMPLE, "[]").text == "no argument"


@pytest.mark.parametrize(
    "stored", ['[[0, 9, "A0"]]', '[[-1, 0, "A0"]]', '[[3, 2, "A0"]]', "[1]", "{", '[["a", 0, "A0"]]']
)
def test_spans_of_other_sentences_are_refused(stored):
    with pytest.raises((ValueError, TypeError)):
        DISPLAY.right(EXAMPLE, stored)
