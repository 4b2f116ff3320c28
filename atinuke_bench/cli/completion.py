"""What a shell completes: names of tasks, cores, presets and files that come with the package, and run folders.

Each function gets what is typed so far; typer keeps what begins with it. A shell waits for them, so they load nothing
slow. Where they have no answer the shell completes files.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import typer

#: With more run folders than a terminal has room for, or more folders than are looked through at once, a shell
#: completes one folder at a time.
_MOST_RUNS = 200
_MOST_FOLDERS = 2000


def tasks() -> list[str]:
    from atinuke_bench.registry import task_names

    return task_names()


def cores() -> list[str]:
    from atinuke_bench.registry import core_names

    return core_names()


def presets(ctx: typer.Context) -> list[str]:
    """Those of the core that is on the line, or else of all; not a plug-in's, which would have to be imported."""
    from atinuke_bench.registry import core_names, load_core_config, module_of

    built_in = [name for name in core_names() if module_of("cores", name).startswith("atinuke_bench.")]
    found = [load_core_config(name).presets for name in built_in if ctx.params.get("core") in (None, name)]
    return list(dict.fromkeys(preset for own in found for preset in own))


def files_of(room: str) -> Callable[[], list[str]]:
    """What completes the names of a folder's YAML files: those of `suites`, `recipes`, `test_sets` or `sweeps`."""

    def names() -> list[str]:
        folder = Path(str(resources.files("atinuke_bench"))) / room
        if not folder.is_dir():  # `sweeps` lies beside the package in a checkout
            folder = Path(str(resources.files(f"atinuke_bench.{room}")))
        return sorted(path.stem for path in folder.glob("*.yaml"))

    return names


def one_of(*words: str) -> Callable[[], list[str]]:
    """What completes a fixed choice."""
    return lambda: list(words)


def studies(ctx: typer.Context) -> list[str]:
    """Those of the store that is on the line, or else of `runs`."""
    store = Path(ctx.params.get("out") or "runs")
    return sorted(path.parent.name for path in store.glob("studies/*/study.yaml"))


def runs(incomplete: str) -> list[str]:
    """Run folders whose path begins with what is typed, of the store `runs` where nothing is; none of very many."""
    typed = incomplete or "runs/"
    top, found = os.path.dirname(typed), []
    for number, (folder, below, files) in enumerate(os.walk(top or ".")):
        place = folder if top else folder.removeprefix("./")
        if number > _MOST_FOLDERS:
            return []
        if "config.yaml" in files:
            below.clear()
            found.append(place)
        else:
            inner = {name: os.path.join("" if place == "." else place, name) for name in below}
            below[:] = [name for name, path in inner.items() if path.startswith(typed) or typed.startswith(path)]
    return sorted(found) if len(found) <= _MOST_RUNS else []
