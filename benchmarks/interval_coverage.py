"""How often a 95 % interval holds the truth, on simulated test sets whose examples come in clusters.

    python benchmarks/interval_coverage.py

Prints the coverage of intervals that resample examples and of those that resample clusters, by how many clusters there
are. From it are what is resampled and the fewest units with an interval (`FEWEST_UNITS`): nominal is 95 %.
"""

from __future__ import annotations

import argparse

import numpy as np

from atinuke_bench.metrics.bootstrap import percentile_interval
from atinuke_bench.metrics.metric import mean_sample
from atinuke_bench.metrics.units import grouped

#: How well a simulated core answers.
TRUTH = 70.0
#: Name -> examples a cluster, share of variance that is between clusters, and deviation of sizes as part of their mean.
KINDS = {"articles": (200, 0.05, 0.7), "paragraph groups": (25, 0.05, 0.4), "premises": (3, 0.15, 0.3)}


def draw(kind: str, num_clusters: int, generator: np.random.Generator) -> tuple[list[str], list[float]]:
    """The cluster and the score of each example of one test set."""
    mean_size, between, deviation = KINDS[kind]
    log_variance = np.log(1 + deviation**2)
    drawn = generator.lognormal(np.log(mean_size) - log_variance / 2, np.sqrt(log_variance), num_clusters)
    sizes = np.maximum(1, drawn.round()).astype(np.int64)
    weight = 1 / between - 1
    skill = generator.beta(weight * TRUTH / 100, weight * (1 - TRUTH / 100), num_clusters)
    right = generator.random(sizes.sum()) < np.repeat(skill, sizes)
    return [f"c{number}" for number in np.repeat(np.arange(num_clusters), sizes)], right.astype(float).tolist()


def coverage(kind: str, num_clusters: int, num_sets: int, seed: int = 0, fewest: int = 2) -> tuple[float, float]:
    """Shares of test sets whose interval holds the truth: by examples, and by clusters."""
    generator = np.random.default_rng(seed)
    held = np.zeros(2)
    for _ in range(num_sets):
        clusters, scores = draw(kind, num_clusters, generator)
        sample = mean_sample([str(number) for number in range(len(scores))], scores)
        for place, own in enumerate((sample, grouped(sample, clusters))):
            interval = percentile_interval(own, num_resamples=400, fewest=fewest)
            held[place] += interval is not None and interval[0] <= TRUTH <= interval[1]
    by_example, by_cluster = (held / num_sets).tolist()
    return by_example, by_cluster


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=500, help="simulated test sets of each row")
    given = parser.parse_args()
    for kind in KINDS:
        for num_clusters in (3, 4, 5, 6, 8, 10, 15, 48):
            by_example, by_cluster = coverage(kind, num_clusters, given.sets)
            print(
                f"{num_clusters:3} {kind}: {100 * by_example:5.1f} % by example, {100 * by_cluster:5.1f} % by cluster"
            )


if __name__ == "__main__":
    main()
