"""A suite: a grid of runs from a YAML file, carried out side by side, each in a process of its own."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from atinuke_bench import registry
from atinuke_bench.config import RunConfig, SourceConfig, SuiteConfig, make_run_config, parse
from atinuke_bench.errors import ConfigError, UnknownNameError


@dataclass(frozen=True)
class Cell:
    """One run of a grid, with the name of its column."""

    variant: str
    run: RunConfig


@dataclass(frozen=True)
class Outcome:
    """What became of a cell: its result, or the error that ended it."""

    cell: Cell
    result: dict[str, Any] | None
    error: str | None = None


def built_in_suites() -> dict[str, Path]:
    """Name and file of every suite that comes with the package."""
    folder = Path(str(resources.files("atinuke_bench") / "suites"))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def read_suite(name_or_file: str) -> SuiteConfig:
    """A built-in suite by name, or a suite from a YAML file; ConfigError."""
    built_in = built_in_suites()
    path = built_in.get(name_or_file, Path(name_or_file))
    if not path.is_file():
        raise UnknownNameError("suite", name_or_file, built_in, f"give one of {', '.join(built_in)}, or a YAML file")
    try:
        record = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: not a readable YAML file ({' '.join(str(error).split())})") from error
    return parse(SuiteConfig, record, str(path))


def expand(suite: SuiteConfig, source: SourceConfig) -> list[Cell]:
    """The grid, task by task; every config is checked here, before anything runs."""
    return [
        Cell(
            name,
            make_run_config(
                task,
                variant.core,
                preset=variant.preset,
                source=source,
                seed=seed,
                overrides={**suite.overrides, **suite.task_overrides.get(task, {}), **variant.overrides},
                task_training=dict(registry.load_task(task).training),
            ),
        )
        for task in suite.tasks
        for seed in suite.seeds
        for name, variant in suite.cores.items()
    ]


def run_suite(cells: list[Cell], store: Path, num_workers: int, carry_out: Callable[..., Any]) -> Iterator[Outcome]:
    """Carry out the cells, yielding each outcome as it comes.

    `carry_out(run, store)` gives the result; it is called in a process of its own, one thread each, which on a CPU
    beats one run with all threads. A run that fails does not end the others.
    """
    # Workers are forked from a server that has loaded torch once and started no threads.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["atinuke_bench.runs.execute"])
    with ProcessPoolExecutor(num_workers, mp_context=context) as pool:
        waiting = {pool.submit(carry_out, cell.run, store): cell for cell in cells}
        for future in as_completed(waiting):
            error = future.exception()
            if error is not None:
                yield Outcome(waiting[future], None, f"{type(error).__name__}: {error}")
            else:
                yield Outcome(waiting[future], future.result())
