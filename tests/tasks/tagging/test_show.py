"""Tags over the words of a sentence."""

from __future__ import annotations

import pytest

from atinuke_bench.registry import declared_metric

EXAMPLE = {"words": ["Ada", "Lovelace", "saw", "Rome"]}


def test_chunks_are_spans_with_their_types():
    display = declared_metric("tagging", "seqeval_f1").display
    (field,) = display.fields(EXAMPLE)
    shown = display.answer(EXAMPLE, '["B-PER", "I-PER", "O", "B-LOC"]', "[]")
    assert [(field.text[one.start : one.end], one.label) for one in shown.marks] == [
        ("Ada Lovelace", "PER"),
        ("Rome", "LOC"),
    ]
    assert display.right(EXAMPLE, '["O", "O", "O", "O"]').text == "no chunk"


def test_other_tags_are_of_single_words():
    display = declared_metric("tagging", "accuracy").display
    shown = display.right(EXAMPLE, '["NOUN", "NOUN", "VERB", "O"]')
    assert [(one.start, one.label) for one in shown.marks] == [(0, "NOUN"), (4, "NOUN"), (13, "VERB")]
    with pytest.raises(ValueError, match="found 1 for 4 words"):
        display.right(EXAMPLE, '["NOUN"]')
