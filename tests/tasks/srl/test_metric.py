"""The metric object of semantic roles: sentences as units, whatever the order of their predicates."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from atinuke_bench.metrics.metric import Answers
from atinuke_bench.metrics.units import by_unit
from atinuke_bench.tasks.srl.metric import METRICS

METRIC = METRICS["srl"][0]
GOLD = {
    "dev-x-1-2": [(0, 0, "A0"), (2, 2, "V"), (3, 4, "A1")],
    "dev-x-1-10": [(10, 10, "V"), (11, 11, "A1")],
    "dev-x-1-0-3": [(3, 3, "V"), (4, 4, "A2")],
}
PREDICTED = {**GOLD, "dev-x-1-10": [(10, 10, "V"), (11, 12, "A1")], "dev-x-1-0-3": [(3, 3, "V")]}


def answers(ids: list[str]) -> Answers:
    return Answers(ids, [PREDICTED[id_] for id_ in ids], [GOLD[id_] for id_ in ids])


def test_figures_and_scores() -> None:
    measured = METRIC.measure(answers(list(GOLD)))
    assert measured.scores == [1.0, 0.0, 0.0]
    assert {name: round(value, 2) for name, value in measured.figures.items() if value is not None} == {
        "f1": 57.14,
        "precision": 66.67,
        "recall": 50.0,
        "unlabelled_f1": 57.14,
        "unlabelled_precision": 66.67,
        "unlabelled_recall": 50.0,
        "perfect_propositions": 33.33,
        "correct": 2,
        "excess": 1,
        "missed": 2,
    }


def test_sentences_are_the_units_and_any_multiset_of_them_has_its_f1() -> None:
    ids = list(GOLD)
    sample = by_unit(METRIC, ids, None, METRIC.sample(answers(ids)))
    assert sample.units == ("dev-x-1", "dev-x-1-0")
    values = sample.values(np.array([[1.0, 1.0], [2.0, 0.0], [0.0, 3.0]]))
    np.testing.assert_allclose(values, [100 * 4 / 7, 100 * 4 / 6, 0.0])


def test_the_order_of_ids_changes_no_figure() -> None:
    # Sorted by text, the predicates of one sentence are neither in their order nor side by side.
    ids = sorted(GOLD)
    assert ids == ["dev-x-1-0-3", "dev-x-1-10", "dev-x-1-2"]
    shuffled = [ids[1], ids[0], ids[2]]
    for order in (ids, shuffled):
        measured = METRIC.measure(answers(order))
        assert measured.figures == METRIC.measure(answers(list(GOLD))).figures
        assert dict(zip(order, measured.scores, strict=True)) == dict(zip(GOLD, [1.0, 0.0, 0.0], strict=True))


def test_a_proposition_without_counted_arguments_is_right_when_none_is_found() -> None:
    spans = [[(0, 0, "V")], [(0, 0, "V"), (1, 1, "A1")]]
    assert METRIC.measure(Answers(["s-0", "t-0"], spans, [spans[0], spans[0]])).scores == [1.0, 0.0]


@pytest.mark.parametrize("text", ["{}}", "[[0, 1]]", "[[0, 1, 2, 3]]", "7", "[7]"])
def test_stored_rows_that_are_no_spans_are_refused(text: str) -> None:
    rows: dict[str, list[Any]] = {"id": ["s-0"], "prediction": [text], "gold": ["[]"], "score": [1.0]}
    with pytest.raises(ValueError, match=r"."):
        METRIC.read(rows)


def test_a_prediction_is_stored_as_plain_lists() -> None:
    stored = METRIC.to_stored(GOLD["dev-x-1-10"])
    assert stored == [[10, 10, "V"], [11, 11, "A1"]]
    assert METRIC.from_stored(json.dumps(stored), "[]") == (GOLD["dev-x-1-10"], [])
