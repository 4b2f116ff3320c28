"""SQuAD scores against the official scripts' output, and the edge cases in which they differ from intuition."""

import json
import os
from pathlib import Path

import pytest

from atinuke_bench.errors import DataError
from atinuke_bench.tasks.squad.files import read_predictions, read_squad, references
from atinuke_bench.tasks.squad.scores import (
    ExampleScore,
    best_threshold,
    examples_v1,
    examples_v2,
    squad_v1,
    squad_v2,
)


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
    assert squad_v2(gold, predictions)["NoAns_exact"] == 0.0


def test_best_threshold_keeps_the_official_quirks():
    gold, predictions = {"q1": ["x"], "q2": []}, {"q1": "x", "q2": "y"}
    # Nothing answered is best: reported as 0.0, although all odds are below it.
    nothing = best_threshold(gold, predictions, {"q1": 0.0, "q2": 0.0}, {"q1": -2.0, "q2": -3.0})
    assert nothing == (50.0, 0.0)
    # Equal odds are split in the order of the odds file.
    assert best_threshold(gold, predictions, {"q1": 1.0, "q2": 0.0}, {"q1": 1.0, "q2": 1.0}) == (100.0, 1.0)
    # An empty prediction for an unanswerable question costs nothing.
    empty = predictions | {"q2": ""}
    assert best_threshold(gold, empty, {"q1": 1.0, "q2": 1.0}, {"q2": 0.0, "q1": 1.0}) == (100.0, 1.0)
