"""What is drawn when a score is resampled: intervals hold the truth where examples come in clusters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from atinuke_bench.metrics.bootstrap import percentile_interval
from atinuke_bench.metrics.classification import CorrelationMetric
from atinuke_bench.metrics.metric import Answers, Floats, Measured, Metric, Sample, SumSample, mean_sample
from atinuke_bench.metrics.units import FEWEST_UNITS, by_unit, grouped, unit_noun

TRUTH = 70.0


def _test_set(generator: np.random.Generator, num_clusters: int) -> tuple[list[str], list[float]]:
    """Clusters of 10 to 40 examples, of which 5 % of the variance is between clusters."""
    sizes = generator.integers(10, 41, num_clusters)
    skill = generator.beta(19 * TRUTH / 100, 19 * (1 - TRUTH / 100), num_clusters)
    right = generator.random(sizes.sum()) < np.repeat(skill, sizes)
    return [f"c{number}" for number in np.repeat(np.arange(num_clusters), sizes)], right.astype(float).tolist()


def _holds(sample: Sample, num_resamples: int = 300) -> bool:
    interval = percentile_interval(sample, num_resamples=num_resamples)
    assert interval is not None
    return interval[0] <= TRUTH <= interval[1]


@pytest.mark.parametrize("num_clusters", [FEWEST_UNITS, 48])
def test_an_interval_by_clusters_holds_the_truth_and_one_by_examples_does_not(num_clusters: int) -> None:
    generator = np.random.default_rng(1)
    held = []
    for _ in range(500):
        clusters, scores = _test_set(generator, num_clusters)
        examples = mean_sample([str(number) for number in range(len(scores))], scores)
        held.append((_holds(examples), _holds(grouped(examples, clusters))))
    by_example, by_cluster = np.mean(held, axis=0)
    assert 0.91 <= by_cluster <= 0.975
    assert by_example < 0.85


def test_few_units_have_no_interval() -> None:
    scores = [0.0, 1.0] * 50
    examples = mean_sample([str(number) for number in range(100)], scores)
    few = grouped(examples, [str(number % (FEWEST_UNITS - 1)) for number in range(100)])
    assert percentile_interval(few) is None
    assert percentile_interval(grouped(examples, [str(number % FEWEST_UNITS) for number in range(100)])) is not None


class OwnUnits(Metric):
    """A plug-in's metric that draws what it likes and knows nothing of units."""

    name = "share"

    def measure(self, answers: Answers) -> Measured:
        return Measured({"share": 50.0}, [None] * len(answers), SumSample(("all",), np.ones((1, 1)), lambda sums: sums))


@dataclass(frozen=True)
class Halves(CorrelationMetric):
    unit = "half"

    def unit_of(self, example: str) -> str:
        return example[0]


def test_units_are_those_of_the_data_else_of_the_metric_else_examples() -> None:
    ids = ("a1", "b1", "a2", "b2")
    sample = mean_sample(ids, [1.0, 0.0, 0.0, 0.0])
    metrics: tuple[Metric, Metric] = CorrelationMetric("pearson"), Halves("pearson")
    plain, halves = metrics
    assert by_unit(plain, ids, None, sample).units == ids
    assert by_unit(halves, ids, None, sample).units == ("a", "b")
    by_data = by_unit(halves, ids, ("x", None, "x", None), sample)
    assert by_data.units == ("x", "b")
    assert by_data.values(np.array([[1.0, 0.0], [1.0, 1.0]])).tolist() == [50.0, 25.0]
    assert [unit_noun(halves, units, "text") for units in (None, ("x", None), ("x", "y"))] == ["half", "half", "text"]


def test_a_sample_that_draws_other_things_than_examples_is_left_alone() -> None:
    sample = OwnUnits().measure(Answers(["a"], ["x"], ["x"])).sample
    assert by_unit(OwnUnits(), ["a"], ["unit"], sample) is sample


@pytest.mark.parametrize("name", ["spearman", "pearson"])
def test_what_lies_in_a_unit_is_drawn_together_whatever_the_metric(name: str) -> None:
    generator = np.random.default_rng(0)
    gold, predicted = generator.integers(0, 6, size=(2, 30)).astype(float)
    units = generator.integers(0, 9, size=30)
    metric = CorrelationMetric(name)
    sample = grouped(metric.measure(Answers(list(map(str, range(30))), predicted, gold)).sample, list(map(str, units)))
    places = {int(unit): place for place, unit in enumerate(sample.units)}
    for _ in range(10):
        picked = generator.integers(0, len(sample.units), len(sample.units))
        weights: Floats = np.bincount(picked, minlength=len(sample.units)).astype(float)
        rows = np.repeat(np.arange(30), [int(weights[places[int(unit)]]) for unit in units])
        answers: Any = Answers(list(map(str, range(len(rows)))), predicted[rows], gold[rows])
        expected = metric.measure(answers).figures[name]
        assert sample.values(weights[None])[0] == pytest.approx(expected, abs=1e-9)
