"""Gold and predictions of two files are joined by id, and what does not match is named."""

from __future__ import annotations

import math

import pytest

from atinuke_bench.errors import DataError
from atinuke_bench.metrics.classification import ClassMetric
from atinuke_bench.sentences.files import align, score_aligned


def test_align_joins_by_id_and_leaves_unlabelled_out() -> None:
    aligned = align({"a": 2, "b": -1, "c": 0, "d": -1}, {"c": 1, "a": 2, "b": 0})
    assert aligned.ids == ("a", "c")
    assert aligned.gold == [2, 0]
    assert aligned.predicted == [2, 1]
    scores = align({"a": 2.5, "b": math.nan}, {"a": -0.1})
    assert scores.ids == ("a",)
    assert scores.predicted == [-0.1]


@pytest.mark.parametrize(
    ("gold", "predicted", "expected"),
    [
        ({"a": 0, "b": 1}, {"a": 0}, "p.tsv: every example needs a prediction; without one: 'b'"),
        ({"a": 0}, {"a": 0, "b": 1}, "p.tsv: every prediction needs an example; unknown: 'b'"),
        ({"a": -1}, {"a": 0}, "p.tsv: no example has a gold label, so nothing can be scored"),
        (dict.fromkeys("abcdefg", 0), {}, "p.tsv: every example needs .*: 'a', 'b', 'c', 'd', 'e' and 2 more"),
    ],
)
def test_align_names_what_does_not_match(gold, predicted, expected) -> None:
    with pytest.raises(DataError, match=expected):
        align(gold, predicted, where="p.tsv")


def test_labels_by_number_are_scored_by_name() -> None:
    metric = ClassMetric("f1", ("accuracy",), positive="yes")
    figures = score_aligned(metric, ("no", "yes"), {"a": 1, "b": 0, "c": -1}, {"a": 1, "b": 1})
    assert figures == {"f1": pytest.approx(200 / 3), "accuracy": 50.0, "total": 2}
