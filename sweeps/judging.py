"""Which trials of a study are shown worse than others, from what their runs recorded of the held-out examples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from optuna.trial import FrozenTrial

from atinuke_bench.run_folder import RunFolder
from atinuke_bench.sweeps.choice import Compared
from atinuke_bench.sweeps.definition import StudyConfig
from atinuke_bench.sweeps.finals import Candidate, Duels, Finals, candidates
from atinuke_bench.sweeps.parts import together
from atinuke_bench.sweeps.race import GRACE, Difference, Outcome, Outcomes, difference, examples_error, luck_of
from atinuke_bench.sweeps.trial_parts import folders_of


class Judging:
    """Compares trials. Where a run's folder or its record of selection is not there, nothing is shown."""

    def __init__(self, config: StudyConfig, store: Path) -> None:
        self.config = config
        self.store = store
        self._outcomes = Outcomes(higher_is_better=config.higher_is_better)

    def finals(self, trials: Sequence[FrozenTrial]) -> Finals:
        """How far the finals are."""
        luck = self._luck_of(trials)

        sides: dict[int, list[list[Outcome]] | None] = {}

        def judge(ours: Candidate, theirs: Candidate) -> Difference | None:
            for one in (ours, theirs):
                if one.number not in sides:
                    sides[one.number] = self._of_seeds(one)
            our, their = sides[ours.number], sides[theirs.number]
            return None if our is None or their is None else self._difference(our, their, luck)

        better = self.config.higher_is_better
        return Duels(judge, self.config.num_seeds, higher_is_better=better).state(trials)

    def is_shown_worse(self, trial: FrozenTrial, trials: Sequence[FrozenTrial], place: int, num_epochs: int) -> bool:
        """Whether a running trial, so many epochs into a part, is shown worse than the best one was there."""
        if num_epochs < math.ceil(GRACE * self.config.parts[place].task.max_epochs):
            return False
        best = next(iter(candidates(trials, higher_is_better=self.config.higher_is_better)), None)
        if best is None:
            return False
        ours, theirs = (self._so_far(one, place, num_epochs) for one in (trial, best.trials[0]))
        if ours is None or theirs is None:
            return False
        found = self._difference([ours], [theirs], self._luck_of(trials))
        return found is not None and found.is_worse

    def compared(self, found: Sequence[Candidate]) -> Compared | None:
        """The values of some candidates over all their seeds, with the errors in these; None where one is unknown.

        Without any candidate that has several seeds nobody knows how much is luck.
        """
        if not any(len(one.trials) > 1 for one in found):
            return None
        outcomes = [self._of_seeds(one) for one in found]
        known = [own for own in outcomes if own is not None]
        errors = examples_error(known, self.config.aggregate) if len(known) == len(found) else None
        if errors is None:
            return None
        sign = 1 if self.config.higher_is_better else -1
        pooled = luck_of([one.values for one in found])
        luck = np.diag([pooled / len(one.trials) for one in found])
        return Compared(np.array([sign * one.mean() for one in found]), errors + luck)

    def _of_seeds(self, one: Candidate) -> list[list[Outcome]] | None:
        """What a candidate's whole trials came to, seed by seed; None where one is unknown."""
        last = len(self.config.parts) - 1
        found = [self._so_far(trial, last, None) for trial in one.trials]
        known = [outcomes for outcomes in found if outcomes is not None]
        return known if len(known) == len(found) else None

    def _difference(
        self, ours: Sequence[Sequence[Outcome]], theirs: Sequence[Sequence[Outcome]], luck: float
    ) -> Difference | None:
        better = self.config.higher_is_better
        return difference(ours, theirs, self.config.aggregate, higher_is_better=better, luck=luck)

    def _so_far(self, trial: FrozenTrial, place: int, num_epochs: int | None) -> list[Outcome] | None:
        """What the parts of one share came to, the last of them after so many epochs; None where one is unknown."""
        folders = folders_of(trial)
        outcomes = []
        for other in together(place, self.config.parts):
            if other >= len(folders):
                return None
            folder = RunFolder(self.store / folders[other])
            outcome = self._outcomes.of(self.config.parts[other], folder, num_epochs if other == place else None)
            if outcome is None:
                return None
            outcomes.append(outcome)
        return outcomes

    def _luck_of(self, trials: Sequence[FrozenTrial]) -> float:
        found = candidates(trials, higher_is_better=self.config.higher_is_better)
        return luck_of([one.values for one in found])
