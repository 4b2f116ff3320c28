"""New sentences for a trained labeller of semantic roles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from atinuke_bench.data.inputs import place_of, words_of
from atinuke_bench.training.capabilities import NewInputs


class SrlInputs(NewInputs):
    """A sentence with one predicate or several; each predicate is an example."""

    fields = {  # noqa: RUF012
        "words": "a list of words, or a text with spaces between them",
        "predicate": "the number of the predicate's word, from 0, or a list of such numbers",
    }
    example = {"words": "Ada gave Ben a book .", "predicate": 1}  # noqa: RUF012

    def examples(self, record: Mapping[str, Any], key: str, options: Any) -> list[dict[str, Any]]:
        words = words_of(record, "words")
        asked = record.get("predicate")
        numbers = asked if isinstance(asked, list) and asked else [asked]
        places = [place_of(number, "predicate", len(words)) for number in numbers]
        return [
            {
                "id": f"{key}-{number}",
                "sentence": key,
                "document": "",
                "words": words,
                "lemma": words[place],
                "predicate": place,
                "starts": [],
                "ends": [],
                "roles": [],
            }
            for number, place in enumerate(places)
        ]

    def answer(self, record: Mapping[str, Any], stored: list[Any]) -> Any:
        return stored if isinstance(record["predicate"], list) else stored[0]
