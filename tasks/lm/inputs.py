"""New texts for a language model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from atinuke_bench.data.inputs import text_of
from atinuke_bench.training.capabilities import NewInputs


class LmInputs(NewInputs):
    """A text each; those that are read together are one stream, as the documents of a split are."""

    fields: Mapping[str, str] = {"text": "a text"}
    plain_fields = ("text",)
    example: Mapping[str, Any] = {"text": "Ada went to the market."}

    def examples(self, record: Mapping[str, Any], key: str, options: Any) -> list[dict[str, Any]]:
        return [{"id": key, "text": text_of(record, "text")}]
