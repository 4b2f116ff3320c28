"""New texts for a trained run of a declared task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from atinuke_bench.data.inputs import text_of
from atinuke_bench.errors import DataError, nearest
from atinuke_bench.sentences.data import SentenceInputs
from atinuke_bench.tasks.texts.data import TextData, text_fields


class TextInputs(SentenceInputs):
    """One text, or two, under the names that the declaration has for them, or those that the data has."""

    def __init__(self, data: TextData) -> None:
        super().__init__(data)
        self.columns, self.plain_fields = data.text_columns, text_fields(data.declaration)
        self.named = {name: str(theirs) for name, theirs in data.declaration.fields.items()}
        self.fields = dict.fromkeys(self.plain_fields, "a text")
        self.quotes = data.declaration.quotes
        self.example = dict(zip(self.plain_fields, self.example.values(), strict=True))

    def column_names(self) -> dict[str, tuple[str, ...]]:
        return {name: tuple(dict.fromkeys((name, self.named.get(name, name)))) for name in self.plain_fields}

    def examples(self, record: Mapping[str, Any], key: str, options: Any) -> list[dict[str, Any]]:
        texts = {}
        for column, name in zip(self.columns, self.plain_fields, strict=True):
            theirs = self.named.get(name, name)
            if name not in record and theirs not in record and theirs != name:
                near = nearest(name, record) or nearest(theirs, record)
                hint = f"; nearest: {near!r}" if near else f"; found {', '.join(map(repr, record)) or 'no field'}"
                raise DataError(f"missing, and so is {theirs!r}, as the task's data calls it{hint}", field=name)
            texts[column] = text_of(record, name if name in record else theirs)
        return [{"id": key, **texts, "label": self.unknown, "unit": ""}]
