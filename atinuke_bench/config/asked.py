"""Configs of what users ask for by name, on the command line and in Python."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from atinuke_bench.config.base import parse
from atinuke_bench.config.declarations import Declaration, find_task
from atinuke_bench.config.runs import RunConfig, SourceConfig, make_run_config
from atinuke_bench.config.suites import SuiteConfig
from atinuke_bench.errors import ConfigError, UnknownNameError
from atinuke_bench.registry import require_core_name


def source_config(kind: str, data_dir: Path | None, declaration: Declaration | None = None) -> SourceConfig:
    """Where data comes from; ConfigError for another source than the files that a task's own YAML file names."""
    if declaration is not None and declaration.folder.is_absolute() and kind != "local":
        raise ConfigError(f"--source {kind}: {declaration.task} has the data that its YAML file names; leave it out")
    return parse(SourceConfig, {"kind": kind, "data_dir": data_dir}, "source")


def suite_source(suite: SuiteConfig, kind: str | None, data_dir: Path | None) -> SourceConfig:
    """The source that the user named, else the suite's own with the user's folder, else official files in a folder."""
    if kind is not None or suite.source is None:
        return source_config(kind or "local", data_dir)
    return suite.source.model_copy(update={"data_dir": data_dir} if suite.source.kind == "local" else {})


def model_override(core: str, model: str | None) -> dict[str, Any]:
    """The override that says what core `pretrained` starts from; ConfigError for a model of another core."""
    if model is None:
        return {}
    if core != "pretrained":
        raise ConfigError(f"--model is what --core pretrained starts from; found --core {core}")
    return {"core.model": model}


def run_overrides(init_from: str | Path | None, *, drop_overlap: bool) -> dict[str, Any]:
    """Overrides of a run's config that have options.

    >>> run_overrides(None, drop_overlap=True)
    {'training.drop_overlap': True}
    """
    origin = {} if init_from is None else {"init_from.run": str(init_from)}
    return {**origin, **({"training.drop_overlap": True} if drop_overlap else {})}


def require_wandb_mode(mode: str) -> Literal["online", "offline", "disabled"]:
    """`mode` itself where it is one in which W&B can be told of runs; UnknownNameError."""
    modes: tuple[Literal["online", "offline", "disabled"], ...] = ("online", "offline", "disabled")
    for known in modes:
        if mode == known:
            return known
    raise UnknownNameError("W&B mode", mode, modes, f"it is one of {', '.join(modes)}")


def named_run(
    task: str,
    core: str,
    *,
    model: str | None = None,
    preset: str = "micro",
    source: str = "local",
    data_dir: Path | None = None,
    seed: int = 0,
    overrides: Mapping[str, Any] = MappingProxyType({}),
) -> RunConfig:
    """The run of a task and a core by their names, a task also by its YAML file; ConfigError.

    >>> named_run("snli", "bilstm", preset="nano", source="microworld", overrides={"training.max_epochs": 1}).seed
    0
    """
    name, declaration = find_task(task)
    require_core_name(core)
    return make_run_config(
        name,
        core,
        preset=preset,
        source=source_config(source, data_dir, declaration),
        seed=seed,
        overrides={**model_override(core, model), **overrides},
        declaration=declaration,
    )
