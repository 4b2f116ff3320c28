"""Metrics against hand-computed cases, scipy, and their own laws."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from atinuke_bench.metrics.classification import (
    FIGURES,
    ClassMetric,
    CorrelationMetric,
    accuracy,
    f1,
    matthews_correlation,
    pearson,
    spearman,
)
from atinuke_bench.metrics.metric import Answers

# --- hand-computed ----------------------------------------------------------------------------------------------------


def test_accuracy() -> None:
    assert accuracy([0, 1, 2], [0, 1, 2]) == 100
    assert accuracy([0, 1, 2, 1], [1, 1, 0, 2]) == 25
    assert accuracy(np.array([0.0, 1.0]), np.array([1, 0])) == 0


@pytest.mark.parametrize(
    ("gold", "predicted", "expected"),
    [
        ([1, 1, 1, 0], [1, 1, 0, 1], 100 * 2 / 3),  # precision 2/3, recall 2/3
        ([1, 0, 0, 0], [1, 1, 1, 1], 40.0),  # precision 1/4, recall 1
        ([1, 1], [0, 0], 0.0),
        ([0, 0], [1, 0], 0.0),
        ([0, 0], [0, 0], 0.0),  # undefined: 0 by the official scorer's rule
        ([1, 1], [1, 1], 100.0),
    ],
)
def test_f1(gold, predicted, expected) -> None:
    assert f1(gold, predicted) == pytest.approx(expected, abs=1e-12)


def test_f1_is_of_a_class_that_is_named() -> None:
    with pytest.raises(AssertionError, match="F1 is of one class, which `positive` names"):
        ClassMetric("f1")
    with pytest.raises(AssertionError, match="F1 is of one class, which `positive` names"):
        ClassMetric("accuracy", beside=("f1",))
    with pytest.raises(AssertionError, match="one class against the rest"):
        f1([0, 1, 2], [0, 1, 1])
    answers = Answers(("a", "b", "c", "d"), ["yes", "no", "maybe", "yes"], ["yes", "yes", "maybe", "no"])
    figures = {name: ClassMetric("f1", positive=name).measure(answers).figures["f1"] for name in ("yes", "maybe")}
    assert figures == {"yes": 50.0, "maybe": 100.0}


@pytest.mark.parametrize(
    ("gold", "predicted", "expected"),
    [
        # TP 6, TN 3, FP 1, FN 2: (6 * 3 - 1 * 2) / sqrt(7 * 8 * 4 * 5)
        ([1] * 8 + [0] * 4, [1] * 6 + [0] * 2 + [1] + [0] * 3, 100 * 16 / math.sqrt(1120)),
        ([1, 0, 1, 0], [0, 1, 0, 1], -100.0),
        ([1, 0, 1, 0], [1, 1, 1, 1], 0.0),
        ([1, 1, 1, 1], [1, 0, 1, 0], 0.0),
        ([1, 1], [1, 1], 0.0),
        ([0], [0], 0.0),
        # Three classes, 4 of 6 right, two of each on both sides: (4 * 6 - 12) / (36 - 12)
        ([0, 0, 1, 1, 2, 2], [0, 0, 1, 2, 2, 1], 100 * (4 * 6 - 12) / (36 - 12)),
        ([0, 1, 2], [2, 2, 2], 0.0),
    ],
)
def test_matthews_correlation(gold, predicted, expected) -> None:
    assert matthews_correlation(gold, predicted) == pytest.approx(expected, abs=1e-12)


def test_matthews_correlation_of_a_large_set_does_not_overflow() -> None:
    gold = np.arange(399_999) % 3
    assert matthews_correlation(gold, gold) == pytest.approx(100)
    assert matthews_correlation(gold, np.roll(gold, 1)) == pytest.approx(-50)


@pytest.mark.parametrize("metric", [pearson, spearman])
@pytest.mark.parametrize(
    ("gold", "predicted"),
    [
        ([1.0, 2.0, 3.0], [2.5, 2.5, 2.5]),
        ([2.5, 2.5, 2.5], [1.0, 2.0, 3.0]),
        ([0.1 + 0.2] * 3, [1.0, 2.0, 3.0]),
        ([1.0], [1.0]),
        ([], []),
        ([1.0, 2.0], [math.nan, 1.0]),
        ([1.0, 2.0], [math.inf, 1.0]),
    ],
)
def test_correlations_that_do_not_exist_are_missing(metric, gold, predicted) -> None:
    assert metric(gold, predicted) is None


def test_correlations() -> None:
    assert pearson([1, 2, 3], [3, 2, 1]) == pytest.approx(-100)
    # Deviations (-1, 0, 1) and (-4/3, -1/3, 5/3): 3 / sqrt(2 * 42 / 9)
    assert pearson([1, 2, 3], [0, 1, 3]) == pytest.approx(100 * 3 / math.sqrt(2 * 42 / 9))
    assert spearman([1, 2, 3], [0, 1, 300]) == pytest.approx(100)
    assert pearson([1e308, -1e308, 0], [1e-320, -1e-320, 0]) == pytest.approx(100)


# --- against references -----------------------------------------------------------------------------------------------

LABELLINGS = st.integers(2, 4).flatmap(
    lambda classes: st.lists(st.tuples(*[st.integers(0, classes - 1)] * 2), min_size=1, max_size=40)
)
# A grid gives ties, and differences that are either none or well above rounding.
SERIES = st.lists(st.tuples(*[st.integers(-50, 50).map(lambda tenths: tenths / 10)] * 2), min_size=2, max_size=40)


def one_hot_correlation(gold: np.ndarray, predicted: np.ndarray) -> float:
    """R_K as Gorodkin defines it: the covariance of the indicator vectors over the root of their variances."""
    classes = max(gold.max(), predicted.max()) + 1
    x, y = (np.eye(classes)[labels] for labels in (gold, predicted))
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    norm = math.sqrt((x * x).sum() * (y * y).sum())
    return 100 * (x * y).sum() / norm if norm > 1e-9 else 0.0


@settings(deadline=None)
@given(LABELLINGS)
def test_matthews_correlation_is_r_k(pairs) -> None:
    gold, predicted = np.array(pairs).T
    value = matthews_correlation(gold, predicted)
    assert value == pytest.approx(one_hot_correlation(gold, predicted), abs=1e-9)
    assert value == pytest.approx(matthews_correlation(predicted, gold), abs=1e-12)
    renamed = matthews_correlation(3 - gold, 3 - predicted)
    assert value == pytest.approx(renamed, abs=1e-12)
    if gold.max() <= 1 and predicted.max() <= 1:
        expected = pearson(gold, predicted)
        assert value == pytest.approx(0.0 if expected is None else expected, abs=1e-9)


@settings(deadline=None)
@given(LABELLINGS)
def test_accuracy_and_f1_count(pairs) -> None:
    gold, predicted = np.array(pairs).T
    assert accuracy(gold, predicted) == pytest.approx(100 * sum(a == b for a, b in pairs) / len(pairs))
    claimed, true = int((predicted == 1).sum()), int((gold == 1).sum())
    right = sum(a == b == 1 for a, b in pairs)
    precision, recall = right / claimed if claimed else 0.0, right / true if true else 0.0
    mean = 200 * precision * recall / (precision + recall) if right else 0.0
    assert f1(gold == 1, predicted == 1) == pytest.approx(mean)


@settings(deadline=None)
@given(SERIES)
def test_correlations_are_scipys(pairs) -> None:
    gold, predicted = np.array(pairs).T
    if np.ptp(gold) == 0 or np.ptp(predicted) == 0:
        assert pearson(gold, predicted) is None
        assert spearman(gold, predicted) is None
        return
    assert pearson(gold, predicted) == pytest.approx(100 * stats.pearsonr(gold, predicted).statistic, abs=1e-9)
    assert spearman(gold, predicted) == pytest.approx(100 * stats.spearmanr(gold, predicted).statistic, abs=1e-9)


@settings(deadline=None)
@given(st.lists(st.tuples(*[st.floats(allow_nan=True, allow_infinity=True)] * 2), max_size=10))
def test_no_correlation_is_nan_or_out_of_range(pairs) -> None:
    gold, predicted = np.array(pairs, dtype=float).reshape(-1, 2).T
    for value in (pearson(gold, predicted), spearman(gold, predicted)):
        assert value is None or -100 <= value <= 100


# --- metric objects ---------------------------------------------------------------------------------------------------


def test_figures_have_their_official_names() -> None:
    assert list(FIGURES) == ["accuracy", "f1", "macro_f1", "matthews_correlation", "pearson", "spearman"]


LABELS = st.lists(st.tuples(*[st.sampled_from("abc")] * 2), min_size=2, max_size=30)


@given(
    LABELS,
    st.sampled_from(["accuracy", "f1", "macro_f1", "matthews_correlation"]),
    st.randoms(use_true_random=False),
)
def test_a_sample_gives_the_figure_of_any_multiset_of_its_units(pairs, name, random) -> None:
    metric = ClassMetric(name, positive="b")
    gold, predicted = zip(*pairs, strict=True)
    measured = metric.measure(Answers([str(number) for number in range(len(pairs))], predicted, gold))
    assert measured.sample.value() == pytest.approx(measured.figures[name], abs=1e-9)
    picked = random.choices(range(len(pairs)), k=len(pairs))
    again = metric.measure(Answers(picked, [predicted[n] for n in picked], [gold[n] for n in picked]))
    weights = np.bincount(picked, minlength=len(pairs)).astype(float)[None]
    assert measured.sample.values(weights)[0] == pytest.approx(again.figures[name], abs=1e-9)


@pytest.mark.parametrize("name", ["pearson", "spearman"])
def test_a_sample_of_a_correlation_ranks_within_the_resample(name) -> None:
    random = np.random.default_rng(0)
    gold, predicted = random.integers(0, 6, size=(2, 40)).astype(float)
    metric = CorrelationMetric(name)
    sample = metric.measure(Answers(list(map(str, range(40))), predicted, gold)).sample
    for picked in random.integers(0, 40, size=(20, 40)):
        weights = np.bincount(picked, minlength=40).astype(float)[None]
        assert sample.values(weights)[0] == pytest.approx(FIGURES[name](gold[picked], predicted[picked]), abs=1e-9)


def test_f1_needs_to_know_which_class_it_is_of() -> None:
    with pytest.raises(AssertionError, match="which `positive` names"):
        ClassMetric("f1")
    answers = Answers("abc", ["yes", "no", "no"], ["yes", "yes", "no"])
    assert ClassMetric("f1", positive="no").measure(answers).figures["f1"] == pytest.approx(200 / 3)
    assert ClassMetric("f1", positive="maybe").measure(answers).figures["f1"] == 0.0


def test_stored_answers_are_read_back() -> None:
    rows: dict[str, list[Any]] = {
        "id": ["1", "2"],
        "prediction": ["yes", "no"],
        "gold": ["yes", "yes"],
        "score": [1.0, 0.0],
    }
    assert ClassMetric("accuracy").measure(ClassMetric("accuracy").read(rows)).figures == {"accuracy": 50.0}
    numbers = rows | {"prediction": ["1.5", "2"], "gold": ["1", "3"]}
    assert CorrelationMetric("pearson").measure(CorrelationMetric("pearson").read(numbers)).figures[
        "pearson"
    ] == pytest.approx(100)
    with pytest.raises(ValueError, match="could not convert"):
        CorrelationMetric("pearson").read(rows)
