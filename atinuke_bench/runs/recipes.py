"""Recipes: the published protocols that come with the package, and a user's own."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from atinuke_bench import registry
from atinuke_bench.config import Recipe, parse_recipe, read_named_yaml
from atinuke_bench.errors import naming

if TYPE_CHECKING:
    from atinuke_bench.runs.cells import CellState  # which loads what reads data; a list of recipes needs none of it


def built_in_recipes() -> dict[str, Path]:
    """Name and file of every recipe that comes with the package."""
    folder = Path(str(resources.files("atinuke_bench") / "recipes"))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def read_recipe(name_or_file: str, seeds: Iterable[int] = ()) -> Recipe:
    """A built-in recipe by name, or one from a YAML file; UnknownNameError or ConfigError.

    `seeds` take the place of its own where there are some.
    """
    written, path = read_named_yaml("recipe", name_or_file, built_in_recipes())
    if isinstance(written, dict) and isinstance(written.get("suite"), dict) and (chosen := list(seeds)):
        written = {**written, "suite": {**written["suite"], "seeds": chosen}}
    with naming(path):
        return parse_recipe(Path(path).stem, written, path)


def require_models(states: Iterable[CellState]) -> None:
    """Look up every core that runs wait for, so that a model out of reach is one error and not one a run; ConfigError.

    CheckpointError or DataError where a model is damaged or the Hub answers wrongly.
    """
    looked_up = set()
    for state in states:
        core = state.cell.run.core
        if state.status == "waiting" and (key := core.model_dump_json()) not in looked_up:
            looked_up.add(key)
            registry.load_core(core.name).resolve(core)
