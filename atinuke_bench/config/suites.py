"""A grid of runs, as it is written in YAML."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from atinuke_bench.config.base import Frozen


class CoreVariant(Frozen):
    """One column of a suite: a core, a preset, and what is changed in its runs."""

    core: str
    preset: str = "micro"
    overrides: dict[str, Any] = Field({})


class SuiteConfig(Frozen):
    """A grid of runs: every task with every core variant and every seed."""

    name: str
    description: str = ""
    tasks: list[str] = Field(min_length=1)
    #: Display name -> variant.
    cores: dict[str, CoreVariant] = Field(min_length=1)
    seeds: list[int] = Field(min_length=1)
    #: Overrides of all runs, and of all runs of a task; the variant's own come last.
    overrides: dict[str, Any] = Field({})
    task_overrides: dict[str, dict[str, Any]] = Field({})
