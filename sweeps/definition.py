"""What a study is, as `study.yaml` and the database keep it, and the run that a trial's values make."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import Field, field_validator, model_validator

from atinuke_bench import registry
from atinuke_bench.config import Frozen, RunConfig, SourceConfig, core_config_class, make_run_config, parse
from atinuke_bench.errors import ConfigError, StudyError
from atinuke_bench.files import write_text
from atinuke_bench.sweeps import fields
from atinuke_bench.sweeps.spaces import Space, make_space
from atinuke_bench.sweeps.storage import default_url

SAMPLERS = ("tpe", "random", "grid", "cmaes", "nsga2")
PRUNERS = ("asha", "hyperband", "median", "none")
#: What can stand against the score: name -> where a result keeps it.
COSTS = {"parameters": "parameters", "flops": "forward_flops_per_token"}


class Budget(Frozen):
    """What a study may use, over all its processes and restarts; what runs when it is used up is let finish."""

    trials: int | None = Field(None, ge=1)
    #: Of trials, added over workers.
    seconds: float | None = Field(None, gt=0)
    #: Training operations of the core, counted as in every run's cost.
    flops: float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _has_an_end(self) -> Self:
        if self.trials is None and self.seconds is None and self.flops is None:
            raise ValueError("a study needs a budget: trials, seconds or flops")
        return self


class StudyConfig(Frozen):
    """Everything that makes two processes work on one study."""

    name: str
    task: str
    core: str
    preset: str = "micro"
    source: SourceConfig = SourceConfig()
    overrides: dict[str, Any] = Field({})
    #: Seed of every trial's run, and of the sampler.
    seed: int = Field(0, ge=0)
    #: Parameters in plain data, with what is relative worked out.
    space: dict[str, Any]
    sampler: Literal["tpe", "random", "grid", "cmaes", "nsga2"] = "tpe"
    pruner: Literal["asha", "hyperband", "median", "none"] = "asha"
    #: Cost that is weighed against the score, if any.
    against: Literal["parameters", "flops"] | None = None
    #: Name shared by the studies of one comparison of cores.
    comparison: str | None = None
    #: What task and config say, kept so that a study can be read without loading the task.
    metric: str
    higher_is_better: bool
    max_epochs: int
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
        return ("score",) if self.against is None else ("score", self.against)

    def definition(self) -> dict[str, Any]:
        """What must be the same for whoever joins; the budget may grow and data may lie elsewhere."""
        record = self.model_dump(mode="json", exclude={"budget"})
        record["source"].pop("data_dir", None)
        return record

    def make_run(self, overrides: Mapping[str, Any], *, seed: int | None = None) -> RunConfig:
        """The run of a trial; ConfigError where the values do not go together."""
        return make_run_config(
            self.task,
            self.core,
            preset=self.preset,
            source=self.source,
            seed=self.seed if seed is None else seed,
            overrides={**self.overrides, **overrides},
            task_training=dict(registry.load_task(self.task).training),
        )

    def make_space(self) -> Space:
        """The space, ready to draw from."""
        return resolve_space(self.space, self.make_run({}), where=f"study {self.name}")


def resolve_space(record: Mapping[str, Any], run: RunConfig, where: str) -> Space:
    """A space checked against the core and task of `run`, whose values it changes; ConfigError."""
    if run.training.select_on != "held-out":
        raise ConfigError(
            "a study selects on the slice held out from train; training.select_on=dev would tune on the dev set"
        )
    task = registry.load_task(run.task)
    base = fields.flat_values(run, task.options(run))
    space = make_space(record, base, where)
    core_class = core_config_class(run.core.name)
    parameters = []
    for parameter in space.parameters:
        place = f"{where}: {parameter.path}"
        field = fields.require_searchable(parameter.path, core_class, task.options_class, where)
        fields.check_domain(parameter.domain, field, place, times=parameter.times is not None)
        parameters.append(parameter.with_multiple_of(fields.multiple_of(field)))
    return Space(tuple(parameters), base)


def make_study_config(
    *,
    name: str,
    task: str,
    core: str,
    space: Mapping[str, Any],
    budget: Mapping[str, Any],
    preset: str = "micro",
    source: SourceConfig | None = None,
    overrides: Mapping[str, Any] | None = None,
    where: str = "space",
    **settings: Any,
) -> StudyConfig:
    """A study's config with its space checked and worked out for this core and preset; ConfigError."""
    record = {
        "name": name,
        "task": registry.require_task_name(task),
        "core": registry.require_core_name(core),
        "preset": preset,
        "source": (source or SourceConfig()).model_dump(mode="json"),
        "overrides": dict(overrides or {}),
        "budget": dict(budget),
        **settings,
    }
    kept = registry.load_task(task)
    record |= {"metric": kept.metric.name, "higher_is_better": kept.metric.higher_is_better}
    bare = parse(StudyConfig, {**record, "space": {}, "max_epochs": 1}, "study")
    run = bare.make_run({})
    resolved = resolve_space(space, run, where)
    return bare.model_copy(
        update={
            "space": resolved.record(),
            "max_epochs": run.training.max_epochs,
            "metric": kept.for_run(run).metric.name,
        }
    )


def first_difference(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> str | None:
    """What two definitions disagree on first, in words; None where they are the same.

    >>> first_difference({"sampler": "tpe", "seed": 1}, {"sampler": "random", "seed": 1})
    "sampler 'random', not 'tpe'"
    """
    for key in sorted({*ours, *theirs}, key=lambda key: (key == "space", key)):
        if ours.get(key) == theirs.get(key):
            continue
        if isinstance(ours.get(key), dict) and isinstance(theirs.get(key), dict):
            inner = first_difference(ours[key], theirs[key])
            return f"{key}: {inner}"
        return f"{key} {theirs.get(key)!r}, not {ours.get(key)!r}"
    return None


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
        record = yaml.safe_load(path.read_text(encoding="utf-8"))
        url = record.pop("storage")
    except (OSError, ValueError, AttributeError, KeyError, TypeError, yaml.YAMLError) as error:
        raise StudyError(f"{path}: cannot be read as a study ({' '.join(str(error).split())})") from error
    return parse(StudyConfig, record, str(path)), url
