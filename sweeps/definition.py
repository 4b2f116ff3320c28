"""What a study is: made from what a user asks, kept in `study.yaml` and the database, and what run a trial makes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import yaml
from pydantic import Field, PlainSerializer, PlainValidator, field_validator, model_validator
from sqlalchemy.engine import URL

from atinuke_bench import registry
from atinuke_bench.config import (
    MOST_SEED,
    Declaration,
    Frozen,
    RunConfig,
    SourceConfig,
    make_run_config,
    parse,
    read_yaml,
)
from atinuke_bench.errors import ConfigError, StudyError, UnknownNameError, one_line
from atinuke_bench.files import write_text
from atinuke_bench.sweeps.fields import require_one_measure, resolve_space
from atinuke_bench.sweeps.samplers import grid_points
from atinuke_bench.sweeps.spaces import Space, read_space
from atinuke_bench.training.schedule import SCHEDULE_VERSION

DEFAULT_TRIALS = 40

Sampler = Literal["tpe", "random", "grid", "cmaes", "nsga2"]
Pruner = Literal["asha", "hyperband", "median", "none"]
Cost = Literal["parameters", "flops"]
#: What a cost that is weighed against the score is called in a run's result.
COSTS: dict[Cost, str] = {"parameters": "parameters", "flops": "forward_flops_per_token"}


class Budget(Frozen):
    """What a study may use, over all its processes and restarts; trials that run when it is used up may finish."""

    trials: int | None = Field(None, ge=1)
    #: Of trials, added over workers.
    seconds: float | None = Field(None, gt=0)
    #: Of the core, counted as in every run's cost.
    training_flops: float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _has_an_end(self) -> Self:
        if self.trials is None and self.seconds is None and self.training_flops is None:
            raise ValueError("a study needs a budget: trials, seconds or flops")
        return self


def _as_space(value: Any) -> Space:
    if not isinstance(value, dict) or not all(isinstance(spec, dict) for spec in value.values()):
        raise ValueError("a space has fields, and of each what it may be")
    return Space.from_record(value)


class StudyConfig(Frozen):
    """Everything that makes two processes work on one study."""

    name: str
    task: str
    #: What the task is, where a file declares it, so that every process that joins has it.
    declaration: Declaration | None = Field(None, exclude_if=lambda declared: declared is None)
    core: str
    preset: str = "micro"
    source: SourceConfig = SourceConfig()
    overrides: dict[str, Any] = Field({})
    #: Seed of every trial's run, and of the sampler.
    seed: int = Field(0, ge=0, le=MOST_SEED)
    space: Annotated[Space, PlainValidator(_as_space), PlainSerializer(Space.record)]
    sampler: Sampler = "tpe"
    pruner: Pruner = "asha"
    #: Cost that is weighed against the score, if any.
    against: Cost | None = None
    #: Name shared by the studies of one comparison of cores.
    comparison: str | None = None
    #: What task and config say, kept so that a study can be read without loading the task.
    metric: str
    higher_is_better: bool
    max_epochs: int
    #: Of the task, the core and the schedule: trials of others score otherwise. Studies from before have none.
    versions: dict[str, int] = Field({}, exclude_if=lambda found: not found)
    budget: Budget

    @field_validator("name")
    @classmethod
    def _is_a_folder_name(cls, name: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
            raise ValueError(f"a study's name has letters, digits, '.', '_' and '-'; found {name!r}")
        return name

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.against is not None and self.pruner != "none":
            raise ValueError("a study of score against cost cannot prune: a trial half-way is on no front; use none")
        if self.against is not None and self.sampler == "cmaes":
            raise ValueError("cmaes has one objective; use tpe or nsga2 for score against cost")
        return self

    @property
    def objectives(self) -> tuple[str, ...]:
        """What a trial is judged by: the score, and the cost under its name in a run's result."""
        return ("score",) if self.against is None else ("score", COSTS[self.against])

    def definition(self) -> dict[str, Any]:
        """What every process that joins has; the budget may grow and official files may lie elsewhere."""
        record = self.model_dump(mode="json", exclude={"budget"})
        record["source"].pop("data_dir", None)
        return record

    def difference(self, other: StudyConfig) -> str | None:
        """What another study differs in first, in words; a declared task's files may lie elsewhere."""
        records = self.definition(), other.definition()
        for record in records:
            record.get("declaration", {}).pop("folder", None)
            record.pop("versions", None)
        return first_difference(*records) or self.changed_versions(other)

    def changed_versions(self, other: StudyConfig) -> str | None:
        """What trains otherwise in another study, in words; None where all is the same.

        Studies from before versions were kept have the first schedule, and are taken to have task and core as they are.
        """
        ours, theirs = self.versions, {**self.versions, "schedule": 1, **other.versions}
        found = [f"{name} version {theirs[name]}, not {ours[name]}" for name in ours if ours[name] != theirs[name]]
        return ", ".join(found) or None

    def make_run(self, overrides: Mapping[str, Any], *, seed: int | None = None) -> RunConfig:
        """The run of a trial; ConfigError where the values do not go together."""
        return make_run_config(
            self.task,
            self.core,
            preset=self.preset,
            source=self.source,
            seed=self.seed if seed is None else seed,
            overrides={**self.overrides, **overrides},
            declaration=self.declaration,
        )


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
    **settings: Any,
) -> list[StudyConfig]:
    """A study for each core, under equal budgets, all checked before any is made; ConfigError.

    `settings` are other fields of StudyConfig. Without a budget a grid takes every point once, and any other sampler 40
    trials.
    """
    for core in cores:
        registry.require_core_name(core)
    if len(set(cores)) < len(cores):
        raise ConfigError(f"--cores names each core once; found {', '.join(cores)}")
    for kind, chosen, known in (("sampler", sampler, Sampler), ("pruner", pruner, Pruner), ("cost", against, Cost)):
        if chosen is not None and chosen not in get_args(known):
            raise UnknownNameError(kind, chosen, get_args(known), f"it is one of {', '.join(get_args(known))}")
    is_open = all(limit is None for limit in budget.values())
    parameters = read_space(space)
    base = name or task.replace("/", "-")
    settings |= {"task": task, "sampler": sampler, "against": against, "comparison": base if len(cores) > 1 else None}
    settings["pruner"] = pruner or ("asha" if against is None else "none")
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
    task: str,
    core: str,
    space: Mapping[str, Any],
    where: str = "space",
    declaration: Declaration | None = None,
    **settings: Any,
) -> StudyConfig:
    """A study's config with its space checked and worked out for this core and preset; ConfigError.

    `settings` are other fields of StudyConfig.
    """
    known = registry.load_task(task, declaration)
    names = {"task": task, "core": registry.require_core_name(core), "declaration": declaration}
    # What only the run knows is filled in once there is one.
    told = {"metric": known.metric.name, "higher_is_better": known.metric.higher_is_better, "max_epochs": 1}
    bare = parse(StudyConfig, {**settings, **names, **told, "space": {}}, "study")
    run = bare.make_run({})
    metric = known.for_run(run).metric
    parameters = resolve_space(space, run, where)
    _require_used(bare, parameters, space, where)
    require_one_measure(parameters, run, bare.make_run, where)
    told = {"metric": metric.name, "higher_is_better": metric.higher_is_better, "max_epochs": run.training.max_epochs}
    versions = current_versions(task, core, declaration)
    return bare.model_copy(update={"space": parameters, "versions": versions, **told})


