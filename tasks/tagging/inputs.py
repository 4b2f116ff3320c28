"""New sentences for a trained tagger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from atinuke_bench.data.inputs import words_of
from atinuke_bench.training.capabilities import NewInputs


class TaggingInputs(NewInputs):
    """A sentence, as words."""

    plain_fields = ("words",)
    fields = {"words": "a list of words, or a text with spaces between them"}  # noqa: RUF012
    example = {"words": "Ada Lovelace lived in London ."}  # noqa: RUF012

    def examples(self, record: Mapping[str, Any], key: str, options: Any) -> list[dict[str, Any]]:
        words = words_of(record, "words")
        return [{"id": key, "document": "", "group": key, "words": words, "tags": [], "seen": []}]
