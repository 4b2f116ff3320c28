"""The finals of a study: its best trials with further seeds, until all but one are shown worse or have all seeds.

The best of many trials is partly the luckiest. So once the search is over, the trials that are not shown worse than the
best one are trained with another seed each, the worse ones are left out, and so on, up to `num_seeds` seeds. A run with
another seed is a trial that *confirms* an earlier one: same values, `confirms` says whose. What is to be done next
follows from the trials alone, so that any process, and any restart, goes on where the last one was.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from optuna.trial import FrozenTrial

from atinuke_bench.sweeps.limits import may_be_best

#: At most so many trials are confirmed, and no more than one in three; at least so many where they are there: before
#: any seed but the first is known, a test over examples alone says too much.
MOST, SHARE, FEWEST = 6, 3, 3
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

    def mean(self, num_seeds: int | None = None) -> float:
        return statistics.fmean(self.values[:num_seeds])


@dataclass(frozen=True)
class Finals:
    """How far the finals are."""

    #: Those that no test has shown worse, the best first.
    survivors: tuple[Candidate, ...] = ()
    #: Seeds that each of these has.
    num_seeds: int = 1
    #: Trials to confirm now, with the number of the seed.
    missing: tuple[tuple[int, int], ...] = ()
    #: Whether trials of the round are running or queued.
    waits: bool = False
    #: All that took part in the finals.
    finalists: tuple[int, ...] = field(default=())


#: Whether a candidate is shown worse than another over their first so many seeds.
Judge = Callable[[Candidate, Candidate, int], bool]


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


class Rounds:
    """Works out how far the finals are from the trials alone."""

    def __init__(self, judge: Judge, num_seeds: int, *, higher_is_better: bool) -> None:
        self.judge = judge
        self.num_seeds = num_seeds
        self.higher_is_better = higher_is_better

    def state(self, trials: Sequence[FrozenTrial]) -> Finals:
        """The finals as they are: who is left, with how many seeds, and what the round lacks."""
        left = self._distinct(candidates(trials, higher_is_better=self.higher_is_better))
        if not left or self.num_seeds == 1:
            return Finals(tuple(left))
        left = self._first(left)
        finalists = tuple(one.number for one in left)
        for num_seeds in range(1, self.num_seeds):
            if len(left) == 1:
                return Finals(tuple(left), num_seeds, finalists=finalists)
            ended, missing, waits = self._round(left, trials, num_seeds)
            if missing or waits:
                return Finals(tuple(left), num_seeds, tuple(missing), waits, finalists)
            # One whose run with this seed came to nothing is out; all of them, and the last round stands.
            if not ended:
                return Finals(tuple(left), num_seeds, finalists=finalists)
            left = self._not_worse(ended, num_seeds + 1)
        return Finals(tuple(left), self.num_seeds, finalists=finalists)

    def _distinct(self, found: list[Candidate]) -> list[Candidate]:
        """One of those that are the same: by their values, or by the score of every epoch, as of cores that all answer
        alike whatever their settings."""
        kept: dict[Any, Candidate] = {}
        for one in found:
            trial = one.trials[0]
            epochs = tuple(sorted(trial.intermediate_values.items()))
            kept.setdefault((trial.values[0], epochs) if epochs else repr(sorted(trial.params.items())), one)
        return list(kept.values())

    def _first(self, found: list[Candidate]) -> list[Candidate]:
        best = found[0]
        most = max(FEWEST, min(MOST, len(found) // SHARE))
        near = [one for one in found[1:most] if not self.judge(one, best, 1)]
        rest = [one for one in found[1:FEWEST] if one not in near]
        chosen = [one for one in found if one in near or one in rest]
        return [best, *chosen]

    def _round(
        self, left: list[Candidate], trials: Sequence[FrozenTrial], offset: int
    ) -> tuple[list[Candidate], list[tuple[int, int]], bool]:
        """Those that have a score with the seed, what is to be begun, and whether something is under way."""
        states: dict[int, set[str]] = {}
        for trial in trials:
            number = confirms(trial)
            # A run whose process died says nothing; it is queued anew.
            is_dead = trial.state.name == "FAIL" and not trial.user_attrs.get("counts", True)
            if number is not None and seed_offset(trial) == offset and not is_dead:
                states.setdefault(number, set()).add(trial.state.name)
        missing = [(one.number, offset) for one in left if one.number not in states]
        waits = any(states.get(one.number, set()) & {"RUNNING", "WAITING"} for one in left)
        return [one for one in left if len(one.trials) > offset], missing, waits

    def _not_worse(self, left: list[Candidate], num_seeds: int) -> list[Candidate]:
        sign = 1 if self.higher_is_better else -1
        ranked = sorted(left, key=lambda one: (-sign * one.mean(num_seeds), one.number))
        return [ranked[0], *(one for one in ranked[1:] if not self.judge(one, ranked[0], num_seeds))]