def current_versions(task: str, core: str, declaration: Declaration | None = None) -> dict[str, int]:
    """The versions that trials begun now have."""
    return {
        "task": registry.load_task(task, declaration).result_version,
        "core": registry.load_core(core).result_version,
        "schedule": SCHEDULE_VERSION,
    }


def known_versions(config: StudyConfig) -> dict[str, int]:
    """The versions of a study's trials; of one from before they were kept, what `changed_versions` takes it to have."""
    if config.versions:
        return config.versions
    return {**current_versions(config.task, config.core, config.declaration), "schedule": 1}


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


def first_difference(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> str | None:
    """What two definitions disagree on first, in words; None where they are the same.

    >>> first_difference({"sampler": "tpe", "seed": 1}, {"sampler": "random", "seed": 1})
    "sampler 'random', not 'tpe'"
    """
    for key in sorted({*ours, *theirs}, key=lambda key: (key in ("space", "base"), key != "task", key)):
        if ours.get(key) == theirs.get(key):
            continue
        if isinstance(ours.get(key), dict) and isinstance(theirs.get(key), dict):
            inner = first_difference(ours[key], theirs[key])
            return f"{key}: {inner}"
        return f"{key} {theirs.get(key)!r}, not {ours.get(key)!r}"
    return None


def default_url(folder: Path) -> str:
    """The SQLite file of a study for which no other database was given."""
    # Not as text: a `?` would end the path, and a `%` begin a number.
    return URL.create("sqlite", database=str(folder.absolute() / "study.db")).render_as_string()


def write_definition(config: StudyConfig, folder: Path, url: str) -> None:
    """Write `study.yaml`. A password of the database stays out of it; the folder's own database has no address."""
    is_own = url == default_url(folder)
    record = {"storage": None if is_own else url, **config.model_dump(mode="json")}
    write_text(folder / "study.yaml", yaml.safe_dump(record, sort_keys=False, allow_unicode=True))


def read_definition(folder: Path) -> tuple[StudyConfig, str | None] | None:
    path = folder / "study.yaml"
    if not path.exists():
        return None
    try:
        record = read_yaml(path)
        url = record.pop("storage")
    except (ConfigError, AttributeError, KeyError, TypeError) as error:
        raise StudyError(f"{path}: cannot be read as a study ({one_line(error)})") from error
    return parse(StudyConfig, record, str(path)), url
