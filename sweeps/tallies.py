"""What a study has used: its trials counted by what became of them, and what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from optuna.trial import FrozenTrial

from atinuke_bench.sweeps.definition import Budget
from atinuke_bench.sweeps.finals import confirms
from atinuke_bench.sweeps.limits import is_untrained
from atinuke_bench.sweeps.origins import is_known


@dataclass(frozen=True)
class Tally:
    """What a study has used. `counted` trials of the search ended with something to learn from; those that died did
    not, and those that confirm others are counted as what they cost alone."""

    counted: int
    complete: int
    pruned: int
    failed: int
    running: int
    #: Of the running ones, those of the search.
    searching: int
    waiting: int
    seconds: float
    training_flops: float

    def allows_another(self, budget: Budget, reserve: float = 0.0) -> bool:
        """Whether another trial of the search may begin, where a part of what may be spent is kept for later."""
        within = budget.trials is None or self.counted + self.searching < budget.trials
        return within and self.affords(budget, reserve)

    def affords(self, budget: Budget, reserve: float = 0.0) -> bool:
        """Whether seconds and operations are left."""
        left = 1 - reserve
        return (budget.seconds is None or self.seconds < left * budget.seconds) and (
            budget.training_flops is None or self.training_flops < left * budget.training_flops
        )


def score_of(trial: FrozenTrial) -> float | None:
    """The selection score of a trial: of one that did not complete, the best of its epochs."""
    if trial.state.name == "COMPLETE":
        return trial.values[0]
    epochs = trial.intermediate_values
    return epochs[max(epochs)] if epochs else None


def tally(trials: Sequence[FrozenTrial]) -> Tally:
    """Count trials and what they cost. A run that several trials share is paid once."""
    states = [trial.state.name for trial in trials]
    search = [trial.state.name for trial in trials if confirms(trial) is None]
    gone = [trial for trial in trials if trial.state.name == "FAIL" and not trial.user_attrs.get("counts", True)]
    dead = sum(confirms(trial) is None for trial in gone)
    costs: dict[Any, float] = {}
    for trial in trials:
        run = trial.user_attrs.get("folder", trial.number)
        costs[run] = max(costs.get(run, 0), trial.user_attrs.get("training_flops", 0))
    untrained = sum(map(is_untrained, trials))
    ended = search.count("COMPLETE") + search.count("PRUNED") + search.count("FAIL")
    return Tally(
        counted=ended - dead - untrained - sum(map(is_known, trials)),
        complete=search.count("COMPLETE"),
        pruned=search.count("PRUNED") - untrained,
        failed=search.count("FAIL") - dead,
        running=states.count("RUNNING"),
        searching=search.count("RUNNING"),
        waiting=states.count("WAITING"),
        seconds=sum(trial.user_attrs.get("seconds", 0.0) for trial in trials),
        training_flops=sum(costs.values()),
    )
