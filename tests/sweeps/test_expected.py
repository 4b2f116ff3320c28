"""The best score to expect of n trials, against what is counted by hand and by trying all choices."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest

from atinuke_bench.sweeps.insight.expected import expected_best, interval, plug_in, unbiased

SCORES = np.array([61.0, 50.0, 70.0, 70.0, 55.5, 64.0])


def test_the_unbiased_estimator_is_the_mean_over_all_choices():
    own = [np.mean([max(chosen) for chosen in combinations(SCORES, size)]) for size in range(1, 7)]
    assert unbiased(SCORES, 6) == pytest.approx(own)


def test_the_plug_in_estimator_is_the_mean_over_all_draws_with_replacement():
    own = [np.mean([max(drawn) for drawn in product(SCORES, repeat=size)]) for size in range(1, 6)]
    assert plug_in(SCORES, 5) == pytest.approx(own)


def test_both_are_as_counted_by_hand():
    # Of 0, 3 and 9: pairs have 3, 9 and 9; of nine draws of two, one has 0, three have 3, five have 9.
    assert unbiased(np.array([9.0, 0.0, 3.0]), 3) == pytest.approx([4, 7, 9])
    assert plug_in(np.array([9.0, 0.0, 3.0]), 2) == pytest.approx([4, (3 * 3 + 5 * 9) / 9])


def test_thousands_of_trials_are_no_overflow():
    found = unbiased(np.arange(1500.0), 1500)
    assert np.isfinite(found).all()
    assert found[[0, -1]] == pytest.approx([749.5, 1499])


def test_intervals_hold_the_mean_of_one_trial_as_often_as_they_say():
    rng = np.random.default_rng(0)
    ends = [interval(rng.normal(0, 1, 40), 10, rng) for _ in range(100)]
    assert np.mean([low[0] <= 0 <= high[0] for low, high in ends]) > 0.88
    # The mean of the largest of five normal numbers.
    assert np.mean([low[4] <= 1.163 <= high[4] for low, high in ends]) > 0.85


def test_a_loss_is_mirrored():
    gain = expected_best(SCORES.repeat(2), 5.0, higher_is_better=True, seed=0)
    loss = expected_best(-SCORES.repeat(2), 5.0, higher_is_better=False, seed=0)
    assert loss["mean"] == pytest.approx(-np.array(gain["mean"]))
    assert loss["low"][:3] == pytest.approx(-np.array(gain["high"][:3]))
    assert gain["trials"] == [1, 2, 3, 4, 5, 6]
    assert gain["training_flops"] == [5, 10, 15, 20, 25, 30]
    assert gain["low"][3:] == gain["high"][3:] == [None] * 3
    assert all(
        low <= mean <= high for low, mean, high in zip(gain["low"][:3], gain["mean"], gain["high"], strict=False)
    )
