"""The grid of a suite: which runs it has, checked before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

from atinuke_bench import registry
from atinuke_bench.config import (
    RunConfig,
    SourceConfig,
    SuiteConfig,
    make_run_config,
    parse,
    read_named_yaml,
    with_factors,
    with_task_files,
    with_train_limits,
)
from atinuke_bench.errors import ConfigError, naming
from atinuke_bench.runs.study_columns import FindColumn, no_studies, require_fit, with_study_columns


@dataclass(frozen=True)
class Cell:
    """One run of a grid, with the name of its column."""

    variant: str
    run: RunConfig
    #: The path of the cell whose run this one starts from.
    origin: str | None = None

    @property
    def path(self) -> str:
        """What `--only` patterns are matched with: task, column and seed."""
        return f"{self.run.task}/{self.variant}/{self.run.seed}"


def built_in_suites() -> dict[str, Path]:
    """Name and file of every suite that comes with the package."""
    folder = Path(str(resources.files("atinuke_bench") / "suites"))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def read_suite(
    name_or_file: str,
    overrides: Mapping[str, Any] = MappingProxyType({}),
    find_column: FindColumn = no_studies,
) -> SuiteConfig:
    """A built-in suite by name, or one from a YAML file with what the files among its tasks declare; ConfigError.

    Its factors and `train_limits` are columns then. `overrides` are added to those of all its runs; `find_column`
    looks up what columns have from studies.
    """
    record, path = read_named_yaml("suite", name_or_file, built_in_suites())
    with naming(path):
        record = with_study_columns(record, find_column, path)
        suite = with_factors(with_task_files(parse(SuiteConfig, record, path), Path(path).parent, path), path)
        suite = with_train_limits(suite, path)
    return suite.model_copy(update={"overrides": {**suite.overrides, **overrides}}) if overrides else suite


def expand(suite: SuiteConfig, source: SourceConfig, where: str = "suite") -> list[Cell]:
    """The grid, task by task; every config and every task's options are checked here.

    `where` names the suite in messages: its name or file.
    """
    cells = []
    for task_name in suite.tasks:
        declaration = suite.declaration_of(task_name)
        with naming(where):
            task = registry.load_task(task_name, declaration)
        for seed in suite.seeds:
            for name, variant in suite.cores.items():
                if task_name not in suite.tasks_of(name):
                    continue
                with naming(f"{where}: {task_name} in column {name!r}"):
                    run = make_run_config(
                        task_name,
                        variant.core,
                        preset=variant.preset,
                        source=source,
                        seed=seed,
                        overrides=suite.overrides_of(task_name, name),
                        declaration=declaration,
                    )
                    task.for_run(run).options(run)  # refuses a core that cannot do the task, and wrong options
                    if variant.study is not None:
                        require_fit(variant.study, run, task.for_run(run), suite.seeds)
                start = variant.init_from
                origin = None if start is None else f"{start.task}/{start.column}/{seed}"
                cells.append(Cell(name, run, origin))
    return cells


def require_data_folder(cells: list[Cell]) -> None:
    """Refuse to start runs on official files without a folder of them; ConfigError."""
    for cell in cells:
        source = cell.run.source
        if source.kind != "local" or (source.data_dir is not None and source.data_dir.is_dir()):
            continue
        found = "none was given" if source.data_dir is None else f"{source.data_dir} is no folder"
        num_tasks = len({one.run.task for one in cells if one.run.declaration is None})
        raise ConfigError(
            f"{num_tasks} tasks are read from official files in a folder, and {found}; give --data-dir DIR or "
            "$ATINUKE_DATA, or --source microworld for generated data"
        )


def select(cells: list[Cell], only: list[str]) -> list[Cell]:
    """The cells that match one of the patterns `TASK/CORE/SEED`, all without patterns; ConfigError when none does.

    What a chosen cell starts from is chosen too.

    A part left out at the end matches anything: `glue/*` takes every GLUE task, `snli/bilstm` all its seeds.
    """
    if not only:
        return cells
    chosen = [cell for cell in cells if any(_matches(cell, pattern) for pattern in only)]
    if not chosen:
        rule = "a pattern is TASK/CORE/SEED, as in"
        raise ConfigError(f"no run of the suite matches {', '.join(only)}; {rule} {cells[0].path!r}")
    return _with_origins(cells, chosen)


def _with_origins(cells: list[Cell], chosen: list[Cell]) -> list[Cell]:
    """The chosen cells, and those that they start from, in the order of the grid."""
    by_path = {cell.path: cell for cell in cells}
    wanted = {cell.path for cell in chosen}
    waiting = list(chosen)
    while waiting:
        origin = waiting.pop().origin
        if origin is not None and origin not in wanted:
            wanted.add(origin)
            waiting.append(by_path[origin])
    return [cell for cell in cells if cell.path in wanted]


def _matches(cell: Cell, pattern: str) -> bool:
    return fnmatchcase(cell.path, pattern) or fnmatchcase(cell.path, f"{pattern}/*")
