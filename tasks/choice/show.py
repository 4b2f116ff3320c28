"""The texts of an example and its choices, those marked that an answer takes."""

from __future__ import annotations

import json
from collections.abc import Callable

from atinuke_bench.metrics.display import Display, Example, Field, Mark, ShownAnswer


class ChoiceDisplay(Display):
    """Each choice is a field, by its number from 0.

    >>> example = {"context": "It rained.", "question": "", "choices": ["She got wet.", "She flew."]}
    >>> [field.name for field in ChoiceDisplay().fields(example)]
    ['context', 'choice 0', 'choice 1']
    """

    def fields(self, example: Example) -> list[Field]:
        texts = [Field(name, str(example[name])) for name in ("context", "question") if example[name]]
        return [*texts, *(Field(f"choice {number}", str(text)) for number, text in enumerate(example["choices"]))]

    def right(self, example: Example, gold: str) -> ShownAnswer:
        texts = [str(text) for text in json.loads(gold)]
        return ShownAnswer(" or ".join(texts), _marks(example, lambda number, text: text in texts))

    def answer(self, example: Example, prediction: str, gold: str) -> ShownAnswer:
        chosen = json.loads(prediction)
        return ShownAnswer(str(chosen["text"]), _marks(example, lambda number, text: number == chosen["choice"]))


def _marks(example: Example, is_taken: Callable[[int, str], bool]) -> tuple[Mark, ...]:
    taken = ((number, text) for number, text in enumerate(example["choices"]) if text and is_taken(number, text))
    return tuple(Mark(f"choice {number}", 0, len(text)) for number, text in taken)
