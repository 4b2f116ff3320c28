"""Studies, from `<store>/studies/<name>/`: what they learned, and which run folders are theirs alone."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from atinuke_bench.errors import RunFolderError
from atinuke_bench.run_folder import read_record
from atinuke_bench.study_records import BestRecord, InsightRecord

from .frame import Gap
from .suites import records_above, records_below

SCHEMA = 1
_RECORDS = "studies/*/insight.json"


@dataclass(frozen=True)
class Study:
    """One `insight.json`, the store that its trials' folders are relative to, and its best trials on fresh seeds."""

    insight: Mapping[str, Any]
    store: Path
    rivals: tuple[Mapping[str, Any], ...] = ()

    @property
    def name(self) -> str:
        return str(self.insight["study"])

    @property
    def title(self) -> str:
        preset = self.insight.get("preset")
        return f"{self.name} ({self.insight['task']}, {self.insight['core']}{f'-{preset}' if preset else ''})"

    def trial(self, number: int) -> Mapping[str, Any]:
        """The record of a trial; of one that is not there by now, its number alone."""
        found = (trial for trial in self.insight["trials"] if trial["number"] == number)
        return next(found, {"number": number})

    def folders(self) -> set[str]:
        """Run folders of its trials and of the best ones on fresh seeds, as absolute paths."""
        named = [trial.get("folder") for trial in self.insight["trials"]]
        named += [part["folder"] for trial in self.insight["trials"] for part in trial.get("parts") or ()]
        named += [folder for rival in self.rivals for folder in rival["folders"]]
        return {str(self._in_store(Path(folder))) for folder in named if folder}

    def _in_store(self, folder: Path) -> Path:
        """A recorded folder, absolute. Some are recorded from where the command ran, perhaps before the store moved."""
        parts = folder.parts
        ends = (self.store.joinpath(*parts[start:]) for start in range(folder.is_absolute(), len(parts)))
        return next((end for end in ends if (end / "config.yaml").exists()), self.store / folder).resolve()

    @property
    def cost(self) -> str:
        """What the front weighs against the score; each trial has it under this name."""
        objectives = self.insight.get("objectives") or []
        return objectives[1]["name"] if len(objectives) > 1 else "parameters"

    def costed(self) -> list[tuple[float, float]]:
        """Cost and score of each complete trial, in the units of the front."""
        complete = (trial for trial in self.insight["trials"] if trial["state"] == "complete")
        return [(trial[self.cost], trial["score"]) for trial in complete if trial.get(self.cost)]


def read_studies(places: Iterable[str | Path]) -> tuple[list[Study], list[Gap]]:
    """Every study at or below some places or with runs there, and those that cannot be read."""
    places = list(places)
    below = records_below(places, _RECORDS)
    found, gaps = _read(below)
    roots = [Path(place).resolve() for place in places]
    for study in _read(records_above(places, _RECORDS) - below)[0]:
        if any(Path(folder).is_relative_to(root) for folder in study.folders() for root in roots):
            found.append(study)
    return found, gaps


def _read(paths: set[Path]) -> tuple[list[Study], list[Gap]]:
    found, gaps = [], []
    for path in sorted(paths):
        try:
            insight = read_record(InsightRecord, path)
            if insight.get("schema") != SCHEMA:
                raise RunFolderError(f"{path}: not an insight of schema {SCHEMA}")
        except RunFolderError as error:
            gaps.append(Gap(str(path), f"damaged study: {error}"))
            continue
        best = path.with_name("best.json")
        rivals: tuple[Mapping[str, Any], ...] = ()
        try:
            rivals = tuple(read_record(BestRecord, best)["trials"]) if os.path.lexists(best) else ()
        except RunFolderError as error:
            gaps.append(Gap(str(best), f"damaged record of the best trials: {error}"))
        found.append(Study(insight, path.parent.parent.parent, rivals))
    return found, gaps
