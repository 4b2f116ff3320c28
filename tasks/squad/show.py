"""A question, its text, and where the text has the answers."""

from __future__ import annotations

import json
import re

from atinuke_bench.metrics.display import Display, Example, Field, Mark, ShownAnswer

CONTEXT = "context"
_NO_ANSWER = "no answer"


class SquadDisplay(Display):
    """Right answers are marked where the data says; an answer where its text is, at a right answer's place if it can.

    >>> example = {"question": "Who?", "context": "Ada or Ada?", "answers": {"text": ["Ada"], "answer_start": [7]}}
    >>> SquadDisplay().answer(example, "Ada", '["Ada"]')
    ShownAnswer(text='Ada (one of 2 places)', marks=(Mark(field='context', start=7, end=10, label='', group=None),))
    """

    def fields(self, example: Example) -> list[Field]:
        return [Field(name, str(example[name])) for name in ("question", CONTEXT)]

    def right(self, example: Example, gold: str) -> ShownAnswer:
        texts = [str(text) for text in json.loads(gold)]
        marks = tuple(Mark(CONTEXT, *place) for place in _gold_places(example))
        return ShownAnswer(" or ".join(texts) or _NO_ANSWER, marks)

    def answer(self, example: Example, prediction: str, gold: str) -> ShownAnswer:
        if not prediction:
            return ShownAnswer(_NO_ANSWER)
        found = [match.span() for match in re.finditer(re.escape(prediction), example[CONTEXT])]
        if not found:
            return ShownAnswer(prediction)
        right = _gold_places(example)
        near = [place for place in found if any(place[0] < end and start < place[1] for start, end in right)]
        text = prediction if len(found) == 1 else f"{prediction} (one of {len(found)} places)"
        return ShownAnswer(text, (Mark(CONTEXT, *(near or found)[0]),))


def _gold_places(example: Example) -> list[tuple[int, int]]:
    answers = example["answers"]
    pairs = dict.fromkeys(zip(answers["answer_start"], answers["text"], strict=True))
    places = ((start, start + len(text)) for start, text in pairs if start >= 0)
    return [place for place in places if place[1] <= len(example[CONTEXT])]
