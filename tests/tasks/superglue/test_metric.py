"""SuperGLUE's figures against cases counted by hand from the official definitions."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from atinuke_bench.errors import DataError
from atinuke_bench.metrics.metric import Answers
from atinuke_bench.metrics.units import by_unit
from atinuke_bench.registry import declared_metric, load_metric, metrics_of, task_names
from atinuke_bench.tasks.superglue.metric import COMMITMENT_BANK, MULTIRC, RECORD


def figures(metric, predicted, gold, ids=None):
    return metric.measure(Answers(ids or tuple(map(str, range(len(gold)))), predicted, gold)).figures


def test_commitment_bank():
    gold = ["entailment"] * 4 + ["contradiction"] * 3 + ["neutral"]
    predicted = ["entailment"] * 3 + ["contradiction"] * 3 + ["entailment", "neutral"]
    # F1: entailment 2*3/(4+4), contradiction 2*2/(3+3), neutral 2*1/(1+1).
    expected = {"accuracy": 75.0, "macro_f1": 100 * (0.75 + 2 / 3 + 1) / 3}
    expected["accuracy_and_macro_f1"] = (expected["accuracy"] + expected["macro_f1"]) / 2
    found = figures(COMMITMENT_BANK, predicted, gold)
    assert found == pytest.approx(expected)
    assert found["macro_f1"] == pytest.approx(
        figures(declared_metric("classification", "macro_f1"), predicted, gold)["macro_f1"]
    )


MULTIRC_IDS = ("0-0-0", "0-0-1", "0-0-2", "0-1-3", "0-1-4", "1-2-5", "1-2-6")


def test_multirc():
    gold, predicted = list("1010011"), list("1110010")
    # Right ones found: 3 of 4, of 4 predicted. Questions whole: the second alone.
    found = figures(MULTIRC, predicted, gold, MULTIRC_IDS)
    assert found == pytest.approx({"f1_a": 75.0, "exact_match": 100 / 3, "f1_a_and_exact_match": (75 + 100 / 3) / 2})
    assert figures(MULTIRC, list("00"), list("00"), ("0-0-0", "0-0-1")) == {
        "f1_a_and_exact_match": 50.0,
        "f1_a": 0.0,
        "exact_match": 100.0,
    }
    with pytest.raises(DataError, match="needs ids of the form paragraph-question-answer; found '7'"):
        figures(MULTIRC, ["1"], ["1"], ("7",))


def test_multirc_draws_paragraphs():
    answers = Answers(MULTIRC_IDS, list("1110010"), list("1010011"))
    drawn = by_unit(MULTIRC, answers.ids, None, MULTIRC.measure(answers).sample)
    assert drawn.units == ("0", "1")
    second = figures(MULTIRC, list("10"), list("11"), ("1-2-5", "1-2-6"))["f1_a_and_exact_match"]
    assert drawn.values(np.array([[0.0, 1.0], [0.0, 3.0]])).tolist() == pytest.approx([second, second])


def test_record_takes_the_best_of_all_answers():
    gold = [["Tracy Morgan", "Morgan"], ["China"], ["the Daily Mail"], ["New York City", "NYC"]]
    texts = ["morgan", "Tian Tian", "Daily Mail.", "New York"]
    predicted = [{"choice": 0, "text": text} for text in texts]
    found = figures(RECORD, predicted, gold)
    # F1 of the last: precision 1, recall 2/3.
    expected = {"f1": 100 * (1 + 0 + 1 + 0.8) / 4, "exact_match": 50.0}
    assert found == pytest.approx({**expected, "f1_and_exact_match": (70 + 50) / 2})
    stored: dict[str, list[Any]] = {
        "id": list("abcd"),
        "prediction": [json.dumps(one) for one in predicted],
        "gold": [json.dumps(one) for one in gold],
        "score": [None] * 4,
    }
    assert RECORD.measure(RECORD.read(stored)).figures == found
    with pytest.raises(ValueError, match="not predictions of"):
        RECORD.read({**stored, "prediction": ["3"] * 4})


def test_winogender_counts_pairs_that_are_answered_alike():
    metric = load_metric("superglue/ax-g", "winogender_accuracy")
    ids = ("0-0", "0-1", "1-2", "1-3", "2-4", "2-5")
    labels = {"e": "entailment", "n": "not_entailment"}
    gold, predicted = ([labels[letter] for letter in side] for side in ("eennen", "eeneee"))
    assert figures(metric, predicted, gold, ids) == pytest.approx(
        {"winogender_accuracy": 400 / 6, "gender_parity": 200 / 3}
    )
    assert figures(metric, predicted, gold)["gender_parity"] is None, "RTE has no pairs"


@pytest.mark.parametrize("task", [name for name in task_names() if name.startswith("superglue/")])
def test_a_sample_gives_the_figure_of_any_multiset_of_its_examples(task):
    (metric,) = metrics_of(task)
    rng = np.random.default_rng(0)
    if task in ("superglue/record", "superglue/copa"):
        names = ["Ada Ben", "Ben", "Ada"]
        predicted = [{"choice": 0, "text": name} for name in rng.choice(names, 20)]
        gold = [[name] for name in rng.choice(names, 20)]
    else:
        predicted, gold = (rng.choice(list("01"), 20).tolist() for _ in range(2))
    ids = [
        f"{number // 8}-{number // 4}-{number}" if task == "superglue/multirc" else str(number) for number in range(20)
    ]
    answers = Answers(ids, predicted, gold)
    measured = metric.measure(answers)
    sample = by_unit(metric, ids, None, measured.sample)
    assert sample.value() == pytest.approx(measured.figures[metric.name])
    for weights in rng.integers(0, 3, (5, len(sample.units))).astype(float):
        weights[0] = 1
        members = {unit: [n for n, id_ in enumerate(ids) if metric.unit_of(id_) == unit] for unit in sample.units}
        rows = [
            (f"{copy}x{ids[n]}", n)
            for unit, times in zip(sample.units, weights, strict=True)
            for copy in range(int(times))
            for n in members[unit]
        ]
        own = Answers([id_ for id_, _ in rows], [predicted[n] for _, n in rows], [gold[n] for _, n in rows])
        expected = metric.measure(own).figures[metric.name]
        assert sample.values(weights[None])[0] == pytest.approx(expected)
