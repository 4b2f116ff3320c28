"""A sentence with its predicate, and the arguments of answers as spans of it."""

from __future__ import annotations

import json

from atinuke_bench.metrics.display import Display, Example, Field, ShownAnswer, Words

SENTENCE = "sentence"


class SrlDisplay(Display):
    """The predicate is marked as given, arguments by their roles.

    >>> example = {"words": ["Ada", "saw", "the", "sea"], "predicate": 1}
    >>> SrlDisplay().right(example, '[[0, 0, "A0"], [2, 3, "A1"]]').text
    'A0: Ada; A1: the sea'
    """

    def fields(self, example: Example) -> list[Field]:
        words, at = Words(example["words"]), example["predicate"]
        return [Field(SENTENCE, words.text, given=(words.mark(SENTENCE, at, at, "predicate"),))]

    def right(self, example: Example, gold: str) -> ShownAnswer:
        words = Words(example["words"])
        spans = [(start, end, str(role)) for start, end, role in json.loads(gold)]
        text = "; ".join(f"{role}: {words.part(start, end)}" for start, end, role in spans)
        return ShownAnswer(text or "no argument", tuple(words.mark(SENTENCE, *span) for span in spans))

    def answer(self, example: Example, prediction: str, gold: str) -> ShownAnswer:
        return self.right(example, prediction)
