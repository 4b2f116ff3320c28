"""Columns of suites that are trials of studies:

    cores:
      best: {core: {study: snli-atinuke, rank: 1}}

is the core, preset and settings of the study's best trial. They are looked up when the suite is read, and its record
keeps them, so that a study that goes on changes nothing of a suite that began.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from atinuke_bench import registry
from atinuke_bench.config import RunConfig, SourceConfig, StudyOrigin, StudyRank, parse
from atinuke_bench.errors import ConfigError, nearest
from atinuke_bench.training.schedule import SCHEDULE_VERSION
from atinuke_bench.training.task import Task

#: From the names of suite and column and what the column asks for to core, preset and `StudyOrigin`, as plain data.
FindColumn = Callable[[str, str, StudyRank], Mapping[str, Any]]


def no_studies(suite: str, column: str, asked: StudyRank) -> Mapping[str, Any]:
    """For who has no store: a column of a study is refused."""
    raise ConfigError(f"study {asked.study!r} is looked up in a store of runs, and there is none here")


def with_study_columns(record: Any, find: FindColumn, where: str) -> Any:
    """A suite as it is written, with what its columns have from studies in place of the studies' names.

    ConfigError or StudyError for a study or a rank that there is not, or a column that says a core too.
    """
    columns = record.get("cores") if isinstance(record, Mapping) else None
    if not isinstance(columns, Mapping):
        return record
    cores = {}
    for name, column in columns.items():
        cores[name] = column
        if not isinstance(column, Mapping):
            continue
        place = f"{where}.cores.{name}"
        if "study" in column:
            raise ConfigError(f"{place}.study: filled when the suite is read; write `core: {{study: NAME, rank: 1}}`")
        if isinstance(column.get("core"), Mapping):
            cores[name] = _resolved(str(record.get("name")), str(name), column, find, place)
    return {**record, "cores": cores}


def _resolved(suite: str, name: str, column: Mapping[str, Any], find: FindColumn, where: str) -> dict[str, Any]:
    asked = parse(StudyRank, column["core"], f"{where}.core")
    if "preset" in column:
        raise ConfigError(f"{where}.preset: the study has its own; leave it out, or set single fields in `overrides`")
    found = find(suite, name, asked)
    own = column.get("overrides") or {}
    if not isinstance(own, Mapping):
        return {**column, **found}  # refused with the other fields
    return {**column, **found, "overrides": {**found["study"]["settings"], **own}}


def data_of(source: SourceConfig) -> SourceConfig:
    """A source without what may differ between machines: official files may lie anywhere."""
    return source.model_copy(update={"data_dir": None})


def require_fit(origin: StudyOrigin, run: RunConfig, task: Task, seeds: Sequence[int]) -> None:
    """Refuse a run of a column whose study judged its trials otherwise; ConfigError."""
    whose = f"its settings are of study {origin.study!r}"
    if run.task not in origin.tasks:
        listed = ", ".join(origin.tasks)
        near = nearest(run.task, origin.tasks) or next(iter(origin.tasks))
        raise ConfigError(f"{whose}, which is on {listed}; found {run.task}; nearest: `tasks: [{near}]` in this column")
    if task.metric.name != origin.tasks[run.task]:
        raise ConfigError(f"{whose}, which ranks by {origin.tasks[run.task]}; found {task.metric.name}")
    ours = data_of(run.source)
    if run.declaration is None and ours != origin.source:
        raise ConfigError(f"{whose}, on data from {_shown(origin.source)}; found {_shown(ours)}")
    current = {
        "task" if "task" in origin.versions else f"task {run.task}": task.result_version,
        "core": registry.load_core(run.core.name).result_version,
        "schedule": SCHEDULE_VERSION,
    }
    theirs = origin.versions
    if changed := [name for name in current if theirs.get(name) != current[name]]:
        found = ", ".join(f"{name} version {theirs.get(name)}, not {current[name]}" for name in changed)
        raise ConfigError(f"{whose}, whose trials are of {found}; a new study finds settings for what there is now")
    if both := sorted({*seeds} & {*origin.seeds}):
        fresh = max([*seeds, *origin.seeds]) + 1
        raise ConfigError(
            f"{whose}, whose trials had seed {both[0]}: by it they were chosen, so that its score flatters; nearest: "
            f"seed {fresh} in its place"
        )


def _shown(source: SourceConfig) -> str:
    parts = [f"{name} {value}" for name, value in source.model_dump(mode="json", exclude_none=True).items()]
    return ", ".join(part.removeprefix("kind ") for part in parts)
