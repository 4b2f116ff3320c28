"""Is a difference as large as `plan` says found in four of five experiments? By drawing seeds and units of stored runs.

    python benchmarks/detectable_power.py [--draws 500] [--stored 40] [--units 200]

A store has many runs of two cores on a large test set. Scores have units that both share, an effect of the core on each
unit, of the seed, and noise. The minimum detectable difference is computed from all of these runs for planned numbers
of seeds, units and tests. Then one core is made better by just that, and each draw takes as many seeds of each core and
as many units, each once, and tests them as the report does. Printed is how often the better core is found, which should
be 80 %, and how often a winner is found without any difference, which may be in the level of a test.

Measured with 500 draws (2 % is a standard error): found in 75 to 78 % with 5 seeds or more, 72 % with 3, 68 % with 2;
winners without a difference in 0.2 to 4.8 %.
"""

from __future__ import annotations

import argparse

import numpy as np

from atinuke_bench.metrics.metric import Floats
from atinuke_bench.reports.statistics.spread import LEVEL, POWER, Scores, Sources, difference, sources
from atinuke_bench.reports.statistics.spread import minimum_detectable_difference as detectable

#: Points: deviations of a unit's difficulty, of a core's effect on it, of a seed, and of what is left.
DIFFICULTY, INTERACTION, SEED, NOISE = 30.0, 8.0, 0.8, 20.0
NUM_RESAMPLES = 300
#: Units of the store for each planned one: few enough are drawn that they are as good as new.
_STORED_UNITS = 20
#: Planned seeds, units as a multiple of those asked for, and tests that Holm's correction counts.
PLANS = ((2, 1.0, 1), (3, 1.0, 1), (5, 1.0, 1), (10, 1.0, 1), (5, 2.0, 1), (5, 1.0, 7))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--stored", type=int, default=40, help="runs of each core in the store")
    parser.add_argument("--units", type=int, default=200)
    chosen = parser.parse_args()
    print(f"{'seeds':>5} {'units':>5} {'tests':>5} {'detects':>8} {'found':>6} {'without':>8}")
    for num_seeds, factor, num_tests in PLANS:
        generator = np.random.default_rng([num_seeds, round(10 * factor), num_tests])
        stored = store_of_runs(generator, chosen.stored, _STORED_UNITS * chosen.units)
        num_units, level = round(factor * chosen.units), LEVEL / num_tests
        known = variances(stored, generator).on_units(num_units)
        least = detectable(known.spread(0.0, num_seeds), level, POWER)
        shares = [
            share_found(stored, planted, num_seeds, num_units, level, chosen.draws, generator)
            for planted in (least, 0.0)
        ]
        print(f"{num_seeds:5} {num_units:5} {num_tests:5} {least:8.2f} {shares[0]:6.1%} {shares[1]:8.1%}", flush=True)


def store_of_runs(generator: np.random.Generator, num_runs: int, num_units: int) -> list[Floats]:  # 2 x [S, N]
    """The scores of every unit in every run of two cores whose means over the store are equal."""
    difficulty = generator.normal(70.0, DIFFICULTY, size=num_units)
    cores = []
    for _ in range(2):
        effect = generator.normal(0.0, INTERACTION, size=num_units)
        seeds = generator.normal(0.0, SEED, size=(num_runs, 1))
        scores = difficulty + effect + seeds + generator.normal(0.0, NOISE, size=(num_runs, num_units))
        cores.append(scores - scores.mean() + 70.0)
    return cores


def variances(stored: list[Floats], generator: np.random.Generator) -> Sources:
    """The sources of the cores' difference as all stored runs show them."""
    drawn = generator.integers(0, stored[0].shape[1], size=(NUM_RESAMPLES, stored[0].shape[1]))
    found = sources([(_scores(stored[0], drawn), 1.0), (_scores(stored[1], drawn), -1.0)])
    assert found is not None, "all runs have their units"
    return found


def share_found(
    stored: list[Floats],
    planted: float,
    num_seeds: int,
    num_units: int,
    level: float,
    num_draws: int,
    generator: np.random.Generator,
) -> float:
    """How often the first core, better by `planted`, is called so, or any winner is where nothing is planted."""
    found = 0
    for _ in range(num_draws):
        units = generator.choice(stored[0].shape[1], num_units, replace=False)
        sides = [
            scores[np.ix_(generator.choice(len(scores), num_seeds, replace=False), units)] + gain
            for scores, gain in zip(stored, (planted, 0.0), strict=True)
        ]
        drawn = generator.integers(0, num_units, size=(NUM_RESAMPLES, num_units))
        spread = difference(_scores(sides[0], drawn), _scores(sides[1], drawn))
        found += spread.p_value < level and (not planted or spread.value > 0)
    return found / num_draws


def _scores(scores: Floats, drawn: np.ndarray) -> Scores:
    """Runs' means over units, and over resampled ones, as counts of each unit: [R, N] x [N, S]."""
    num_units = scores.shape[1]
    rows = np.repeat(np.arange(len(drawn)), drawn.shape[1])
    counts = np.zeros((len(drawn), num_units))
    np.add.at(counts, (rows, drawn.ravel()), 1.0)
    return Scores(scores.mean(axis=1), counts @ scores.T / num_units, num_units)


if __name__ == "__main__":
    main()
