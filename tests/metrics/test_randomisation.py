"""Exchanges: the same p as one test at a time, exact with few units, and no more false positives than promised."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from atinuke_bench.metrics.metric import SumSample, mean_sample, ratio
from atinuke_bench.metrics.randomisation import sign_p_values, swap_p_values
from atinuke_bench.reports.statistics.paired import paired_randomisation


def _f1(sums):
    return 100 * ratio(2 * sums[:, 0], sums[:, 1] + sums[:, 2])


def _sample(generator, num_units, units=None):
    gold = generator.integers(1, 5, num_units)
    found = generator.integers(1, 5, num_units)
    right = np.minimum(generator.integers(0, 5, num_units), np.minimum(gold, found))
    names = units or tuple(map(str, range(num_units)))
    return SumSample(names, np.stack([right, gold, found], axis=1).astype(float), _f1)


def test_many_at_once_are_as_one_by_one():
    generator = np.random.default_rng(0)
    one, *others = (_sample(generator, 60) for _ in range(4))
    found = swap_p_values(one, others)
    assert found == pytest.approx([paired_randomisation(one, other) for other in others], abs=0.03)


def test_few_units_have_all_exchanges():
    generator = np.random.default_rng(1)
    one, other = _sample(generator, 8), _sample(generator, 8)
    differences = []
    for swapped in product([0.0, 1.0], repeat=8):
        weights = np.array(swapped)[:, None]
        sides = [(weights * b.statistics + (1 - weights) * a.statistics).sum(axis=0) for a, b in
                 ((one, other), (other, one))]  # fmt: skip
        differences.append(abs(np.subtract(*(_f1(side[None])[0] for side in sides))))
    expected = np.mean(np.array(differences) >= differences[0] - 1e-9)
    assert swap_p_values(one, [other])[0] == pytest.approx(expected)


def test_what_cannot_be_paired_has_no_p():
    one, wider = mean_sample("ab", [1.0, 0.0]), SumSample(("a", "b"), np.ones((2, 3)), _f1)
    assert np.isnan(swap_p_values(one, [wider, mean_sample("ac", [1.0, 0.0])])).all()
    assert np.isnan(sign_p_values(np.full((9, 1), np.nan))).all()


def test_false_positives_are_as_few_as_promised():
    generator = np.random.default_rng(2)
    skewed = generator.exponential(size=(400, 30, 1)) - generator.exponential(size=(400, 30, 1))
    signs = [sign_p_values(own)[0] for own in skewed]
    answers = (generator.random((400, 2, 60)) < 0.6).astype(float)
    names = [str(number) for number in range(60)]
    swaps = []
    for one, other in answers[:150].tolist():
        swaps += swap_p_values(mean_sample(names, one), [mean_sample(names, other)]).tolist()
    assert np.mean(np.array(signs) < 0.05) < 0.08
    assert np.mean(np.array(swaps) < 0.05) < 0.09
