"""New texts for a trained run of a declared task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from atinuke_bench.data.inputs import text_of
from atinuke_bench.sentences.data import SentenceInputs
from atinuke_bench.tasks.texts.data import TextData, text_fields


class TextInputs(SentenceInputs):
    """One text, or two, under the names that the declaration has for them."""

    def __init__(self, data: TextData) -> None:
        super().__init__(data)
        self.columns, self.plain_fields = data.text_columns, text_fields(data.declaration)
        self.fields = dict.fromkeys(self.plain_fields, "a text")
        self.example = dict(zip(self.plain_fields, self.example.values(), strict=True))

    def examples(self, record: Mapping[str, Any], key: str, options: Any) -> list[dict[str, Any]]:
        texts = {column: text_of(record, name) for column, name in zip(self.columns, self.plain_fields, strict=True)}
        return [{"id": key, **texts, "label": self.unknown, "unit": ""}]
