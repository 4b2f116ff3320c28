"""Suites, from `<store>/suites/<name>.json`: every run of their grids, those never started included."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from atinuke_bench.errors import RunFolderError
from atinuke_bench.records import SuiteRecord
from atinuke_bench.run_folder import read_record

from .frame import Gap


@dataclass(frozen=True)
class Suite:
    """The grid of a suite: of each run its task, variant, core, seed and folder (None where it never started).

    `levels` has the level of each factor of the variants that are cells of its factorial, `wholes` for each variant
    that learns from a part of the data the one that learns from all.
    """

    name: str
    grid: tuple[Mapping[str, Any], ...]
    store: Path
    levels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    wholes: Mapping[str, str] = field(default_factory=dict)

    def folder(self, entry: Mapping[str, Any]) -> Path | None:
        """The run folder of an entry of the grid, absolute."""
        return (self.store / entry["folder"]).resolve() if entry["folder"] else None

    def folders(self) -> set[str]:
        """The run folders that there are, as absolute paths."""
        return {str(folder) for entry in self.grid if (folder := self.folder(entry)) is not None}


def read_suites(places: Iterable[str | Path]) -> tuple[list[Suite], list[Gap]]:
    """Every suite recorded at or below some places, and those that cannot be read."""
    return _read(records_below(places, "suites/*.json"))


def suites_around(places: Iterable[str | Path]) -> tuple[list[Suite], list[Gap]]:
    """The suites below some places and of the stores that the places lie in, and those that cannot be read."""
    places = list(places)
    return _read(records_below(places, "suites/*.json") | records_above(places, "suites/*.json"))


def records_below(places: Iterable[str | Path], pattern: str) -> set[Path]:
    """Records of stores at or below some places."""
    return {Path(os.path.realpath(path)) for place in places for path in Path(place).rglob(pattern)}


def records_above(places: Iterable[str | Path], pattern: str) -> set[Path]:
    """Records of the stores that hold some places."""
    return {path for place in places for store in Path(place).resolve().parents for path in store.glob(pattern)}


def _read(paths: set[Path]) -> tuple[list[Suite], list[Gap]]:
    found, gaps = [], []
    for path in sorted(paths):
        try:
            record = read_record(SuiteRecord, path)
            kept = tuple(entry for entry in record["cells"] if entry.get("in_grid", True))
            found.append(Suite(record["name"], kept, path.parent.parent, _levels(record), _wholes(record)))
        except RunFolderError as error:
            gaps.append(Gap(str(path), f"damaged record of a suite: {error}"))
    return found, gaps


def _wholes(record: Mapping[str, Any]) -> dict[str, str]:
    columns = record.get("suite", {}).get("cores", {})
    return {name: column["part_of"] for name, column in columns.items() if column.get("part_of")}


def _levels(record: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """The levels of the columns that have some, of the same factors in the same order."""
    columns = record.get("suite", {}).get("cores", {})
    found = {name: column["levels"] for name, column in columns.items() if column.get("levels")}
    factors: Mapping[str, str] = next(iter(found.values()), {})
    return {
        name: {factor: own[factor] for factor in factors} for name, own in found.items() if own.keys() == factors.keys()
    }
