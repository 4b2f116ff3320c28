"""SQuAD's metric objects: the official figures, from a model's answers and from stored ones."""

import numpy as np
import pytest

from atinuke_bench.errors import DataError
from atinuke_bench.metrics.metric import Answers
from atinuke_bench.tasks.squad.metric import METRICS, SquadAnswer
from atinuke_bench.tasks.squad.scores import squad_v1, squad_v2

V1, V2 = METRICS["squad-v1.1"][0], METRICS["squad-v2.0"][0]
GOLD = {"q1": ["Denver", "in Denver"], "q2": ["1999"], "q3": []}
TEXTS = {"q1": "the Denver team", "q2": "", "q3": ""}
ANSWERS = [
    SquadAnswer("the Denver team", "the Denver team", -2.0),
    SquadAnswer("", "1999", 5.0),
    SquadAnswer("", "x", 9),
]


def answers(predicted, num=3, scores=None):
    return Answers(list(GOLD)[:num], predicted[:num], list(GOLD.values())[:num], scores)


def test_final_answers_are_scored_as_they_are_and_odds_give_the_best_thresholds():
    measured = V2.measure(answers(ANSWERS))
    best = squad_v2(GOLD, {"q1": "the Denver team", "q2": "1999", "q3": "x"}, {"q1": -2.0, "q2": 5.0, "q3": 9})
    thresholds = {name: value for name, value in best.items() if name.startswith("best_")}
    assert len(thresholds) == 4
    assert measured.figures == squad_v2(GOLD, TEXTS) | thresholds
    assert measured.scores == [2 / 3, 0.0, 1.0]
    assert [score.exact for score in measured.details] == [0, 0, 1]


@pytest.mark.parametrize(("metric", "num"), [(V1, 2), (V2, 3)])
def test_stored_answers_give_the_recorded_figures(metric, num):
    measured = metric.measure(answers(ANSWERS, num))
    rows = {
        "id": list(GOLD)[:num],
        "prediction": [metric.to_stored(answer) for answer in ANSWERS[:num]],
        "gold": ['["Denver", "in Denver"]', '["1999"]', "[]"][:num],
        "score": measured.scores,
    }
    stored = metric.read(rows)
    again = metric.measure(stored)
    assert again.figures == {name: value for name, value in measured.figures.items() if not name.startswith("best_")}
    for sample in (measured.sample, metric.sample(stored), metric.sample(answers(ANSWERS, num))):
        assert sample.units == tuple(GOLD)[:num]
        assert sample.value() == pytest.approx(measured.figures["f1"])


def test_a_sample_gives_f1_of_any_multiset():
    weights = np.array([[1.0, 0, 0], [0, 1, 3]])
    assert V2.measure(answers(ANSWERS)).sample.values(weights).tolist() == pytest.approx([200 / 3, 75.0])


def test_v1_has_the_figures_of_its_script_and_no_question_without_reference():
    assert V1.measure(answers(ANSWERS, 2)).figures == squad_v1({"q1": GOLD["q1"], "q2": GOLD["q2"]}, TEXTS)
    with pytest.raises(DataError, match="question 'q3' has no reference answer"):
        V1.measure(answers(ANSWERS))


def test_rows_that_are_no_answers_are_refused():
    with pytest.raises(ValueError, match="Expecting value"):
        V1.read({"id": ["q1"], "prediction": ["x"], "gold": ["Denver"], "score": [1.0]})
