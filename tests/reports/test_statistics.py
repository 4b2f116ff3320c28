"""The tests keep their promises on simulated cores, and agree with what they are defined by."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from atinuke_bench.metrics import classification
from atinuke_bench.metrics.bootstrap import draw_weights
from atinuke_bench.metrics.holm import holm
from atinuke_bench.metrics.metric import SumSample
from atinuke_bench.reports.statistics.paired import hierarchical_bootstrap, paired_bootstrap, paired_randomisation
from atinuke_bench.reports.statistics.samples import sample_of
from atinuke_bench.reports.statistics.spread import Scores, difference, minimum_detectable_difference

NUM_UNITS = 150


def _pair(generator, weights, between_seeds, num_seeds=3, gain=0.0):
    """Two cores on one fresh test set; units differ in difficulty, seeds in skill."""
    difficulty = generator.normal(size=NUM_UNITS)
    sides = []
    for own in (gain, 0.0):
        skill = own + generator.normal(0, between_seeds, size=(num_seeds, 1))
        noise = generator.normal(0, 0.5, size=(num_seeds, NUM_UNITS))
        right = 100.0 * (difficulty + noise < skill + 0.5)
        sides.append(Scores(right.mean(axis=1), weights @ right.T / NUM_UNITS, NUM_UNITS))
    return sides


@pytest.mark.parametrize("between_seeds", [0.0, 0.2])
def test_few_false_winners_between_equal_cores(between_seeds):
    generator = np.random.default_rng(1)
    weights = draw_weights(NUM_UNITS, 300, generator)
    # A table has three columns here, as many comparisons, and any winner among them is false.
    tables = [[difference(*_pair(generator, weights, between_seeds)).p_value for _ in range(3)] for _ in range(500)]
    assert np.mean([(holm(table) < 0.05).any() for table in tables]) <= 0.05


def test_intervals_cover_the_true_difference():
    generator = np.random.default_rng(2)
    weights = draw_weights(NUM_UNITS, 300, generator)
    covered = []
    for _ in range(500):
        interval = difference(*_pair(generator, weights, 0.2, num_seeds=4)).interval()
        assert interval is not None
        low, high = interval
        covered.append(low <= 0 <= high)
    assert 0.92 <= np.mean(covered) <= 0.98


def test_cores_that_never_differ_tell_nothing_of_what_could_be_detected():
    generator = np.random.default_rng(4)
    weights = draw_weights(NUM_UNITS, 300, generator)
    right = 100.0 * (np.arange(NUM_UNITS) % 5 > 0)
    alone = Scores(np.full(3, right.mean()), np.tile((weights @ right / NUM_UNITS)[:, None], 3), NUM_UNITS)
    spread = difference(alone, alone)
    assert spread.is_alike
    assert spread.p_value == 1.0
    assert spread.interval() is None
    assert np.isnan(minimum_detectable_difference(spread))
    always = Scores(np.full(3, 100.0), np.full((300, 3), 100.0), NUM_UNITS)
    assert always.mean().interval() is None


def test_a_real_difference_is_found():
    generator = np.random.default_rng(3)
    weights = draw_weights(NUM_UNITS, 300, generator)
    spread = difference(*_pair(generator, weights, 0.05, gain=1.0))
    assert spread.p_value < 0.01
    assert 0 < minimum_detectable_difference(spread) < spread.value


def test_a_single_seed_is_not_tested():
    one = Scores(np.array([50.0]), np.full((10, 1), 50.0), NUM_UNITS)
    assert np.isnan(difference(one, one).p_value)


def test_holm_counts_tests_that_could_have_been_made():
    assert holm([0.01, np.nan, 0.5], num_tests=10)[0] == pytest.approx(0.1)
    assert np.isnan(holm([0.01, np.nan])[1])


def test_resampling_tests_agree_on_clear_cases():
    generator = np.random.default_rng(4)
    weights = draw_weights(NUM_UNITS, 300, generator)
    a, b = _pair(generator, weights, 0.05, gain=1.0)
    assert paired_bootstrap(a.resampled.mean(axis=1), b.resampled.mean(axis=1)) < 0.02
    assert np.quantile(hierarchical_bootstrap(a, b), 0.025) > 0


def _table(ids, gold, predicted, scores=None):
    scores = [None] * len(ids) if scores is None else scores
    return pa.table({"id": ids, "prediction": predicted, "gold": gold, "score": pa.array(scores, pa.float64())})


@pytest.mark.parametrize(
    ("task", "metric"), [("glue/cola", "matthews_correlation"), ("glue/mrpc", "f1"), ("glue/stsb", "spearman")]
)
def test_a_resampled_sample_has_the_official_metric(task, metric):
    generator = np.random.default_rng(5)
    gold = generator.integers(0, 2 if metric in ("f1", "matthews_correlation") else 6, size=60)
    answers = np.where(generator.random(60) < 0.7, gold, 1)
    rows = _table([f"{n:03}" for n in range(60)], gold.astype(str), answers.astype(str))
    official = classification.FIGURES[metric]
    recorded = official(gold, answers)
    assert recorded is not None
    sample = sample_of(rows, task, metric, recorded).sample
    weights = draw_weights(60, 5, generator)
    for row, value in zip(weights, sample.values(weights), strict=True):
        picked = np.repeat(np.arange(60), row.astype(int))
        assert value == pytest.approx(official(gold[picked], answers[picked]))


def test_sentences_and_documents_are_the_units_of_srl_and_coreference():
    rows = _table(
        ["dev-a-0-1", "dev-a-0-3", "dev-a-1-0"],
        ['[[0, 0, "A0"]]', '[[2, 2, "A1"]]', '[[1, 2, "A1"]]'],
        ['[[0, 0, "A0"]]', "[]", '[[1, 1, "A1"]]'],
        [1.0, 1.0, 1.0],
    )
    sample = sample_of(rows, "srl", "f1", 40.0).by_unit(None)  # 1 correct, 1 in excess, 2 missed
    assert sample.units == ("dev-a-0", "dev-a-1")
    assert sample.values(np.array([[1.0, 0.0]]))[0] == pytest.approx(200 / 3)
    clusters = "[[[0, 0], [2, 2]]]"
    documents = sample_of(
        _table(["x", "y"], [clusters, clusters], [clusters, "[]"], [100.0, 0.0]), "coref", "conll_f1", 200 / 3
    ).by_unit(None)
    assert documents.values(np.eye(2)).tolist() == [100.0, 0.0]


def test_predictions_that_do_not_give_the_score_are_refused():
    rows = _table(["a", "b"], ["1", "1"], ["1", "0"])
    with pytest.raises(ValueError, match=r"do not give the recorded accuracy 51\.0000; they give 50\.0000"):
        sample_of(rows, "snli", "accuracy", 51.0)


@pytest.mark.parametrize(
    ("task", "metric", "reason"),
    [
        ("of-a-plug-in", "accuracy", "not tested: no task 'of-a-plug-in'"),
        ("snli", "exactness", "not tested: no metric of task 'snli' 'exactness'"),
        ("glue/stsb", "spearman", r"not tested: spearman of glue/stsb failed \(ValueError"),
    ],
)
def test_a_metric_that_is_not_known_or_fails_is_a_reason(task, metric, reason):
    with pytest.raises(ValueError, match=reason):
        sample_of(_table(["a", "b"], ["yes", "no"], ["no", "no"]), task, metric, 50.0)


def test_randomisation_of_equal_answers_finds_nothing():
    sample = sample_of(_table(list("abcd"), list("1111"), list("1011")), "snli", "accuracy", 75.0).sample
    assert isinstance(sample, SumSample)
    assert paired_randomisation(sample, sample) == 1.0
