"""Choices, those marked that an answer takes."""

from __future__ import annotations

from atinuke_bench.registry import declared_metric

EXAMPLE = {"context": "It rained.", "question": "What then?", "choices": ["She got wet.", "She flew.", "She got wet."]}


def test_the_choice_is_marked_and_so_is_every_right_one():
    display = declared_metric("multiple-choice", "accuracy").display
    names = [field.name for field in display.fields(EXAMPLE)]
    assert names == ["context", "question", "choice 0", "choice 1", "choice 2"]
    answer = display.answer(EXAMPLE, '{"choice": 1, "text": "She flew."}', "[]")
    assert (answer.text, [(mark.field, mark.end) for mark in answer.marks]) == ("She flew.", [("choice 1", 9)])
    right = display.right(EXAMPLE, '["She got wet."]')
    assert [mark.field for mark in right.marks] == ["choice 0", "choice 2"]


def test_record_is_shown_alike():
    display = declared_metric("multiple-choice", "f1_and_exact_match").display
    assert display.right(EXAMPLE, '["She flew."]').marks[0].field == "choice 1"
