"""From what a user asks for to the studies that answer it: one, or one a core under equal budgets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from atinuke_bench import registry
from atinuke_bench.config import SourceConfig
from atinuke_bench.errors import ConfigError, UnknownNameError
from atinuke_bench.sweeps.definition import COSTS, PRUNERS, SAMPLERS, Budget, StudyConfig, make_study_config
from atinuke_bench.sweeps.grid import grid_points
from atinuke_bench.sweeps.spaces import read_space

DEFAULT_TRIALS = 40


def plan_studies(
    *,
    task: str,
    cores: Sequence[str],
    space: str,
    budget: Mapping[str, Any],
    sampler: str = "tpe",
    pruner: str | None = None,
    against: str | None = None,
    name: str | None = None,
    preset: str = "micro",
    source: SourceConfig | None = None,
    seed: int = 0,
    overrides: Mapping[str, Any] | None = None,
) -> list[StudyConfig]:
    """A study for each core, all checked before any is made; ConfigError.

    Without a budget a grid takes every point once, and any other sampler 40 trials.
    """
    registry.require_task_name(task)
    for core in cores:
        registry.require_core_name(core)
    if len(set(cores)) < len(cores):
        raise ConfigError(f"--cores names each core once; found {', '.join(cores)}")
    _require("sampler", sampler, SAMPLERS)
    if pruner is not None:
        _require("pruner", pruner, PRUNERS)
    if against is not None:
        _require("cost", against, COSTS)
    is_open = all(limit is None for limit in budget.values())
    if is_open:
        budget = {"trials": DEFAULT_TRIALS}
    parameters = read_space(space)
    base = name or task.replace("/", "-")
    configs = [
        make_study_config(
            name=f"{base}-{core}" if name is None or len(cores) > 1 else name,
            task=task,
            core=core,
            space=parameters,
            budget=budget,
            preset=preset,
            source=source,
            overrides=overrides,
            where=f"space {space!r}",
            sampler=sampler,
            pruner=pruner or ("asha" if against is None else "none"),
            against=against,
            seed=seed,
            comparison=base if len(cores) > 1 else None,
        )
        for core in cores
    ]
    return [_whole_grid(config) for config in configs] if sampler == "grid" and is_open else configs


def _whole_grid(config: StudyConfig) -> StudyConfig:
    num_points = len(grid_points(config.make_space(), config.seed))
    return config.model_copy(update={"budget": Budget(trials=num_points)})


def _require(kind: str, name: str, known: Any) -> None:
    if name not in known:
        raise UnknownNameError(kind, name, known, f"it is one of {', '.join(known)}")
