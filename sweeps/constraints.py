"""What the trials of a study may cost at most (`--at-most parameters=5e6`), and what becomes of those that cost more.

Parameters and operations are known before a trial trains: one over a limit is told to Optuna with how far it is over,
from which TPE learns, and another is drawn in its place; it is no part of the budget. Memory and latency are known when
a run is done: a trial over such a limit is paid, and never the best. Both are *infeasible*.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from optuna.trial import FrozenTrial, Trial

from atinuke_bench.config import RunConfig
from atinuke_bench.errors import ConfigError, StudyError
from atinuke_bench.sweeps.definition import StudyConfig
from atinuke_bench.sweeps.domains import ends_of
from atinuke_bench.sweeps.foreseen import Foreseen, shapes_data
from atinuke_bench.sweeps.limits import FORESEEN, LEARNING, OVER, shown

#: Rounds over all parameters in the search for a space's least cost.
_ROUNDS = 2


class Limits:
    """The limits of a study's trials."""

    def __init__(self, config: StudyConfig) -> None:
        self.config = config
        self._foreseen = Foreseen()

    @property
    def _is_foreseeable(self) -> bool:
        return any(name in self.config.at_most for name in FORESEEN)

    def get_ready(self) -> None:
        """Read the data that costs depend on, so that no trial is drawn where that fails; ConfigError or DataError."""
        if self._is_foreseeable:
            for run in self.config.make_runs({}, self.config.seed):
                self._foreseen.read(run)

    def before(self, runs: Sequence[RunConfig]) -> dict[str, float]:
        """What is known of the cost of a trial's runs, of each cost the highest; nothing where no limit asks for it.

        ConfigError where one is no run.
        """
        if not self._is_foreseeable:
            return {}
        costs = [self._foreseen.cost(run) for run in runs]
        return {name: max(cost[name] for cost in costs) for name in costs[0]}

    def tell(self, trial: Trial | FrozenTrial, cost: Mapping[str, Any]) -> dict[str, list[float]]:
        """Note on a trial which limits it is over, and by how much, for who samples; {name: [value, limit]}."""
        over = self.over(cost)
        if over:
            trial.set_user_attr(OVER, over)
        if self.config.sampler in LEARNING:
            for name, limit in self._known(cost).items():
                # As a share of the limit, so that bytes do not outweigh seconds where several are added up.
                trial.set_constraint(name, cost[name] / limit - 1)
        return over

    def over(self, cost: Mapping[str, Any]) -> dict[str, list[float]]:
        """The limits that a cost is over: {name: [value, limit]}."""
        return {name: [cost[name], limit] for name, limit in self._known(cost).items() if cost[name] > limit}

    def _known(self, cost: Mapping[str, Any]) -> dict[str, float]:
        return {name: limit for name, limit in self.config.at_most.items() if cost.get(name) is not None}


def require_reachable(config: StudyConfig) -> None:
    """Refuse limits that nothing in the space meets, as far as its corners show; StudyError with what they reach."""
    limits = {name: limit for name, limit in config.at_most.items() if name in FORESEEN}
    if not limits:
        return
    corners = _Corners(config)
    for name, limit in limits.items():
        least = corners.least(lambda cost, name=name: cost[name])  # type: ignore[misc]
        if least is not None and least[name] > limit:
            raise StudyError(
                f"--at-most {name}={limit:g}: nothing in the space is so small; its corners reach "
                f"{shown(name, least[name])}; nearest: {name}={math.ceil(least[name])}"
            )
    nearest = corners.least(lambda cost: sum(max(0.0, cost[name] / limit - 1) for name, limit in limits.items()))
    if nearest is not None and any(nearest[name] > limit for name, limit in limits.items()):
        found = ", ".join(f"{name}={math.ceil(nearest[name])}" for name in limits)
        raise StudyError(f"--at-most: no corner of the space meets all limits at once; nearest: {found}")


class _Corners:
    """The points of a space at the ends of its ranges, and what they cost."""

    def __init__(self, config: StudyConfig) -> None:
        self._config, self._foreseen = config, Foreseen()
        self._costs: dict[str, dict[str, float] | None] = {}

    def least(self, measure: Callable[[dict[str, float]], float]) -> dict[str, float] | None:
        """The cost of the corner at which a measure is least, found parameter by parameter; None where none is a run.

        A cost grows with each size, whatever the others are, so that no combination of corners has to be tried.
        """
        space = self._config.space
        ends = {parameter.path: list(ends_of(parameter.domain)) for parameter in space.parameters}
        at = {path: values[0] for path, values in ends.items()}
        best = self._cost(at)
        for _ in range(_ROUNDS):
            for path in filter(shapes_data, ends):
                for value in ends[path]:
                    cost = self._cost(at | {path: value})
                    if cost is not None and (best is None or measure(cost) < measure(best)):
                        at[path], best = value, cost
        return best

    def _cost(self, at: Mapping[str, Any]) -> dict[str, float] | None:
        overrides = self._config.space.draw(lambda path, domain: at[path]).overrides
        key = repr(sorted((path, value) for path, value in overrides.items() if shapes_data(path)))
        if key not in self._costs:
            try:
                self._costs[key] = self._foreseen.cost(self._config.make_run(overrides))
            except ConfigError:
                self._costs[key] = None
        return self._costs[key]
