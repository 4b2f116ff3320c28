"""Slices of SQuAD questions: each rule on cases that could go either way."""

import pytest

from atinuke_bench.tasks.squad.scores import ExampleScore
from atinuke_bench.tasks.squad.slices import (
    answer_length,
    answer_position,
    answer_type,
    context_length,
    question_word,
    slice_scores,
)


@pytest.mark.parametrize(
    ("question", "word"),
    [
        ("What is it?", "what"),
        ("To whom did he write when old?", "who"),
        ("How many?", "how"),
        ("Whatever is it?", "other"),
        ("In WHICH year?", "which"),
    ],
)
def test_question_word(question, word):
    assert question_word(question) == word


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("8 February 2007", "date"),
        ("the 1990s", "date"),
        ("19th century", "date"),
        ("May", "date"),
        ("may fail", "other"),
        ("1,500", "number"),
        ("$2000", "number"),
        ("the 23", "number"),
        ("four", "number"),
        ("20–18", "number"),
        ("Bank of America", "name"),
        ("the national anthem", "other"),
        ("…", "other"),
    ],
)
def test_answer_type(text, kind):
    assert answer_type([text, "ignored 1999"]) == kind


def test_length_buckets():
    lengths = (0, 1, 2, 3, 5, 6, 10, 11)
    texts = [["w " * length] if length else [] for length in lengths]
    assert [answer_length(text) for text in texts] == ["0", "1", "2", "3-5", "3-5", "6-10", "6-10", "11+"]
    assert [context_length("w " * length) for length in (1, 100, 101, 200, 201)] == [
        *("1-100", "1-100", "101-150", "151-200", "201+")
    ]


def _num(part: dict[str, float | None]) -> float:
    assert part["num"] is not None
    return part["num"]


def test_slices_partition_the_questions():
    scores = [ExampleScore(1, 1.0), ExampleScore(0, 0.5), ExampleScore(0, 0.0)]
    slices = slice_scores(scores, ["Who?", "When?", "Who?"], ["c"] * 3, [["Ada"], ["1999"], []], [[0], [0], []])
    assert slices["question_word"] == {
        "who": {"num": 2, "exact": 50.0, "f1": 50.0},
        "when": {"num": 1, "exact": 0.0, "f1": 50.0},
    }
    assert list(slices["answer_type"]) == ["none", "date", "name"]
    positions = slices.pop("answer position in words")
    assert positions == {"0-24": {"num": 2, "exact": 50.0, "f1": 75.0}}, "an unanswerable question has no position"
    assert all(sum(map(_num, parts.values())) == 3 for parts in slices.values())


def test_the_position_of_an_answer_is_the_number_of_words_before_it():
    context = " ".join(f"w{number}" for number in range(300))
    found = {number: answer_position(context, [context.index(f"w{number} ")]) for number in (0, 24, 25, 99, 100, 200)}
    assert found == {0: "0-24", 24: "0-24", 25: "25-49", 99: "50-99", 100: "100-199", 200: "200+"}
