"""A grid of runs, as it is written in YAML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from atinuke_bench import registry
from atinuke_bench.config.base import Frozen, parse
from atinuke_bench.config.cores import is_floor
from atinuke_bench.config.declarations import Declaration, find_task, is_task_file
from atinuke_bench.config.runs import MOST_SEED, SourceConfig
from atinuke_bench.config.training import TrainLimit
from atinuke_bench.errors import ConfigError, naming, nearest


class VariantOrigin(Frozen):
    """The run of the same suite and seed that a column's runs start from: a task's, in another column."""

    task: str
    column: str


class StudyRank(Frozen):
    """What a suite may write in place of a core's name: a trial of a study by its rank among the complete ones."""

    study: str
    rank: int = Field(1, ge=1)


class StudyOrigin(Frozen):
    """The trial of a study that a column has its settings of, as the study was when the suite began."""

    study: str
    rank: int
    trial: int
    #: What study and trial set; the column's own overrides count more.
    settings: dict[str, Any] = Field({})
    #: What its trials were judged by: of each task its metric, and where the data came from.
    tasks: dict[str, str]
    source: SourceConfig
    #: Of the core, the schedule, and the task, or of several `task NAME` each.
    versions: dict[str, int]
    #: The seeds of its trials, by which the settings were chosen.
    seeds: list[int]


class CoreVariant(Frozen):
    """One column of a suite: a core, a preset, and what is changed in its runs."""

    core: str
    preset: str = "micro"
    overrides: dict[str, Any] = Field({})
    #: The run that weights and tokenizer come from; this column has no cell for that run's own task.
    init_from: VariantOrigin | None = None
    #: The tasks that have a cell in this column; all of the suite's when not given.
    tasks: list[str] | None = None
    #: The level of each factor that this column is a combination of; left out of records where there are none.
    levels: dict[str, str] = Field({}, exclude_if=lambda found: not found)
    #: The column that this one is on fewer training examples (`config.train_limits`); left out where there is none.
    part_of: str | None = Field(None, exclude_if=lambda found: found is None)
    #: The trial that its settings are of (`runs.study_columns`); left out where the suite gives them itself.
    study: StudyOrigin | None = Field(None, exclude_if=lambda found: found is None)


class SuiteConfig(Frozen):
    """A grid of runs: every task with every core variant and every seed."""

    name: str
    description: str = ""
    tasks: list[str] = Field(min_length=1)
    #: Display name -> variant.
    cores: dict[str, CoreVariant] = Field(min_length=1)
    #: What one of the cores is varied in, or two of them differ in (`config.factors`): a column each combination.
    factors: dict[str, Any] = Field({}, exclude_if=lambda found: not found)
    #: Of how many examples each trained core learns too, beside all of them (`config.train_limits`).
    train_limits: list[TrainLimit] = Field([], exclude_if=lambda found: not found)
    seeds: list[Annotated[int, Field(ge=0, le=MOST_SEED)]] = Field(min_length=1)
    #: Where the data comes from unless the user says otherwise; official files in a folder by default.
    source: SourceConfig | None = None
    #: What selects the epoch: a slice held out from train, or dev, which mimics the literature and is tagged.
    select_on: Literal["held-out", "dev"] = "held-out"
    #: Overrides of all runs, and of all runs of a task; the variant's own take precedence.
    overrides: dict[str, Any] = Field({})
    task_overrides: dict[str, dict[str, Any]] = Field({})
    #: What the files among `tasks` declare, each by its path as the suite has it; left out of records where empty.
    declarations: dict[str, Declaration] = Field({}, exclude_if=lambda found: not found)
    #: Test sets that finished runs are scored on: built-in ones, or YAML files beside the suite's. Left out of records
    #: where there are none, so that these are what they were.
    evaluate: list[str] = Field([], exclude_if=lambda found: not found)

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, record: Any) -> Any:
        """`cores: [bilstm, atinuke]` has a column for each of them; `glue` and `glue/*` are all tasks of that group."""
        if not isinstance(record, Mapping):
            return record
        record = dict(record)
        if isinstance(cores := record.get("cores"), list) and all(isinstance(name, str) for name in cores):
            if len(set(cores)) < len(cores):
                raise ValueError(f"cores has a value twice; found {cores}")
            record["cores"] = {name: {"core": name} for name in cores}
        if isinstance(tasks := record.get("tasks"), list):
            record["tasks"] = [name for entry in tasks for name in _tasks_of_group(entry)]
        if isinstance(changes := record.get("task_overrides"), Mapping):
            record["task_overrides"] = _for_each_task(changes, record.get("tasks"))
        return record

    @model_validator(mode="after")
    def _overrides_name_tasks_of_the_grid(self) -> Self:
        for task in self.task_overrides:
            if task not in self.tasks:
                raise ValueError(f"task_overrides names {task!r}, which is none of the suite's tasks")
        for what, values in (("tasks", self.tasks), ("seeds", self.seeds), ("train_limits", self.train_limits)):
            if len(set(values)) < len(values):
                raise ValueError(f"{what} has a value twice; found {values}")
        return self

    @model_validator(mode="after")
    def _origins_are_cells_of_the_grid(self) -> Self:
        for name, variant in self.cores.items():
            for task in variant.tasks or ():
                _require(task, self.tasks, f"cores.{name}.tasks", "task")
            if (origin := variant.init_from) is None:
                continue
            where = f"cores.{name}.init_from"
            _require(origin.column, self.cores, f"{where}.column", "column")
            _require(origin.task, self.tasks_of(origin.column), f"{where}.task", f"task of column {origin.column!r}")
            self._require_end(name)
        return self

    def _require_end(self, name: str) -> None:
        """Refuse columns that start from each other."""
        chain = [name]
        while (origin := self.cores[chain[-1]].init_from) is not None and origin.column in self.cores:
            if origin.column in chain:
                raise ValueError(f"columns start from each other: {' <- '.join([*chain, origin.column])}")
            chain.append(origin.column)

    def tasks_of(self, variant: str) -> list[str]:
        """The tasks that have a cell in a column."""
        own = self.cores[variant]
        start = own.init_from.task if own.init_from is not None else None
        return [task for task in self.tasks if task != start and (own.tasks is None or task in own.tasks)]

    def declaration_of(self, task: str) -> Declaration | None:
        """What declares a task; None where it is one of the registry's."""
        return next((found for found in self.declarations.values() if found.task == task), None)

    def by_name(self, pattern: str) -> str:
        """A pattern of runs with a task's name where it begins with the file that declares it."""
        for file, declaration in self.declarations.items():
            if pattern == file or pattern.startswith(f"{file}/"):
                return declaration.task + pattern.removeprefix(file)
        return pattern

    def overrides_of(self, task: str, variant: str) -> dict[str, Any]:
        """All overrides of the runs of a task with a core variant, the most specific last.

        What all cores share does not reach a floor, which has no dimensions.
        """
        own = self.cores[variant]
        shared = {"training.select_on": self.select_on, **self.overrides, **self.task_overrides.get(task, {})}
        if is_floor(own.core):
            shared = {name: value for name, value in shared.items() if not name.startswith("core.")}
        return {**shared, **own.overrides}


