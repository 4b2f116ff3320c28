"""Scores of semantic roles by role and by distance."""

from __future__ import annotations

from datasets import Dataset

from atinuke_bench.metrics.metric import Answers
from atinuke_bench.tasks.srl.metric import METRICS
from atinuke_bench.tasks.srl.slices import by_role_and_distance


def test_every_role_has_its_figures_and_v_is_shown_last() -> None:
    gold = [[(0, 0, "A0"), (1, 1, "V"), (4, 5, "AM-LOC")]]
    predicted = [[(0, 0, "A0"), (1, 1, "V"), (4, 4, "AM-LOC")]]
    answers = Answers(["dev-x-0-1"], predicted, gold)
    slices = by_role_and_distance(Dataset.from_dict({}), answers, METRICS["srl"][0].measure(answers))
    right = {"f1": 100.0, "precision": 100.0, "recall": 100.0, "num": 1}
    wrong = {"f1": 0.0, "precision": 0.0, "recall": 0.0, "num": 1}
    empty = {**wrong, "num": 0}
    assert slices == {
        "role": {"A0": right, "AM-LOC": wrong, "V": right},
        "words between predicate and argument": {"0": right, "1-2": wrong, "3-6": empty, "7+": empty},
    }
    assert list(slices["role"]) == ["A0", "AM-LOC", "V"]
