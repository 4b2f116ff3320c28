"""New questions with choices for a trained run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from atinuke_bench.data.inputs import excerpt, text_of
from atinuke_bench.errors import DataError
from atinuke_bench.training.capabilities import NewInputs

_TEXTS = {"context": "Ada's umbrella broke.", "question": "What happened next?"}


class ChoiceInputs(NewInputs):
    """The texts that the task has, and two choices or more."""

    def __init__(self, texts: tuple[str, ...]) -> None:
        self.texts = texts
        self.fields = {**dict.fromkeys(texts, "a text"), "choices": "a list of two texts or more"}
        self.example = {**{name: _TEXTS[name] for name in texts}, "choices": ["She got wet.", "She slept."]}

    def examples(self, record: Mapping[str, Any], key: str, options: Any) -> list[dict[str, Any]]:
        given = {name: text_of(record, name) for name in self.texts}
        choices = record.get("choices")
        is_texts = isinstance(choices, list) and all(isinstance(choice, str) for choice in choices)
        if not is_texts or len(choices or ()) < 2:
            raise DataError(f"must be a list of two texts or more; found {excerpt(choices)}", field="choices")
        return [{"id": key, "context": "", "question": "", **given, "choices": choices, "answers": [], "unit": ""}]
