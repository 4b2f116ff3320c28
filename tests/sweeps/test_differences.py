"""Paired tests over held-out examples, and how sure a choice is."""

import math
import statistics
from typing import Any

import numpy as np
import pytest

from atinuke_bench.sweeps.choice import Compared, chances
from atinuke_bench.sweeps.parts import Aggregate, Part, Scored, StudyTask, value_of
from atinuke_bench.sweeps.race import Difference, Outcome, difference, examples_error, luck_of

SNLI = StudyTask(task="snli", metric="accuracy", higher_is_better=True, max_epochs=4)
MRPC = StudyTask(task="glue/mrpc", metric="f1", higher_is_better=True, max_epochs=4)
UNITS = 200


def right(share, seed=0, units=UNITS):
    """Which of the examples a trial is right about, of 100 points each."""
    return 100.0 * (np.random.default_rng(seed).permutation(units) < round(share * units))


def outcome(values, task=SNLI, floor=0.0):
    units = {str(place): float(value) / len(values) for place, value in enumerate(values)}
    return Outcome(Part(task), Scored(float(np.mean(values)), floor), units)


def compared(ours, theirs, aggregate: Aggregate = "normalised", **settings: Any) -> Difference:
    """The difference of two trials of which there is enough to compare."""
    found = difference(ours, theirs, aggregate, **settings)
    assert found is not None
    return found


def test_a_difference_is_that_of_paired_examples():
    ours, theirs = right(0.6, 1), right(0.5, 2)
    found = compared([[outcome(ours)]], [[outcome(theirs)]])
    gaps = ours - theirs
    assert found.mean == pytest.approx(gaps.mean())
    assert found.error == pytest.approx(gaps.std(ddof=1) / math.sqrt(UNITS))


def test_what_is_hard_for_all_is_no_error_of_a_difference():
    theirs = right(0.5)
    ours = theirs.copy()
    ours[np.flatnonzero(theirs == 0)[:10]] = 100.0
    paired = compared([[outcome(ours)]], [[outcome(theirs)]])
    apart = compared([[outcome(np.random.default_rng(3).permutation(ours))]], [[outcome(theirs)]])
    assert paired.mean == pytest.approx(apart.mean) == pytest.approx(5.0)
    assert paired.error < 0.5 * apart.error


def test_seeds_are_put_together_and_their_luck_is_counted():
    ours, theirs = [[outcome(right(0.6, seed))] for seed in (1, 2)], [[outcome(right(0.5, seed))] for seed in (3, 4)]
    bare = compared(ours, theirs)
    lucky = compared(ours, theirs, luck=4.0)
    assert bare.mean == pytest.approx(10.0)
    assert lucky.error**2 == pytest.approx(bare.error**2 + 2 * 4.0 / 2)


def test_tasks_weigh_by_the_way_from_their_floors():
    ours = [[outcome(right(0.8), SNLI, 33.0), outcome(right(0.9), MRPC, 80.0)]]
    theirs = [[outcome(right(0.7), SNLI, 33.0), outcome(right(0.8), MRPC, 80.0)]]
    assert compared(ours, theirs).mean == pytest.approx((10 / 0.67 + 10 / 0.2) / 2)
    assert compared(ours, theirs, "mean").mean == pytest.approx(10.0)


def test_a_floor_without_a_score_counts_as_nothing():
    parts, scored = [Part(SNLI), Part(MRPC)], [Scored(60.0, 20.0), Scored(30.0, None)]
    assert value_of(parts, scored, "normalised") == pytest.approx((50 + 30) / 2)
    assert value_of(parts, [Scored(60.0, 100.0), scored[1]], "normalised") is None


def test_lower_can_be_better():
    ours, theirs = [[outcome(right(0.6))]], [[outcome(right(0.5))]]
    assert compared(ours, theirs, higher_is_better=False).mean == pytest.approx(-10.0)


@pytest.mark.parametrize("units", [7, 8])
def test_too_few_units_show_nothing(units):
    found = difference([[outcome(right(0.2, units=units))]], [[outcome(right(1.0, units=units))]], "normalised")
    assert (found is None) == (units < 8)


def test_other_examples_are_not_compared():
    other = Outcome(Part(SNLI), Scored(50.0, 0.0), {f"other {place}": 0.25 for place in range(UNITS)})
    assert difference([[outcome(right(0.5))]], [[other]], "normalised") is None
    assert examples_error([[[outcome(right(0.5))]], [[other]]], "normalised") is None


def test_the_test_holds_its_level():
    """Of two trials that are alike one is shown worse as often as the level says."""
    generator, shown = np.random.default_rng(5), 0
    for _ in range(1000):
        hard = generator.uniform(size=UNITS)
        ours, theirs = (100.0 * (generator.uniform(size=UNITS) < hard) for _ in range(2))
        shown += compared([[outcome(ours)]], [[outcome(theirs)]]).is_worse
    assert 0.08 <= shown / 1000 <= 0.125


def test_errors_of_several_trials_are_those_of_their_pairs():
    ours, theirs = ([[outcome(right(0.6, seed))] for seed in seeds] for seeds in ((1, 2), (3, 4)))
    errors = examples_error([ours, theirs], "normalised")
    assert errors is not None
    pair = compared(ours, theirs)
    assert errors[0, 0] + errors[1, 1] - 2 * errors[0, 1] == pytest.approx(pair.error**2)


def test_a_lead_that_is_noise_is_a_chance_and_no_certainty():
    near = chances(Compared(np.array([70.0, 70.5, 69.5]), np.eye(3)))
    assert near.best.argmax() == 1
    assert 0.34 < near.best[1] < 0.6
    assert near.best.sum() == pytest.approx(1.0)
    far = chances(Compared(np.array([60.0, 80.0, 61.0]), np.eye(3)))
    assert far.best[1] > 0.99
    assert far.shortfall[1] < 0.05 < near.shortfall[1]


def test_luck_is_pooled_over_those_with_several_seeds():
    assert luck_of([[1.0, 3.0], [10.0, 10.0, 16.0], [5.0]]) == pytest.approx(
        (statistics.variance([1.0, 3.0]) + 2 * statistics.variance([10.0, 10.0, 16.0])) / 3
    )
