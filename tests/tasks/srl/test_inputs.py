"""New sentences as examples: one for each predicate that is asked about."""

from __future__ import annotations

from typing import Any

import pytest

from atinuke_bench.errors import DataError
from atinuke_bench.tasks.srl.data import FEATURES
from atinuke_bench.tasks.srl.inputs import SrlInputs


def test_every_predicate_asked_about_is_an_example() -> None:
    record = {"words": "Ada sees Ben run", "predicate": [1, 3]}
    examples = SrlInputs().examples(record, "7", None)
    assert [set(example) for example in examples] == [set(FEATURES)] * 2
    assert [(example["id"], example["lemma"], example["predicate"]) for example in examples] == [
        ("7-0", "sees", 1),
        ("7-1", "run", 3),
    ]
    assert SrlInputs().answer(record, ["first", "second"]) == ["first", "second"]
    assert SrlInputs().answer({**record, "predicate": 1}, ["first"]) == "first"


@pytest.mark.parametrize("asked", [None, [], 4, -1, [1, 4], "1", True])
def test_what_is_no_word_of_the_sentence_is_refused(asked: Any) -> None:
    with pytest.raises(DataError, match="predicate: must be the number of a word, 0 to 3"):
        SrlInputs().examples({"words": "Ada sees Ben run", "predicate": asked}, "1", None)
