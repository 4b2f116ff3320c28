"""What planned runs can show: a difference that large is found in four of five stores."""

from __future__ import annotations

import math

import numpy as np
import pytest

from atinuke_bench.errors import ConfigError
from atinuke_bench.reports.reading.collect import read_frame
from atinuke_bench.reports.reading.seed_variances import read_seed_variances
from atinuke_bench.reports.statistics.detectable import (
    PlannedColumn,
    detectable,
    published_sources,
    require_difference,
)
from atinuke_bench.reports.statistics.spread import LEVEL, Scores, difference, minimum_detectable_difference, sources

CORES = ("bilstm-nano", "atinuke-nano")
SNLI = PlannedColumn("snli", "accuracy", CORES, 3, "local", 9824)


def scores(generator, *, num_seeds, num_units, between, gain, hard):
    """Accuracies of a core whose seeds differ by `between` points on units as hard as `hard` says."""
    ability = gain / 100 + generator.normal(0, between / 100, size=(num_seeds, 1))
    right = generator.random((num_seeds, num_units)) < np.clip(0.9 - hard + ability, 0, 1)
    return right.astype(float)


def resampled(right, drawn):
    return Scores(100 * right.mean(axis=1), 100 * (right[:, drawn].mean(axis=2)).T, right.shape[1])


def pair(generator, gain, num_seeds, num_units=400, between=1.5):
    hard = generator.random(num_units) * 0.4
    sides = [
        scores(generator, num_seeds=num_seeds, num_units=num_units, between=between, gain=own, hard=hard)
        for own in (gain, 0.0)
    ]
    drawn = generator.integers(0, num_units, size=(200, num_units))
    return [resampled(right, drawn) for right in sides]


def test_a_difference_as_large_as_promised_is_found_in_four_of_five_experiments():
    generator = np.random.default_rng(0)
    pilot = [sources([(a, 1.0), (b, -1.0)]) for a, b in (pair(generator, 0.0, 8) for _ in range(12))]
    promised = np.mean([minimum_detectable_difference(one.spread(0.0, 4)) for one in pilot if one is not None])
    found = [difference(*pair(generator, promised, 4)).p_value < LEVEL for _ in range(150)]
    assert 0.70 < np.mean(found) < 0.90


def test_seeds_and_units_that_are_planned_change_what_can_be_shown():
    generator = np.random.default_rng(1)
    a, b = pair(generator, 0.0, 6)
    known = sources([(a, 1.0), (b, -1.0)])
    assert known is not None
    seen = [minimum_detectable_difference(known.spread(0.0, number)) for number in (2, 3, 6, 50)]
    assert seen == sorted(seen, reverse=True)
    larger = known.on_units(1600)
    assert larger.of_units == pytest.approx(known.of_units / 4)
    assert [left for left, _, _ in larger.of_seeds] == [left for left, _, _ in known.of_seeds]


def test_published_variances_and_holms_correction():
    alone, many = detectable([SNLI], None)[0], detectable([SNLI] * 4, None)[0]
    assert alone.level == LEVEL
    assert many.level == pytest.approx(LEVEL / 4)
    assert 0 < alone.floor < alone.difference < many.difference
    assert "bert-base-uncased" in alone.basis
    rows = read_seed_variances()
    own = rows[rows["task"] == "snli"]
    known = published_sources(own["mean"].mean(), (own["sd"] ** 2).mean(), 9824)
    assert alone.difference == pytest.approx(minimum_detectable_difference(known.spread(0.0, 3)))
    assert set(rows.columns) >= {"task", "metric", "system", "mean", "sd", "num_seeds", "source"}
    assert rows["source"].str.len().min() > 10


def test_a_difference_needs_so_many_seeds_or_a_larger_test_set():
    (possible,) = detectable([SNLI], None, asked=1.0)
    assert possible.seeds_needed is not None
    known = published_sources(89.67, (1.33**2 + 0.66**2) / 2, 9824)
    assert minimum_detectable_difference(known.spread(0.0, possible.seeds_needed)) <= 1.0
    assert minimum_detectable_difference(known.spread(0.0, possible.seeds_needed - 1)) > 1.0
    (impossible,) = detectable([SNLI], None, asked=0.2)
    assert impossible.seeds_needed is None
    assert impossible.floor > 0.2


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"num_seeds": 1}, "one seed is never tested"),
        ({"num_units": None}, "size of its test set is not known"),
        ({"num_units": 5}, "an interval needs 8"),
        ({"cores": ("bilstm-nano",)}, "nothing to compare it with"),
        ({"source": "microworld"}, "generated data is like no published"),
        ({"task": "coref"}, "no published variance"),
    ],
)
def test_what_cannot_be_said_is_said(changed, why):
    from dataclasses import replace

    (found,) = detectable([replace(SNLI, **changed)], None)
    assert math.isnan(found.difference)
    assert why in found.basis


def test_runs_in_the_store_come_before_published_ones(tmp_path, write_run):
    for core, right in (("bilstm", 0.7), ("atinuke", 0.75)):
        for seed in range(3):
            write_run(tmp_path, core, seed=seed, right=right)
    frame = read_frame([tmp_path])
    (found,) = detectable([SNLI], frame)
    assert found.basis == "runs in the store, 3 seeds each"
    as_they_are, _ = detectable([PlannedColumn("snli", "accuracy", CORES, 3, "local", None)] * 2, frame)
    assert as_they_are.num_units == 300
    assert found.difference < as_they_are.difference
    assert "published" in detectable([PlannedColumn("snli", "accuracy", ("x", "y"), 3, "local", 9824)], frame)[0].basis


@pytest.mark.parametrize("points", [0.0, -1.0, 100.0, math.nan])
def test_no_difference_is_no_question(points):
    with pytest.raises(ConfigError, match="--detect is a number of points above 0"):
        require_difference(points)
