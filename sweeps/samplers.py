"""Optuna's samplers and pruners under our names."""

from __future__ import annotations

import hashlib
import warnings
from typing import TYPE_CHECKING

from atinuke_bench.errors import MissingDependencyError

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler

#: Of the trials that reach a rung, one in this many goes on (Li et al. 2018 and 2020 use 3 to 4).
REDUCTION = 3
#: Trials that the median pruner lets finish before it compares.
MEDIAN_STARTUP = 5


def make_sampler(kind: str, seed: int, number: int) -> BaseSampler:
    """The sampler for the trial of a number.

    It is made anew for every trial, its seed a function of the study's seed and the trial's number: neither a restart
    nor a second process repeats what was drawn, and one process draws the same study twice.
    """
    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        place = int.from_bytes(hashlib.sha256(f"{seed}/{number}".encode()).digest()[:4])
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


def make_pruner(kind: str, max_epochs: int) -> BasePruner:
    """The pruner for runs of at most `max_epochs` epochs; its resource is the epoch, counted from 1."""
    import optuna

    if kind == "asha":
        return optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=REDUCTION)
    if kind == "hyperband":
        return optuna.pruners.HyperbandPruner(
            min_resource=1, max_resource=max(max_epochs, 2), reduction_factor=REDUCTION
        )
    if kind == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=MEDIAN_STARTUP)
    return optuna.pruners.NopPruner()
