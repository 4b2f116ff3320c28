"""How often a study chooses a trial that is worse than its best one, where the truth is known.

    python benchmarks/finals_planted.py

Twelve trials have true values from a normal distribution; a score is the true value and the luck of training. The rule
of the finals (`sweeps/finals.py`) asks for seeds, by its own estimate of luck, until it is done. Printed are, beside
those of the choice by the best first score: how often the choice is more than 1 point worse than the best trial, by how
much it is worse on average, and how many further runs that takes; and the same for all seeds of each of the best three.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from atinuke_bench.sweeps.finals import Candidate, Duels
from atinuke_bench.sweeps.race import Difference, luck_of

NUM_TRIALS, SEARCHED, NUM_SEEDS = 12, 40, 5
#: Standard deviations in points: of true values, of luck.
WORLDS = ((3.0, 0.5), (3.0, 1.0), (3.0, 2.0), (3.0, 3.0), (1.5, 1.5), (6.0, 6.0))


def trial(number: int, value: float | None, **attributes: int) -> Any:
    """What the finals see of a trial; one without a value was stopped early."""
    state = SimpleNamespace(name="PRUNED" if value is None else "COMPLETE")
    own = {"params": {"place": number}, "values": [value], "intermediate_values": {}, "user_attrs": attributes}
    return SimpleNamespace(number=number, state=state, **own)


def decide(scores: np.ndarray) -> tuple[int, int]:
    """The trial that the finals choose, and how many runs they had; scores [trials, seeds]."""
    trials = [trial(number, own[0]) for number, own in enumerate(scores)]
    trials += [trial(number, None) for number in range(len(scores), SEARCHED)]
    known = {number: [own[0]] for number, own in enumerate(scores)}

    def judge(ours: Candidate, theirs: Candidate) -> Difference:
        luck = luck_of(list(known.values()))
        return Difference(ours.mean() - theirs.mean(), (luck / len(ours.trials) + luck / len(theirs.trials)) ** 0.5)

    duels = Duels(judge, NUM_SEEDS, higher_is_better=True)
    while (state := duels.state(trials)).next is not None:
        number, seed = state.next
        known[number].append(scores[number, seed])
        trials.append(trial(len(trials), scores[number, seed], confirms=number, seed_offset=seed))
    return state.survivors[0].number, len(trials) - SEARCHED


def of_best(scores: np.ndarray, count: int = 3) -> tuple[int, int]:
    """The best by its mean of the best few, each with all seeds."""
    first = np.argsort(-scores[:, 0])[:count]
    return int(first[scores[first].mean(axis=1).argmax()]), count * (NUM_SEEDS - 1)


def plain(scores: np.ndarray) -> tuple[int, int]:
    return int(scores[:, 0].argmax()), 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1000, help="of each world")
    options = parser.parse_args()
    rules: dict[str, Callable[[np.ndarray], tuple[int, int]]]
    rules = {"best first score": plain, "finals": decide, "three, all seeds": of_best}
    print(f"{'truth, luck':>12}  {'rule':<18}{'worse':>8}{'points':>8}{'runs':>7}")
    for spread, luck in WORLDS:
        for name, rule in rules.items():
            generator, found = np.random.default_rng(0), []
            for _ in range(options.studies):
                truth = spread * generator.standard_normal(NUM_TRIALS)
                chosen, runs = rule(truth[:, None] + luck * generator.standard_normal((NUM_TRIALS, NUM_SEEDS)))
                found.append((truth.max() - truth[chosen], runs))
            lost = [one for one, _ in found]
            worse = 100 * statistics.fmean(one > 1 for one in lost)
            taken = statistics.fmean(one for _, one in found)
            print(
                f"{spread:>6}, {luck:>4}  {name:<18}{worse:>7.1f}%{statistics.fmean(lost):>8.2f}{taken:>7.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