def with_task_files(suite: SuiteConfig, base: Path, where: str) -> SuiteConfig:
    """The suite with the tasks that files declare under their names, beside what declares them; ConfigError.

    Relative paths begin at `base`, the folder of the suite's file, which `where` names in messages.
    """
    if suite.declarations:
        raise ConfigError(f"{where}.declarations: filled from the files that `tasks` names; name the file there")
    names, declarations = {}, {}
    for entry in filter(is_task_file, suite.tasks):
        with naming(where):
            names[entry], found = find_task(entry, base)
        assert found is not None, "a file declares a task"
        declarations[entry] = found
    if not names:
        return suite
    record = suite.model_dump()
    for group in (record, *record["cores"].values()):
        group["tasks"] = group["tasks"] and [names.get(task, task) for task in group["tasks"]]
    for variant in record["cores"].values():
        if (origin := variant["init_from"]) is not None:
            origin["task"] = names.get(origin["task"], origin["task"])
    record["task_overrides"] = {names.get(task, task): changed for task, changed in suite.task_overrides.items()}
    return parse(SuiteConfig, {**record, "declarations": declarations}, where)


def _tasks_of_group(entry: Any) -> list[Any]:
    """The tasks that a pattern or the first part of their names stands for; the entry itself where it is no group.

    >>> _tasks_of_group("pawsx/*")[:2], _tasks_of_group("snli")
    (['pawsx/de', 'pawsx/en'], ['snli'])
    """
    if not isinstance(entry, str) or is_task_file(entry) or entry in (names := registry.task_names()):
        return [entry]
    return [name for name in names if fnmatchcase(name, entry) or name.startswith(f"{entry}/")] or [entry]


def _for_each_task(changes: Mapping[Any, Any], tasks: Any) -> dict[Any, Any]:
    """Overrides of groups as those of each of their tasks in the grid; what is said of one task counts more."""
    spread: dict[Any, Any] = {}
    for entry, changed in sorted(changes.items(), key=lambda item: len(_tasks_of_group(item[0])), reverse=True):
        members = _tasks_of_group(entry)
        if isinstance(tasks, list) and members != [entry]:
            members = [name for name in members if name in tasks] or [entry]
        for name in members:
            is_both = isinstance(changed, Mapping) and isinstance(spread.get(name), Mapping)
            spread[name] = {**spread[name], **changed} if is_both else changed
    return spread


def _require(name: str, known: Iterable[str], where: str, kind: str) -> None:
    known = list(known)
    if name not in known:
        near = nearest(name, known)
        hint = f"; nearest: {near!r}" if near else f"; there are {', '.join(known)}"
        raise ValueError(f"{where} names no {kind} of the suite; found {name!r}{hint}")
