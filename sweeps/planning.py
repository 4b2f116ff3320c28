"""Studies as a user asks for them: the space worked out for each core and task, all checked before any is made."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from atinuke_bench import registry
from atinuke_bench.config import Declaration, parse
from atinuke_bench.errors import ConfigError, UnknownNameError, one_line
from atinuke_bench.sweeps.definition import Budget, Cost, Pruner, Sampler, StudyConfig, first_difference
from atinuke_bench.sweeps.fields import require_one_measure, resolve_space
from atinuke_bench.sweeps.parts import Aggregate, StudyTask, measure_of
from atinuke_bench.sweeps.samplers import grid_points
from atinuke_bench.sweeps.spaces import Space, read_space

DEFAULT_TRIALS = 40
#: What gives up trials, and how many seeds the best ones get, where a user does not say (`benchmarks/sweep_budget.py`).
DEFAULT_PRUNER, DEFAULT_SEEDS = "race", 5


def plan_studies(
    *,
    tasks: Sequence[tuple[str, Declaration | None]],
    cores: Sequence[str],
    space: str,
    budget: Mapping[str, Any],
    sampler: str = "tpe",
    pruner: str | None = None,
    against: str | None = None,
    aggregate: str = "normalised",
    num_seeds: int | None = None,
    name: str | None = None,
    **settings: Any,
) -> list[StudyConfig]:
    """A study for each core, under equal budgets, all checked before any is made; ConfigError.

    Tasks are names and, where files declare them, declarations. `settings` are other fields of StudyConfig. Without a
    budget a grid takes every point once, and any other sampler 40
    trials.
    """
    for core in cores:
        registry.require_core_name(core)
    if len(set(cores)) < len(cores):
        raise ConfigError(f"--cores names each core once; found {', '.join(cores)}")
    asked = ("sampler", sampler, Sampler), ("pruner", pruner, Pruner), ("cost", against, Cost)
    for kind, chosen, known in (*asked, ("aggregate", aggregate, Aggregate)):
        if chosen is not None and chosen not in get_args(known):
            raise UnknownNameError(kind, chosen, get_args(known), f"it is one of {', '.join(get_args(known))}")
    is_open = all(limit is None for limit in budget.values())
    parameters = read_space(space)
    base = name or "-".join(task.replace("/", "-") for task, _ in tasks)
    settings |= {"tasks": tasks, "sampler": sampler, "against": against, "comparison": base if len(cores) > 1 else None}
    settings["pruner"] = pruner or (DEFAULT_PRUNER if against is None else "none")
    settings["num_seeds"] = num_seeds or (DEFAULT_SEEDS if against is None else 1)
    settings["aggregate"] = aggregate
    settings["budget"] = {"trials": DEFAULT_TRIALS} if is_open else budget
    configs = []
    for core in cores:
        own = f"{base}-{core}" if name is None or len(cores) > 1 else name
        config = make_study_config(name=own, core=core, space=parameters, where=f"space {space!r}", **settings)
        if sampler == "grid" and is_open:
            whole = Budget(trials=len(grid_points(config.space, config.seed)))
            config = config.model_copy(update={"budget": whole})
        configs.append(config)
    if len({config.metric for config in configs}) > 1:
        found = ", ".join(f"{config.core} by {config.metric}" for config in configs)
        raise ConfigError(f"--cores compares studies by one metric; found {found}; nearest: one --core at a time")
    return configs


def make_study_config(
    *,
    tasks: Sequence[tuple[str, Declaration | None]],
    core: str,
    space: Mapping[str, Any],
    where: str = "space",
    **settings: Any,
) -> StudyConfig:
    """A study's config with its space checked and worked out for this core and preset; ConfigError.

    `settings` are other fields of StudyConfig.
    """
    registry.require_core_name(core)
    names = [task for task, _ in tasks]
    if len(set(names)) < len(names):
        raise ConfigError(f"a study has each task once; found {', '.join(names)}")
    found = []
    for task, declaration in tasks:
        try:
            found.append(_of_task(task, declaration, core, space, where, settings))
        except ConfigError as error:
            if len(tasks) == 1:
                raise
            raise ConfigError(f"on {task}: {one_line(error)}") from error
    bare, told, parameters = found[0]
    if len(found) == 1:
        config = bare.model_copy(update={"space": parameters, "max_epochs": told.max_epochs})
    else:
        _require_together(found, where)
        own = [own for _, own, _ in found]
        measured = {"metric": measure_of(own, bare.aggregate), "higher_is_better": told.higher_is_better}
        several = {"task": ",".join(names), "declaration": None, "tasks": tuple(own), **measured}
        config = bare.model_copy(update={"space": parameters, **several})
    epochs = sum(own.max_epochs for _, own, _ in found) * (1 + len(bare.shares))
    return config.model_copy(update={"max_epochs": epochs, "versions": config.current_versions()})


def _of_task(
    task: str,
    declaration: Declaration | None,
    core: str,
    space: Mapping[str, Any],
    where: str,
    settings: Mapping[str, Any],
) -> tuple[StudyConfig, StudyTask, Space]:
    """The study of one task with an empty space, what is kept of the task, and the space for it; ConfigError."""
    known = registry.load_task(task, declaration)
    names = {"task": task, "core": core, "declaration": declaration}
    # What only the run knows is filled in once there is one.
    told = {"metric": known.metric.name, "higher_is_better": known.metric.higher_is_better, "max_epochs": 1}
    bare = parse(StudyConfig, {**settings, **names, **told, "space": {}}, "study")
    run = bare.make_run({})
    metric = known.for_run(run).metric
    parameters = resolve_space(space, run, where)
    _require_used(bare, parameters, space, where)
    require_one_measure(parameters, run, bare.make_run, where)
    own = StudyTask(
        task=task,
        declaration=declaration,
        metric=metric.name,
        higher_is_better=metric.higher_is_better,
        max_epochs=run.training.max_epochs,
        highest=metric.bounds[1] if math.isfinite(metric.bounds[1]) else None,
    )
    bare = bare.model_copy(update={"metric": own.metric, "higher_is_better": own.higher_is_better})
    return bare, own, parameters


def _require_together(found: Sequence[tuple[StudyConfig, StudyTask, Space]], where: str) -> None:
    """Refuse tasks whose scores cannot be averaged, or whose trials would not draw the same values; ConfigError."""
    (_, first, parameters), *others = found
    for _, other, own in others:
        for task in (first, other):
            if not task.higher_is_better:
                raise ConfigError(
                    f"a study of several tasks averages scores of which more is better; {task.task} is judged by "
                    f"{task.metric}; search it alone"
                )
        if difference := first_difference(parameters.record(), own.record()):
            raise ConfigError(
                f"{where}: one configuration is for all tasks, and it draws other values for {other.task} than for "
                f"{first.task}: {difference}; give numbers that hold for both"
            )


def _require_used(config: StudyConfig, space: Space, record: Mapping[str, Any], where: str) -> None:
    """Refuse a setting that every trial would replace; ConfigError.

    A range that is relative starts from the setting, a condition may leave it as it is, and some, such as the model of
    a pretrained core, have no value unless they are set.
    """
    for parameter in space.parameters:
        path = parameter.path
        if path not in config.overrides or parameter.when or record[path].get("relative"):
            continue
        rest = {name: value for name, value in config.overrides.items() if name != path}
        try:
            config.model_copy(update={"overrides": rest}).make_run({})
        except ConfigError:
            continue
        raise ConfigError(
            f"--set {path}={config.overrides[path]}: {where} searches this field, so no trial keeps the value; leave "
            "out one of the two"
        )
