"""Answers at their places in the text."""

from __future__ import annotations

import pytest

from atinuke_bench.registry import load_metric

DISPLAY = load_metric("squad-v2.0", "f1").display
CONTEXT = "Ben ran. Ada saw Rome (in May). Ada left."
EXAMPLE = {
    "question": "Who saw Rome?",
    "context": CONTEXT,
    "answers": {"text": ["Ada", "Ada", "then Ada"], "answer_start": [32, 32, 400]},
}


def _marked(shown):
    return [(mark.start, CONTEXT[mark.start : mark.end]) for mark in shown.marks]


def test_right_answers_are_where_the_data_says():
    shown = DISPLAY.right(EXAMPLE, '["Ada", "then Ada"]')
    assert shown.text == "Ada or then Ada"
    assert _marked(shown) == [(32, "Ada")]


@pytest.mark.parametrize(
    ("prediction", "text", "marked"),
    [
        ("Ada", "Ada (one of 2 places)", [(32, "Ada")]),
        ("Rome (in", "Rome (in", [(17, "Rome (in")]),
        ("a", "a (one of 5 places)", [(34, "a")]),
        ("Cleo", "Cleo", []),
        ("", "no answer", []),
    ],
)
def test_an_answer_is_where_its_text_is(prediction, text, marked):
    shown = DISPLAY.answer(EXAMPLE, prediction, '["Ada"]')
    assert shown.text == text
    assert _marked(shown) == marked


def test_a_question_without_an_answer_says_so():
    assert DISPLAY.right({**EXAMPLE, "answers": {"text": [], "answer_start": []}}, "[]").text == "no answer"
