"""New documents for a trained run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from atinuke_bench.data.inputs import as_words, text_of
from atinuke_bench.errors import DataError
from atinuke_bench.training.capabilities import NewInputs


class CorefInputs(NewInputs):
    """A document: its sentences and, where they are known, who speaks and what it is called."""

    fields = {  # noqa: RUF012
        "sentences": "a list of sentences, each a list of words or a text with spaces between them",
        "speakers": "who says each word, a list a sentence (optional)",
        "name": "the document's name, whose part before a slash is its genre (optional)",
    }
    example = {"sentences": ["Ada painted her house .", "She sold it ."]}  # noqa: RUF012

    def examples(self, record: Mapping[str, Any], key: str, options: Any) -> list[dict[str, Any]]:
        given = record.get("sentences")
        if not isinstance(given, list) or not given:
            raise DataError("must be a list of at least one sentence", field="sentences")
        sentences = [as_words(sentence, f"sentences[{number}]") for number, sentence in enumerate(given)]
        lengths = [len(sentence) for sentence in sentences]
        return [
            {
                "id": key,
                "name": text_of(record, "name") if "name" in record else "",
                "part": -1,
                "header": "",
                "words": [word for sentence in sentences for word in sentence],
                "sentence_lengths": lengths,
                "speakers": _speakers(record.get("speakers"), lengths),
                "pos": [],
                "clusters": [],
            }
        ]


def _speakers(given: Any, lengths: Sequence[int]) -> list[str]:
    """One speaker a word, or none at all; DataError."""
    if given is None:
        return []
    parts = given if isinstance(given, list) and all(isinstance(part, list) for part in given) else []
    speakers = [speaker for part in parts for speaker in part]
    if [len(part) for part in parts] != list(lengths) or not all(isinstance(speaker, str) for speaker in speakers):
        raise DataError("must be a text for each word of each sentence, a list a sentence", field="speakers")
    return speakers
