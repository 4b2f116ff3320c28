"""What each example adds to a figure: exact for means, and with the sampling error of any other."""

import numpy as np
import pytest

from atinuke_bench import registry
from atinuke_bench.metrics.contributions import MOST_RANKED, contributions
from atinuke_bench.metrics.metric import Answers, Sample, mean_sample


def drawn(generator, num=400):
    gold = generator.choice(["0", "1"], num, p=[0.4, 0.6])
    return gold, np.where(generator.uniform(size=num) < 0.75, gold, generator.choice(["0", "1"], num))


def test_of_a_mean_they_are_the_examples_own_scores():
    scores = np.random.default_rng(0).uniform(size=50)
    found = contributions(mean_sample([str(place) for place in range(50)], scores.tolist()))
    assert found == pytest.approx(100 * scores)


@pytest.mark.parametrize("metric", ["f1", "matthews_correlation"])
def test_of_other_figures_they_have_the_figure_and_its_sampling_error(metric):
    name = {"f1": "glue/mrpc", "matthews_correlation": "glue/cola"}[metric]
    task_metric = registry.load_task(name).metric
    generator = np.random.default_rng(1)
    gold, predicted = drawn(generator)
    ids = [str(place) for place in range(len(gold))]
    sample = task_metric.measure(Answers(ids, predicted.tolist(), gold.tolist())).sample
    found = contributions(sample)
    assert found is not None
    # The mean is the jackknife's estimate, which differs by a bias of the order of 1/N.
    assert found.mean() == pytest.approx(sample.value(), abs=0.5)
    weights = generator.multinomial(len(gold), np.full(len(gold), 1 / len(gold)), 4000).astype(float)
    assert found.std(ddof=1) / np.sqrt(len(gold)) == pytest.approx(sample.values(weights).std(), rel=0.1)


def test_a_figure_that_ranks_anew_is_computed_without_each_example():
    task_metric = registry.load_task("glue/stsb").metric
    generator = np.random.default_rng(2)
    gold = generator.uniform(0, 5, 80)
    predicted = gold + generator.standard_normal(80)
    sample = task_metric.measure(Answers(list(map(str, range(80))), predicted.tolist(), gold.tolist())).sample
    found = contributions(sample)
    assert found is not None
    weights = generator.multinomial(80, np.full(80, 1 / 80), 2000).astype(float)
    assert found.std(ddof=1) / np.sqrt(80) == pytest.approx(sample.values(weights).std(), rel=0.25)


class Slow(Sample):
    units = tuple(map(str, range(MOST_RANKED + 1)))

    def values(self, weights):
        return np.zeros(len(weights))


class Undefined(Sample):
    units = ("a", "b")

    def values(self, weights):
        return np.where(weights[:, 0] > 0, 1.0, np.nan)


@pytest.mark.parametrize("sample", [Slow(), Undefined(), mean_sample(["a"], [1.0])])
def test_what_cannot_be_told_is_none(sample):
    assert contributions(sample) is None
