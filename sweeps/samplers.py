"""What a study tries next and what it stops early: Optuna's samplers and pruners under our names, and the grid."""

from __future__ import annotations

import hashlib
import random
import warnings
from collections.abc import Sequence
from itertools import islice, product
from types import SimpleNamespace
from typing import Any

import optuna
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler

from atinuke_bench.errors import ConfigError, MissingDependencyError
from atinuke_bench.sweeps.domains import grid_values
from atinuke_bench.sweeps.spaces import Space

#: Of the trials that reach a rung, one in this many goes on (Li et al. 2018 and 2020 use 3 to 4).
REDUCTION = 3
#: Trials that the median pruner lets finish before it compares.
MEDIAN_STARTUP = 5
#: Those that choose by what trials came to; a random search is left as it is, to compare with.
LEARNING_SAMPLERS = ("tpe", "cmaes", "nsga2")
#: A grid beyond this is no plan that anybody carries out.
MOST_POINTS = 20_000


def make_sampler(kind: str, seed: int, number: int, sources: Sequence[str] = ()) -> BaseSampler:
    """The sampler for the trial of a number, in a study that began from others (`sources`) or from nothing.

    It is made anew for every trial, its seed a function of the study's seed and the trial's number: neither a restart
    nor a second process repeats what was drawn, and one process draws the same study twice. Nor is drawn again what a
    source of the same seed has: none begins from itself, so that its sources are others.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        drawn = "/".join((str(seed), str(number), *sources))
        place = int.from_bytes(hashlib.sha256(drawn.encode()).digest()[:4])
        if kind == "tpe":
            return optuna.samplers.TPESampler(seed=place)
        if kind == "nsga2":
            return optuna.samplers.NSGAIISampler(population_size=20, seed=place)
        if kind == "cmaes":
            try:
                import cmaes  # noqa: F401
            except ImportError as error:
                raise MissingDependencyError("sampler 'cmaes' needs the package cmaes: pip install cmaes") from error
            return optuna.samplers.CmaEsSampler(seed=place, warn_independent_sampling=False)
        # A grid fixes every value itself (see `Study.ask`).
        return optuna.samplers.RandomSampler(seed=place)


class _Hyperband(optuna.pruners.HyperbandPruner):
    """Draws a trial's bracket from its number alone; Optuna takes the study's name too, which says nothing of it."""

    def _get_bracket_id(self, study: Any, trial: Any) -> int:
        return super()._get_bracket_id(SimpleNamespace(study_name=""), trial)  # type: ignore[arg-type]


def make_pruner(kind: str, max_epochs: int) -> BasePruner:
    """The pruner for runs of at most `max_epochs` epochs; its resource is the epoch, counted from 1."""
    if kind == "asha":
        return optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=REDUCTION)
    if kind == "hyperband":
        return _Hyperband(min_resource=1, max_resource=max(max_epochs, 2), reduction_factor=REDUCTION)
    if kind == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=MEDIAN_STARTUP)
    return optuna.pruners.NopPruner()


def grid_points(space: Space, seed: int) -> list[dict[str, Any]]:
    """What to suggest for every different run of the grid, shuffled, so that any part of it is spread over the whole.

    Ranges give up to four values each; values that a condition holds back make no separate points. ConfigError
    when there are too many.
    """
    values = {parameter.path: grid_values(parameter.domain) for parameter in space.parameters}
    found: dict[str, dict[str, Any]] = {}
    combinations = list(islice(product(*values.values()), MOST_POINTS + 1))
    if len(combinations) > MOST_POINTS:
        raise ConfigError(f"a grid over {len(values)} parameters has more than {MOST_POINTS} points; take fewer")
    for combination in combinations:
        point = dict(zip(values, combination, strict=True))
        draw = space.draw(lambda path, domain, point=point: point[path])  # type: ignore[misc]
        found.setdefault(repr(sorted(draw.overrides.items())), {path: point[path] for path in draw.params})
    points = list(found.values())
    random.Random(seed).shuffle(points)
    return points
