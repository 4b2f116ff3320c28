"""What a study is, as `study.yaml` and the database keep it, and what runs a trial makes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import AfterValidator, Field, PlainSerializer, PlainValidator, field_validator, model_validator
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
from atinuke_bench.errors import ConfigError, StudyError, one_line
from atinuke_bench.files import write_text
from atinuke_bench.sweeps.limits import check_limits
from atinuke_bench.sweeps.parts import Aggregate, Part, StudyTask, plan_parts
from atinuke_bench.sweeps.spaces import Space
from atinuke_bench.training.schedule import SCHEDULE_VERSION

TRAIN_LIMIT = "training.train_limit"

Sampler = Literal["tpe", "random", "grid", "cmaes", "nsga2"]
Pruner = Literal["race", "asha", "hyperband", "median", "none"]
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


def _is_a_part(value: float) -> float:
    if not 0 < value < 1:
        raise ValueError(f"a share of the data is above 0 and below 1; found {value:g}")
    return value


Share = Annotated[float, AfterValidator(_is_a_part)]


def _as_space(value: Any) -> Space:
    if not isinstance(value, dict) or not all(isinstance(spec, dict) for spec in value.values()):
        raise ValueError("a space has fields, and of each what it may be")
    return Space.from_record(value)


class StudyConfig(Frozen):
    """Everything that makes two processes work on one study."""

    name: str
    #: The task; of several their names, joined by commas.
    task: str
    #: What the task is, where a file declares it, so that every process that joins has it.
    declaration: Declaration | None = Field(None, exclude_if=lambda declared: declared is None)
    #: Every task of a study that has several.
    tasks: tuple[StudyTask, ...] = Field((), exclude_if=lambda tasks: not tasks)
    #: How their scores become one.
    aggregate: Aggregate = Field("normalised", exclude_if=lambda kind: kind == "normalised")
    #: Parts of the train data on which a configuration is tried before it gets all of it.
    shares: tuple[Share, ...] = Field((), exclude_if=lambda shares: not shares)
    core: str
    preset: str = "micro"
    source: SourceConfig = SourceConfig()
    overrides: dict[str, Any] = Field({})
    #: Seed of every trial's run, and of the sampler.
    seed: int = Field(0, ge=0, le=MOST_SEED)
    #: Seeds that the best trials get in the end, that of the search among them.
    num_seeds: int = Field(1, ge=1, le=100, exclude_if=lambda number: number == 1)
    space: Annotated[Space, PlainValidator(_as_space), PlainSerializer(Space.record)]
    sampler: Sampler = "tpe"
    pruner: Pruner = "asha"
    #: Cost that is weighed against the score, if any.
    against: Cost | None = None
    #: What a trial may cost at most, by the name in a run's cost.
    at_most: dict[str, float] = Field({}, exclude_if=lambda limits: not limits)
    #: Studies of the store that it began from.
    warm_start: tuple[str, ...] = Field((), exclude_if=lambda names: not names)
    #: Name shared by the studies of one comparison of cores.
    comparison: str | None = None
    #: What task and config say, kept so that a study can be read without loading the task; epochs of all parts.
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
        check_limits(self.at_most, self.sampler)
        if self.against is not None and self.num_seeds > 1:
            raise ValueError("a study of score against cost has a front, not a best trial that gets more seeds; use 1")
        if len(set(self.shares)) < len(self.shares):
            raise ValueError("each share of the data once")
        return self

    @property
    def all_tasks(self) -> tuple[StudyTask, ...]:
        """The tasks of each trial, in the order in which it takes them."""
        if self.tasks:
            return self.tasks
        own = StudyTask(
            task=self.task,
            declaration=self.declaration,
            metric=self.metric,
            higher_is_better=self.higher_is_better,
            max_epochs=self.max_epochs // (1 + len(self.shares)),
        )
        return (own,)

    @property
    def parts(self) -> tuple[Part, ...]:
        """The runs of each trial, in their order."""
        return plan_parts(self.all_tasks, self.shares)

    def used_seeds(self) -> list[int]:
        """The seeds of all runs that trials may have; others are fresh."""
        return [self.seed + offset for offset in range(self.num_seeds)]

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
            for task in (record, *record.get("tasks", ())):
                task.get("declaration", {}).pop("folder", None)
            record.pop("versions", None)
        return first_difference(*records) or self.changed_versions(other)

    def changed_versions(self, other: StudyConfig) -> str | None:
        """What trains otherwise in another study, in words; None where all is the same.

        Studies from before versions were kept have the first schedule, and are taken to have task and core as they are.
        """
        ours, theirs = self.versions, {**self.versions, "schedule": 1, **other.versions}
        found = [f"{name} version {theirs[name]}, not {ours[name]}" for name in ours if ours[name] != theirs[name]]
        return ", ".join(found) or None

    def make_run(self, overrides: Mapping[str, Any], *, seed: int | None = None, part: Part | None = None) -> RunConfig:
        """The run of a part of a trial, of its first where none is named; ConfigError where values do not fit."""
        part = part or Part(self.all_tasks[0])
        chosen = {**self.overrides, **overrides}
        if part.share is not None:
            chosen[TRAIN_LIMIT] = _part_of(chosen.get(TRAIN_LIMIT), part.share)
        return make_run_config(
            part.task.task,
            self.core,
            preset=self.preset,
            source=self.source,
            seed=self.seed if seed is None else seed,
            overrides=chosen,
            declaration=part.task.declaration,
        )

    def make_runs(self, overrides: Mapping[str, Any], seed: int) -> tuple[RunConfig, ...]:
        """The runs of a trial, a part each; ConfigError."""
        return tuple(self.make_run(overrides, seed=seed, part=part) for part in self.parts)

    def current_versions(self) -> dict[str, int]:
        """The versions that trials begun now have."""
        found = {"core": registry.load_core(self.core).result_version, "schedule": SCHEDULE_VERSION}
        for task in self.all_tasks:
            name = f"task {task.task}" if self.tasks else "task"
            found[name] = registry.load_task(task.task, task.declaration).result_version
        return found

    def known_versions(self) -> dict[str, int]:
        """The versions of the study's trials; of one from before they were kept, what `changed_versions` takes it to
        have."""
        return self.versions or {**self.current_versions(), "schedule": 1}


def _part_of(limit: float | None, share: float) -> float:
    """A share of the data, or of the number of examples or the part of them that a study trains on.

    >>> _part_of(None, 0.25), _part_of(2000, 0.25), _part_of(0.5, 0.25)
    (0.25, 500, 0.125)
    """
    if limit is None:
        return share
    return max(1, round(limit * share)) if limit >= 1 else limit * share


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
