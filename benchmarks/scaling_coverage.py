"""How often the intervals of scaling laws hold what was planted, and how often a size that was left out.

    python benchmarks/scaling_coverage.py --num 300

Runs are simulated: a law with known parameters over sizes and amounts of data, the luck of seeds, and faults that all
seeds of a point share (other data, and what the law leaves out). Each design is fitted as reports do. Printed are, of
each parameter, the share of simulations whose interval holds it: of the profile, which reports show, of the bootstrap
over draws of the fitted law, and of one over the seeds of each point, which is too narrow.
An interval without an upper end counts as one that holds what it should: `open` is how often that happened, `from 0`
how often one begins at nothing. `new size` is the share of means of a size four times the largest that were within
their interval.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np

from atinuke_bench.reports.statistics.scaling import Law, fit, intervals, parameter_names

A, POWER_A, B, POWER_B = 12.0, 0.25, 60.0, 0.35
NUM_RESAMPLES = 60


@dataclass(frozen=True)
class Design:
    """What is simulated. Deviations are of log errors: of a seed, and of what all seeds of a point share."""

    name: str
    num_sizes: int = 4
    num_amounts: int = 4
    num_seeds: int = 3
    constant: float = 1.0
    seed_deviation: float = 0.01
    point_deviation: float = 0.005
    has_heavy_tails: bool = False


DESIGNS = (
    Design("4 sizes, 4 amounts, 3 seeds"),
    Design("3 sizes, 4 amounts, 2 seeds", num_sizes=3, num_seeds=2),
    Design("3 sizes, 3 amounts, 2 seeds", num_sizes=3, num_amounts=3, num_seeds=2),
    Design("5 sizes, 4 amounts, 3 seeds", num_sizes=5),
    Design("heavy tails (Student's t, 3 degrees)", has_heavy_tails=True),
    Design("twice the noise", seed_deviation=0.02, point_deviation=0.01),
    Design("hardly a constant (0.1)", constant=0.1),
)


def law_of(design: Design, size: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """The planted errors."""
    return np.asarray(design.constant + A / size**POWER_A + B / tokens**POWER_B)


def draw(design: Design, generator: np.random.Generator, errors: np.ndarray) -> np.ndarray:  # [C] -> [S, C]
    """What the seeds of each point measure."""
    shape = (design.num_seeds, len(errors))
    noise = generator.standard_t(3, shape) / np.sqrt(3) if design.has_heavy_tails else generator.normal(size=shape)
    shared = generator.normal(scale=design.point_deviation, size=len(errors))
    return np.asarray(errors * np.exp(noise * design.seed_deviation + shared))


def values_of(law: Law, theta: np.ndarray) -> dict[str, np.ndarray]:
    """The parameters by name, of draws [B, Q] around the law's centre."""
    found = {"E": np.exp(theta[:, 0])}
    for place, (coefficient, power) in enumerate((("A", "a"), ("B", "b"))):
        own = theta[:, 2 * place + 2]
        found |= {coefficient: np.exp(theta[:, 2 * place + 1] + own * law.centre[place]), power: own}
    return found


def over_seeds(axes: list[np.ndarray], seeds: np.ndarray, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """The parameters of laws through means over seeds drawn again at each point."""
    found: dict[str, list[float]] = {}
    for _ in range(NUM_RESAMPLES):
        chosen = generator.integers(len(seeds), size=seeds.shape)
        law = fit(axes, np.take_along_axis(seeds, chosen, axis=0).mean(axis=0))
        for name, values in values_of(law, law.theta[None]).items():
            found.setdefault(name, []).append(float(values[0]))
    return {name: np.array(values) for name, values in found.items()}


def simulate(design: Design, num: int, *, with_seeds: int) -> dict[str, dict[str, float]]:
    """Coverage in percent, by kind of interval and parameter; that over seeds in the first `with_seeds` alone."""
    generator = np.random.default_rng(7)
    size, tokens = (
        values.ravel()
        for values in np.meshgrid(np.geomspace(25e3, 3e6, design.num_sizes), np.geomspace(5e4, 1e6, design.num_amounts))
    )
    planted = {"E": design.constant, "A": A, "a": POWER_A, "B": B, "b": POWER_B}
    new = np.array([[4 * size.max()], [tokens.max()]])
    counts: dict[str, dict[str, int]] = {}

    def count(kind: str, name: str, holds: bool) -> None:
        counts.setdefault(kind, {}).setdefault(name, 0)
        counts[kind][name] += holds

    for number in range(num):
        seeds = draw(design, generator, law_of(design, size, tokens))
        law = fit([size, tokens], seeds.mean(axis=0))
        assert parameter_names(law) == list(planted), "a law over both axes"
        for name, interval in intervals(law).items():
            count("profile", name, interval.holds(planted[name]))
            count("open", name, interval.is_open)
            count("from 0", name, interval.low <= 0)
        kinds = {"drawn from the law": values_of(law, law.draws[:, 1:])}
        if number < with_seeds:
            kinds["over seeds"] = over_seeds([size, tokens], seeds, generator)
        for kind, draws in kinds.items():
            for name, values in draws.items():
                low, high = np.quantile(values, (0.025, 0.975))
                count(kind, name, bool(low <= planted[name] <= high))
        measured = float(draw(design, generator, law_of(design, *new)).mean())
        count("new size", "", law.predict_new(new)[0].holds(measured))
    totals = dict.fromkeys(counts, num) | {"over seeds": with_seeds}
    return {
        kind: {name: round(100 * held / totals[kind], 1) for name, held in own.items()} for kind, own in counts.items()
    }


def main() -> None:
    """Print the coverage of each design."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--num", type=int, default=300, help="simulations of each design")
    parser.add_argument("--with-seeds", type=int, default=60, help="those with the slow bootstrap over seeds")
    parser.add_argument("--designs", type=int, default=len(DESIGNS), help="the first so many designs")
    options = parser.parse_args()
    for design in DESIGNS[: options.designs]:
        started = time.perf_counter()
        found = simulate(design, options.num, with_seeds=min(options.num, options.with_seeds))
        print(f"{design.name} ({time.perf_counter() - started:.0f} s)", flush=True)
        for kind, own in found.items():
            print(f"  {kind:<20}" + "  ".join(f"{name} {share:.1f}" for name, share in own.items()), flush=True)


if __name__ == "__main__":
    main()
