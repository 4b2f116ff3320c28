"""Whether the chance that a study states of its choice being the best is the share of such choices that are.

    python benchmarks/selection_chance.py

Finalists with known true values are scored on held-out examples that all share, with the luck of a few seeds; the
stated chance is held against whether the chosen one is the best, over many draws. Printed for each kind of finals: the
mean stated chance and the share that was right, the same among the least and the most certain third, and the mean
stated shortfall beside what was lost.
"""

from __future__ import annotations

import argparse
from statistics import NormalDist

import numpy as np

from atinuke_bench.sweeps.choice import Compared, chances


def drawn(
    generator: np.random.Generator, spread: float, luck: float, size: int, seeds: int, examples: int, skew: bool
) -> tuple[np.ndarray, Compared]:
    """True values, and what a study sees of them: means over seeds and the estimated covariance of their errors."""
    truth = 70 - spread * generator.exponential(1, size) if skew else 70 + spread * generator.standard_normal(size)
    # Examples are hard for all alike, and a little for each alone: two trainings agree on most of them.
    hard = generator.standard_normal((1, examples)) + 0.7 * generator.standard_normal((size, examples))
    rows = 100.0 * (hard < _limit(truth)[:, None])
    examples_error = np.cov(rows, ddof=1) / examples
    by_seed = rows.mean(axis=1)[:, None] + luck * generator.standard_normal((size, seeds))
    found = by_seed.var(axis=1, ddof=1).mean()
    return truth, Compared(by_seed.mean(axis=1), examples_error + found / seeds * np.eye(size))


def _limit(truth: np.ndarray) -> np.ndarray:
    """How hard an example may be for a trial of a true value to be right about it."""
    return np.array([NormalDist(0, np.sqrt(1.49)).inv_cdf(value / 100) for value in truth])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=600)
    options = parser.parse_args()
    heads = (
        ("spread", 7), ("luck", 6), ("seeds", 7), ("finalists", 11), ("", 8), ("stated", 8), ("right", 8),
        ("low third", 16), ("high third", 16), ("shortfall", 18),
    )  # fmt: skip
    print("".join(f"{head:>{width}}" for head, width in heads))
    for spread, luck, seeds, size, skew in (
        (0.5, 0.5, 3, 6, False), (1.5, 0.5, 3, 6, False), (3.0, 1.0, 3, 6, False), (1.5, 1.5, 3, 6, False),
        (1.5, 1.0, 2, 3, False), (2.0, 1.0, 3, 6, True), (0.0, 1.0, 3, 6, False),
    ):  # fmt: skip
        generator = np.random.default_rng([7, int(10 * spread), int(10 * luck), seeds, size])
        stated, right, expected, lost = [], [], [], []
        for draw in range(options.draws):
            truth, compared = drawn(generator, spread, luck, size, seeds, 1000, skew)
            found, chosen = chances(compared, draw), int(compared.values.argmax())
            stated.append(found.best[chosen])
            right.append(truth[chosen] >= truth.max())
            expected.append(found.shortfall[chosen])
            lost.append(truth.max() - truth[chosen])
        order = np.argsort(stated)
        low, high = order[: len(order) // 3], order[-(len(order) // 3) :]
        pairs = [f"{np.mean(np.array(stated)[part]):.2f} {np.mean(np.array(right)[part]):.2f}" for part in (low, high)]
        kind = "skewed" if skew else ""
        print(f"{spread:>7}{luck:>6}{seeds:>7}{size:>11}{kind:>8}{np.mean(stated):>8.2f}{np.mean(right):>8.2f}"
              f"{pairs[0]:>16}{pairs[1]:>16}{np.mean(expected):>10.2f} {np.mean(lost):.2f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
