"""How often the intervals of effects, interactions and shares of a difference hold the truth, on simulated factorials.

    python benchmarks/attribution_coverage.py [--sets 500] [--factors 2] [--seeds 2 3]

A factorial has 2 or 3 factors of two levels with planted effects and interactions, units that all cells answer, and 2
to 10 seeds. What a unit is worth varies with each level, so that cells with a level in common are alike on it. Of the
seeds of a row either each cell has its own luck, or a share of it is common to all cells, which have the same seeds.
Prints the share of sets whose 95 % interval holds the truth, and how often an effect of 0 is told apart by the plain p
(nominal 5 %), and one as large as a margin called equal. Of 500 sets a share is known to 1.

Measured with 500 sets a row, 2 and 3 factors, 2 to 10 seeds: seeds of their own 93.4 to 96.2 %, same seeds 92.6 to
96.4, with 70 % of their luck in common 93.6 to 98.0 (213 of these 216 shares between 93 and 97); an effect of 0 is
told apart in 4.1 to 5.7 %. Where the seeds of one cell differ three times as much, 91.6 to 96.0 %, the lowest for the
difference of two corners and few seeds. Luck that the cells of one level share is not told from that of each cell:
where it is 30 % of the luck of seeds, which is little beside that of units here, 92.2 to 97.8 %.

With 200 sets, 2 factors, 3 and 5 seeds: an effect as large as a margin is called equal within it, by the plain p, in
1.3 to 2.7 % (nominal 5 %).
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from atinuke_bench.metrics.bootstrap import draw_weights
from atinuke_bench.reports.statistics.attribution import Effect, break_down, effects, level_means, shapley
from atinuke_bench.reports.statistics.factorial import Factorial, Key
from atinuke_bench.reports.statistics.spread import LEVEL, Scores, Spread
from atinuke_bench.reports.statistics.verdict import equivalence_p

#: Points: deviations of a unit's difficulty, of what a level changes on it, of a seed in a cell, and of what is left.
DIFFICULTY, INTERACTION, SEED, NOISE = 30.0, 8.0, 1.5, 20.0
NUM_RESAMPLES = 200
LEVELS = ("first", "last")
#: What each factor adds, and each pair together; the last factor and the last two pairs add nothing.
EFFECTS = {"a": 3.0, "b": -2.0, "c": 0.0}
PAIRS = {("a", "b"): 2.0}


@dataclass(frozen=True)
class Luck:
    """Whose the luck of seeds is: the shares of its variance that all cells have in common, and those with one level
    of the first factor; and how many times as large its deviation is in the first cell. `is_paired`: whether all cells
    have the same seeds."""

    common: float = 0.0
    by_level: float = 0.0
    first: float = 1.0
    is_paired: bool = False


LUCKS = {
    "seeds of their own": Luck(),
    "same seeds, no luck in common": Luck(is_paired=True),
    "same seeds, 70 % of the luck in common": Luck(0.7, is_paired=True),
    "same seeds, first cell 3 times as lucky": Luck(first=3.0, is_paired=True),
    "same seeds, 30 % of the luck in common by level of a": Luck(by_level=0.3, is_paired=True),
}


def truth_of(key: Key, factors: tuple[str, ...]) -> float:
    """The mean of a cell over endless units and seeds."""
    changed = {factor for factor, level in zip(factors, key, strict=True) if level == LEVELS[-1]}
    alone = sum(EFFECTS[factor] for factor in changed)
    return 70.0 + alone + sum(value for pair, value in PAIRS.items() if changed >= set(pair))


def draw(
    factors: tuple[str, ...], num_seeds: int, num_units: int, luck: Luck, generator: np.random.Generator
) -> Factorial:
    """One factorial, all cells resampled alike."""
    weights = draw_weights(num_units, NUM_RESAMPLES, generator) / num_units  # [R, N]
    difficulty = generator.normal(0, DIFFICULTY, num_units)
    of_level = {level: generator.normal(0, INTERACTION, num_units) for level in product(factors, LEVELS)}
    common = generator.normal(0, SEED * np.sqrt(luck.common), num_seeds)
    by_level = {level: generator.normal(0, SEED * np.sqrt(luck.by_level), num_seeds) for level in LEVELS}
    scores = {}
    for place, key in enumerate(product(LEVELS, repeat=len(factors))):
        deviation = SEED * np.sqrt(1 - luck.common - luck.by_level) * (luck.first if place == 0 else 1.0)
        of_units = difficulty + sum(of_level[level] for level in zip(factors, key, strict=True))
        of_seeds = common + by_level[key[0]] + generator.normal(0, deviation, num_seeds)
        own = truth_of(key, factors) + of_units + of_seeds[:, None]
        own = own + generator.normal(0, NOISE, own.shape)  # [S, N]
        scores[key] = Scores(own.mean(axis=1), weights @ own.T, num_units)
    return Factorial(dict.fromkeys(factors, LEVELS), scores, shares_seeds=luck.is_paired)


def outcomes(made: Factorial) -> Iterator[tuple[str, bool]]:
    """What is right or wrong of one factorial, by name."""
    factors = tuple(made.factors)
    truths = {key: truth_of(key, factors) for key in made.keys}
    for effect in effects(made):
        expected = _expected(effect)
        yield f"effect of {' × '.join(effect.factors)}", holds(effect.spread, expected)
        if not expected:
            yield "  an effect of 0 told apart (5)", effect.spread.p_value < LEVEL
        else:
            p, _ = equivalence_p(effect.spread, abs(expected))
            yield "  one as large as the margin called equal (5)", p < LEVEL
    found = break_down(made)
    assert found is not None, "no cell is missing"
    yield "difference of the corners", holds(found.total, truths[made.keys[-1]] - truths[made.keys[0]])
    for share in found.shares:
        (factor,) = share.factors
        expected = sum(weight * truths[key] for key, weight in shapley(dict.fromkeys(factors, LEVELS), factor).items())
        yield f"share of {factor} in it", holds(share.spread, expected)
    for own in level_means(made):
        at = factors.index(own.factor)
        inside = [truth for key, truth in truths.items() if key[at] == own.level]
        if own.level == LEVELS[-1]:
            yield (
                "distance of a level from the mean",
                holds(own.distance, float(np.mean(inside) - np.mean([*truths.values()]))),
            )


def _expected(effect: Effect) -> float:
    """What was planted: a main effect meets each interaction in half of the settings."""
    if len(effect.factors) > 1:
        return PAIRS.get((effect.factors[0], effect.factors[1]), 0.0)
    (factor,) = effect.factors
    return EFFECTS[factor] + sum(value / 2 for pair, value in PAIRS.items() if factor in pair)


def holds(spread: Spread, truth: float) -> bool:
    interval = spread.interval()
    return interval is not None and bool(interval[0] <= truth <= interval[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=500, help="simulated factorials of each row")
    parser.add_argument("--units", type=int, default=200)
    parser.add_argument("--factors", type=int, nargs="+", default=[2, 3], choices=[2, 3])
    parser.add_argument("--seeds", type=int, nargs="+", default=[2, 3, 5, 10])
    given = parser.parse_args()
    for num_factors in given.factors:
        factors = tuple(EFFECTS)[:num_factors]
        for name, luck in LUCKS.items():
            print(f"{num_factors} factors, {name}: share of {given.sets} sets, %", flush=True)
            shares: dict[str, list[float]] = defaultdict(list)
            for num_seeds in given.seeds:
                generator = np.random.default_rng([num_factors, num_seeds])
                found = defaultdict(list)
                for _ in range(given.sets):
                    for outcome, is_so in outcomes(draw(factors, num_seeds, given.units, luck, generator)):
                        found[outcome].append(is_so)
                for outcome, held in found.items():
                    shares[outcome].append(100 * float(np.mean(held)))
            print(f"  {'seeds':44}" + "".join(f"{num:7}" for num in given.seeds))
            for outcome, own in shares.items():
                print(f"  {outcome:44}" + "".join(f"{share:7.1f}" for share in own), flush=True)


if __name__ == "__main__":
    main()
