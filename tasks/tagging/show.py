"""A sentence, and the tags of answers over its words: chunks where tags name them, else the tag of each word."""

from __future__ import annotations

import json

from atinuke_bench.metrics.display import Display, Example, Field, Mark, ShownAnswer, Words
from atinuke_bench.tasks.tagging.chunks import find_chunks

SENTENCE = "sentence"


class TagDisplay(Display):
    """The tag of each word; `O` is not shown."""

    def fields(self, example: Example) -> list[Field]:
        return [Field(SENTENCE, Words(example["words"]).text)]

    def right(self, example: Example, gold: str) -> ShownAnswer:
        words, tags = Words(example["words"]), [str(tag) for tag in json.loads(gold)]
        if len(tags) != len(words.words):
            raise ValueError(f"each word has one tag; found {len(tags)} for {len(words.words)} words")
        return self.shown(words, tags)

    def answer(self, example: Example, prediction: str, gold: str) -> ShownAnswer:
        return self.right(example, prediction)

    def shown(self, words: Words, tags: list[str]) -> ShownAnswer:
        """The tags in words, and as marks."""
        marks = (words.mark(SENTENCE, place, place, tag) for place, tag in enumerate(tags) if tag != "O")
        return ShownAnswer(" ".join(tags), tuple(marks))


class ChunkDisplay(TagDisplay):
    """The chunks that tags name, by their types.

    >>> ChunkDisplay().right({"words": ["Ada", "Lovelace", "ran"]}, '["B-PER", "I-PER", "O"]')
    ShownAnswer(text='PER: Ada Lovelace', marks=(Mark(field='sentence', start=0, end=12, label='PER', group=None),))
    """

    def shown(self, words: Words, tags: list[str]) -> ShownAnswer:
        numbers: dict[str, int] = {}
        found = find_chunks([tags], numbers)
        names = [name or "chunk" for name in numbers]
        spans = [*zip(found.start.tolist(), found.end.tolist(), found.kind.tolist(), strict=True)]
        marks: list[Mark] = [words.mark(SENTENCE, first, last, names[kind]) for first, last, kind in spans]
        text = "; ".join(f"{names[kind]}: {words.part(first, last)}" for first, last, kind in spans)
        return ShownAnswer(text or "no chunk", tuple(marks))
