"""SQuAD scores against the official scripts' output, and the edge cases in which they differ from intuition."""

import json
import os
from pathlib import Path

import pytest

from atinuke_bench.errors import DataError
from atinuke_bench.tasks.squad.files import read_predictions, read_squad, references
from atinuke_bench.tasks.squad.metric import (
    ExampleScore,
    best_threshold,
    examples_v1,
    examples_v2,
    normalize_answer,
    squad_v1,
    squad_v2,
    token_f1,
)
from atinuke_bench.tasks.squad.slices import answer_length, answer_type, context_length, question_word, slice_scores


@pytest.fixture
def data_folder():
    folder = os.environ.get("ATINUKE_DATA")
    if not folder:
        pytest.skip("ATINUKE_DATA is not set")
    return Path(folder)


def expected(folder, name):
    return json.loads((folder / "parity" / "squad" / f"{name}.expected.json").read_text())


@pytest.mark.data
@pytest.mark.parametrize("system", ["bert", "logistic-regression"])
def test_v1_equals_the_official_script(data_folder, system):
    gold = references(read_squad(data_folder / "squad/v1.1/dev-v1.1.json", unanswerable=False))
    predictions = read_predictions(data_folder / f"parity/squad/v1.1-{system}.predictions.json")
    assert squad_v1(gold, predictions) == expected(data_folder, f"v1.1-{system}")


@pytest.mark.data
def test_v2_equals_the_official_script(data_folder):
    gold = references(read_squad(data_folder / "parity/squad/v2.0-gold.json", unanswerable=True))
    predictions = read_predictions(data_folder / "parity/squad/v2.0-bert.predictions.json")
    assert squad_v2(gold, predictions) == expected(data_folder, "v2.0-bert")


@pytest.mark.parametrize(
    ("text", "normalized"),
    [
        ("The  Theatre\tof an Anthem.", "theatre of anthem"),
        ("a-b", "ab"),
        ("“quoted”", "“quoted”"),  # only ASCII punctuation goes
        ("U.S.A.", "usa"),
        ("the", ""),
        ("the_a", "thea"),
        ("Ünïcode a\u00a0b", "ünïcode b"),
    ],
)
def test_normalization(text, normalized):
    assert normalize_answer(text) == normalized


def test_f1_counts_repeated_words_once_per_occurrence():
    assert token_f1("new new york", "new york york") == pytest.approx(2 / 3)
    assert token_f1("boston", "new york") == 0.0


def test_v1_takes_the_best_reference_and_counts_the_unanswered():
    gold = {"q1": ["1999", "in late 1999"], "q2": ["Denver"]}
    assert examples_v1(gold, {"q1": "late 1999"}) == {"q1": ExampleScore(0, 0.8), "q2": ExampleScore(0, 0.0)}
    assert squad_v1(gold, {"q1": "1999", "unknown": "x"}) == {"exact_match": 50.0, "f1": 50.0}


def test_v1_refuses_unanswerable_questions_and_nothing():
    with pytest.raises(DataError, match=r"question 'q1' has no reference answer; score it as squad-v2\.0"):
        squad_v1({"q1": []}, {"q1": "x"})
    with pytest.raises(DataError, match="no questions to score"):
        squad_v1({}, {})


def test_v2_empty_answers():
    gold = {"q1": [], "q2": ["Denver"], "q3": ["the"]}
    # A reference that normalises to nothing makes the question unanswerable for scoring, but HasAns for grouping.
    assert examples_v2(gold, {"q1": "the", "q2": "", "q3": ""}) == {
        "q1": ExampleScore(1, 1.0),
        "q2": ExampleScore(0, 0.0),
        "q3": ExampleScore(1, 1.0),
    }
    scores = squad_v2(gold, {"q1": "", "q2": "", "q3": ""})
    assert (scores["HasAns_exact"], scores["HasAns_total"], scores["NoAns_exact"]) == (50.0, 2, 100.0)


def test_v2_leaves_out_groups_without_questions():
    assert list(squad_v2({"q1": ["x"]}, {"q1": "x"})) == [
        *("exact", "f1", "total", "HasAns_exact", "HasAns_f1", "HasAns_total")
    ]


def test_v2_needs_every_prediction_and_odds():
    gold = {"q1": ["x"], "q2": []}
    with pytest.raises(DataError, match="1 of 2 questions have no prediction, first 'q2'"):
        squad_v2(gold, {"q1": "x"})
    with pytest.raises(DataError, match="1 of 2 questions have no null odds, first 'q1'"):
        squad_v2(gold, {"q1": "x", "q2": ""}, {"q2": 0.5})


def test_v2_threshold_empties_answers_above_it():
    gold = {"q1": ["x"], "q2": [], "q3": ["y"]}
    predictions = {"q1": "x", "q2": "z", "q3": "y"}
    scores = squad_v2(gold, predictions, {"q1": 1.0, "q2": 1.5, "q3": 3.0, "other": 0.0})
    assert (scores["exact"], scores["HasAns_exact"], scores["NoAns_exact"]) == (200 / 3, 50.0, 100.0)
    assert (scores["best_exact"], scores["best_exact_thresh"]) == (200 / 3, 1.0)
    assert squad_v2(gold, predictions, {"q1": 1.0, "q2": 1.5, "q3": 3.0}, threshold=9.0)["NoAns_exact"] == 0.0


def test_best_threshold_keeps_the_official_quirks():
    has_answer = {"q1": True, "q2": False}
    # Nothing answered is best: reported as 0.0, although all odds are below it.
    assert best_threshold({"q1": 0.0, "q2": 0.0}, {"q1": "x", "q2": "y"}, {"q1": -2.0, "q2": -3.0}, has_answer) == (
        50.0,
        0.0,
    )
    # Equal odds are split in the order of the odds file.
    assert best_threshold({"q1": 1.0, "q2": 0.0}, {"q1": "x", "q2": "y"}, {"q1": 1.0, "q2": 1.0}, has_answer) == (
        100.0,
        1.0,
    )
    # An empty prediction for an unanswerable question costs nothing.
    assert best_threshold({"q1": 1.0, "q2": 1.0}, {"q1": "x", "q2": ""}, {"q2": 0.0, "q1": 1.0}, has_answer) == (
        100.0,
        1.0,
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


def test_slices_partition_the_questions():
    scores = {"q1": ExampleScore(1, 1.0), "q2": ExampleScore(0, 0.5), "q3": ExampleScore(0, 0.0)}
    slices = slice_scores(scores, ["Who?", "When?", "Who?"], ["c"] * 3, [["Ada"], ["1999"], []])
    assert slices["question_word"] == {
        "who": {"num": 2, "exact": 50.0, "f1": 50.0},
        "when": {"num": 1, "exact": 0.0, "f1": 50.0},
    }
    assert list(slices["answer_type"]) == ["none", "date", "name"]
    assert all(sum(part["num"] for part in parts.values()) == 3 for parts in slices.values())
