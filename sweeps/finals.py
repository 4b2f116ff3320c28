"""The finals of a study: the trials that may be the best get further seeds, until all but one are shown worse.

The best of many trials is partly the luckiest. So once the search is over the best trials get another seed. From then
on the one with the highest mean leads; the trial that is the hardest to tell from it challenges it, and the one of the
two that has fewer seeds gets another one, and so on, up to `num_seeds` seeds each. So seeds go where they decide: a
trial that is clearly worse gets none, two that are close get many. A run with another seed is a trial that *confirms*
an earlier one: same values, `confirms` says whose. What is to be done next follows from the trials alone, so that any
process, and any restart, goes on where the last one was. Sampling the leader and its closest challenger is known from
best-arm identification (LUCB, Kalyanakrishnan et al. 2012).
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.trial import FrozenTrial

from atinuke_bench.sweeps.limits import may_be_best
from atinuke_bench.sweeps.race import Difference

#: So many of the best get a second seed: before any is known, a test over examples alone says too much.
FIRST = 3
#: Further runs: at most those of so many trials with all seeds, and at most one for so many trials of the search.
MOST_FULL, TRIALS_PER_RUN = 3, 2
#: Of a budget of seconds or operations, the part that is left to the finals.
RESERVE = 0.25


def confirms(trial: FrozenTrial) -> int | None:
    """The number of the trial that this one confirms with another seed; None of a trial of the search."""
    number = trial.user_attrs.get("confirms")
    return number if isinstance(number, int) else None


def seed_offset(trial: FrozenTrial) -> int:
    """Which of the study's seeds a trial has, counted from 0, the search's own."""
    offset = trial.user_attrs.get("seed_offset", 0)
    return offset if isinstance(offset, int) else 0


@dataclass(frozen=True)
class Candidate:
    """A configuration with its complete trials, one a seed in order, the search's first."""

    number: int
    trials: tuple[FrozenTrial, ...]

    @property
    def values(self) -> list[float]:
        return [trial.values[0] for trial in self.trials]

    def mean(self) -> float:
        return statistics.fmean(self.values)


@dataclass(frozen=True)
class Finals:
    """How far the finals are."""

    #: Those that no test has shown worse, the one that leads first.
    survivors: tuple[Candidate, ...] = ()
    #: The trial to confirm next, with the number of the seed.
    next: tuple[int, int] | None = None
    #: Whether runs of the finals are under way or queued.
    waits: bool = False
    #: Those that were given further seeds, and those that might have been.
    finalists: tuple[Candidate, ...] = ()


#: How much better a candidate is than another, over all their seeds; None where it cannot be told.
Judge = Callable[[Candidate, Candidate], Difference | None]


def candidates(trials: Sequence[FrozenTrial], *, higher_is_better: bool) -> list[Candidate]:
    """The complete trials of the search with what confirmed them, the best by its own score first."""
    own = [trial for trial in trials if may_be_best(trial) and confirms(trial) is None]
    further: dict[int, dict[int, FrozenTrial]] = {}
    for trial in trials:
        number = confirms(trial)
        if number is not None and trial.state.name == "COMPLETE":
            further.setdefault(number, {})[seed_offset(trial)] = trial
    found = []
    for trial in own:
        seeds, known = [trial], further.get(trial.number, {})
        while len(seeds) in known:
            seeds.append(known[len(seeds)])
        found.append(Candidate(trial.number, tuple(seeds)))
    sign = 1 if higher_is_better else -1
    return sorted(found, key=lambda one: (-sign * one.values[0], one.number))


class Duels:
    """Works out how far the finals are from the trials alone."""

    def __init__(self, judge: Judge, num_seeds: int, *, higher_is_better: bool) -> None:
        self.judge = judge
        self.num_seeds = num_seeds
        self.higher_is_better = higher_is_better

    def state(self, trials: Sequence[FrozenTrial]) -> Finals:
        """The finals as they are: who is left, who leads, and what is to be begun."""
        found = _distinct(candidates(trials, higher_is_better=self.higher_is_better))
        if len(found) < 2 or self.num_seeds == 1:
            return Finals(tuple(found))
        further = _further(trials)
        waits = any(further.values())
        first = found[:FIRST]
        lacking = next((one for one in first if (one.number, 1) not in further), None)
        if lacking is not None or any(further[one.number, 1] for one in first):
            following = None if lacking is None else (lacking.number, 1)
            return Finals(tuple(found), following, waits, tuple(first))
        leader, challengers = self._ranked(found)
        confirmed = [one for one in found if len(one.trials) > 1 and one is not leader and one not in challengers]
        may_go_on = len(further) < self._most(trials)
        following = self._next(leader, challengers, further) if may_go_on else None
        return Finals((leader, *challengers), following, waits, (leader, *challengers, *confirmed))

    def _most(self, trials: Sequence[FrozenTrial]) -> int:
        """How many runs the finals may have."""
        searched = sum(confirms(trial) is None for trial in trials)
        return max(FIRST, min(MOST_FULL * self.num_seeds, searched // TRIALS_PER_RUN))

    def _ranked(self, found: list[Candidate]) -> tuple[Candidate, list[Candidate]]:
        """The best of those that have several seeds, and those that are not shown worse than it, the closest first."""
        sign = 1 if self.higher_is_better else -1
        several = [one for one in found if len(one.trials) > 1] or found[:1]
        leader = min(several, key=lambda one: (-sign * one.mean(), one.number))
        gaps = [(one, self.judge(one, leader)) for one in found if one is not leader]
        left = [(one, 0.0 if gap is None else -gap.in_errors) for one, gap in gaps if gap is None or not gap.is_worse]
        # Of those that are as close the one with the better first score stays before the others.
        return leader, [one for one, _ in sorted(left, key=lambda pair: pair[1])]

    def _next(
        self, leader: Candidate, challengers: list[Candidate], further: dict[tuple[int, int], bool]
    ) -> tuple[int, int] | None:
        """Which of a pair, the closest one first, gets a seed; None where no pair can have one now."""
        for challenger in challengers:
            pair = sorted((challenger, leader), key=lambda one: len(one.trials))
            # One whose run with its next seed came to nothing, or is under way, gets no other one.
            free = [
                one for one in pair if len(one.trials) < self.num_seeds and (one.number, len(one.trials)) not in further
            ]
            if free:
                return free[0].number, len(free[0].trials)
        return None


def _further(trials: Sequence[FrozenTrial]) -> dict[tuple[int, int], bool]:
    """Whether it is under way, of all that was begun to confirm trials, by their numbers and the seeds'."""
    found: dict[tuple[int, int], bool] = {}
    for trial in trials:
        number = confirms(trial)
        # A run whose process died says nothing; it is queued anew.
        is_dead = trial.state.name == "FAIL" and not trial.user_attrs.get("counts", True)
        if number is not None and not is_dead:
            key = number, seed_offset(trial)
            under_way = trial.state.name in ("RUNNING", "WAITING")
            found[key] = under_way or found.get(key, False)
    return found


def _distinct(found: list[Candidate]) -> list[Candidate]:
    """One of those that are the same: by their values, or by the score of every epoch, as of cores that all answer
    alike whatever their settings."""
    kept: dict[Any, Candidate] = {}
    for one in found:
        trial = one.trials[0]
        epochs = tuple(sorted(trial.intermediate_values.items()))
        kept.setdefault((trial.values[0], epochs) if epochs else repr(sorted(trial.params.items())), one)
    return list(kept.values())
