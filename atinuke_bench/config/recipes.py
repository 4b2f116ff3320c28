"""A published protocol as it is written in YAML: a suite, its grid, and the published figures it is held against."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from atinuke_bench.config.base import Frozen, parse
from atinuke_bench.config.suites import SuiteConfig
from atinuke_bench.config.written import as_written
from atinuke_bench.errors import ConfigError


class PublishedRow(Frozen):
    """Names a row of the published record by some of its fields; exactly one row has them."""

    task: str
    version: str | None = None
    split: Literal["train", "dev", "test"]
    subset: str = ""
    metric: str
    system: str
    source: str
    place: str | None = None
    #: The core of the recipe that the row is held against; not needed where there is one.
    core: str | None = None

    def fits(self, fields: Mapping[str, Any]) -> bool:
        """Whether a row with these fields is the one that is named."""
        own = self.model_dump(exclude={"core"}, exclude_none=True)
        return all(fields.get(name) == value for name, value in own.items())

    @property
    def label(self) -> str:
        """The figure in words.

        >>> row = {"task": "glue/mnli", "split": "dev", "subset": "matched", "metric": "accuracy"}
        >>> PublishedRow(**row, system="BERT", source="arXiv 1810.04805").label
        'glue/mnli dev matched accuracy'
        """
        return " ".join(filter(None, (self.task, self.split, self.subset, self.metric)))


class Recipe(Frozen):
    """A protocol with its source, and all that is known to keep its runs from being those that were published."""

    name: str
    summary: str = Field(min_length=1)
    #: Where the protocol was read: `arXiv 1810.04805`, `github.com/owner/repository: path`, or an address.
    source: str = Field(min_length=1)
    #: The section, table or command there.
    place: str = Field(min_length=1)
    rows: list[PublishedRow] = Field(min_length=1)
    #: What is not as published in every run of the recipe, for readers of the verdict.
    differs: list[str] = Field([])
    #: Column -> the columns of its settings, where the protocol chooses one of several.
    settings: dict[str, list[str]] = Field({})
    suite: SuiteConfig

    @field_validator("rows")
    @classmethod
    def _names_no_row_twice(cls, rows: list[PublishedRow]) -> list[PublishedRow]:
        if len({row.model_dump_json() for row in rows}) < len(rows):
            raise ValueError("rows has a row twice")
        return rows

    @model_validator(mode="after")
    def _rows_are_of_the_suite(self) -> Self:
        for row in self.rows:
            if row.task not in self.suite.tasks:
                raise ValueError(f"rows: {row.task!r} is none of the suite's tasks")
            known = [core for core, columns in self._columns().items() if row.task in self.suite.tasks_of(columns[0])]
            if row.core is None and len(known) != 1:
                raise ValueError(f"rows: a row of {row.task} names its core, one of {', '.join(known)}")
            if row.core is not None and row.core not in known:
                raise ValueError(f"rows: {row.core!r} is no core with {row.task}; there are {', '.join(known)}")
        return self

    def _columns(self) -> dict[str, list[str]]:
        return self.settings or {name: [name] for name in self.suite.cores}

    def columns_of(self, row: PublishedRow) -> list[str]:
        """The columns of the suite that a row is held against: one, or all settings that one is chosen of."""
        if row.core is not None:
            return self._columns()[row.core]
        return next(columns for columns in self._columns().values() if row.task in self.suite.tasks_of(columns[0]))

    @property
    def rule(self) -> str:
        """How one of several settings is chosen; empty where there is one.

        Dev where the suite selects on it, as many papers do, else the slice held out from train.
        """
        where = "dev" if self.suite.select_on == "dev" else "the held-out slice"
        return f"of each task the setting with the best mean score on {where}" if self.settings else ""


def parse_recipe(name: str, written: Any, where: str) -> Recipe:
    """The recipe in plain data; ConfigError that begins with `where`.

    `record` are fields that all `rows` share. `grid` gives the values of some fields, and every core of the suite gets
    a column for each combination.
    """
    if not isinstance(written, dict) or not isinstance(written.get("suite"), dict):
        raise ConfigError(
            f"{where}: a recipe has summary, source, place, rows, and a suite with tasks, cores and seeds"
        )
    if filled := {"name", "settings"} & written.keys():
        raise ConfigError(f"{where}.{min(filled)}: comes from the recipe's file name and grid; leave it out")
    own = dict(written)
    shared, grid = _mapping(own.pop("record", {}), f"{where}.record"), _mapping(own.pop("grid", {}), f"{where}.grid")
    rows = own.get("rows")
    if isinstance(rows, list):
        own["rows"] = [{**shared, **row} if isinstance(row, dict) else row for row in rows]
    suite = {"description": own.get("summary", ""), **own["suite"], "name": f"reproduce-{name}"}
    settings: dict[str, list[str]] = {}
    if grid:
        suite["cores"], settings = _spread(parse(SuiteConfig, suite, f"{where}.suite"), grid, f"{where}.grid")
    return parse(Recipe, {**own, "name": name, "suite": suite, "settings": settings}, where)


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: fields with their values; found {value!r:.80}")
    return value


def _spread(suite: SuiteConfig, grid: Mapping[str, Any], where: str) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """The columns of every combination of a grid's values, and their names by core."""
    for field, values in grid.items():
        if not isinstance(values, list) or len(values) < 2:
            raise ConfigError(f"{where}.{field}: a list of at least two values; found {values!r:.80}")
    cores: dict[str, Any] = {}
    settings: dict[str, list[str]] = {}
    for name, variant in suite.cores.items():
        if variant.init_from is not None:
            raise ConfigError(f"{where}: {name!r} starts from another column, which a grid has many of")
        for values in product(*grid.values()):
            chosen = dict(zip(grid, values, strict=True))
            shown = ", ".join(f"{field.rpartition('.')[2]} {_short(value)}" for field, value in chosen.items())
            column = f"{name}, {shown}"
            settings.setdefault(name, []).append(column)
            cores[column] = variant.model_copy(update={"overrides": {**variant.overrides, **chosen}}).model_dump()
    return cores, settings


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else as_written(value)
