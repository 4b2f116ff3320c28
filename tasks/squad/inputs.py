"""New questions for a trained run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from atinuke_bench.data.inputs import text_of
from atinuke_bench.training.capabilities import NewInputs


class SquadInputs(NewInputs):
    """A question and its text; `beside` gives what further columns hold."""

    fields: Mapping[str, str] = {"question": "a text", "context": "the text that may answer it"}
    plain_fields = ("question", "context")
    example: Mapping[str, Any] = {"question": "Where was Ada born?", "context": "Ada was born in London, in 1815."}

    def __init__(self, **beside: Any) -> None:
        self.beside = beside

    def examples(self, record: Mapping[str, Any], key: str, options: Any) -> list[dict[str, Any]]:
        texts = {name: text_of(record, name) for name in self.fields}
        return [{"id": key, "title": "", **texts, "answers": {"text": [], "answer_start": []}, **self.beside}]
