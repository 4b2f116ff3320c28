"""Run folders and results from elsewhere, gathered into one frame.

Nothing here raises for a damaged run: the report is made of what is there, and names what is not.
"""

from __future__ import annotations

import glob
import math
import os
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from atinuke_bench.config import Pretraining
from atinuke_bench.errors import AtinukeBenchError, FailureClass, RunFolderError, first_line
from atinuke_bench.files import open_regular, read_object
from atinuke_bench.formatting import one_short_line
from atinuke_bench.run_folder import RunFolder, find_runs

from .column import Column
from .frame import Frame, Gap
from .results import FIELDS, row_of, score_rows, slice_rows
from .studies import read_studies
from .suites import suites_around
from .variants import flat_config, named_by_suites, variant_names, without_seed


class Collector:
    """Gathers results from wherever they are into one frame.

    A run that several places hold counts once; where they contradict each other, those after the first are gaps. Of
    runs that differ in nothing but the versions of what made them, such as the schedule's, the newest one counts.
    """

    def __init__(self) -> None:
        self.gaps: list[Gap] = []
        self.num_trials = 0
        #: What suites call their runs: folder -> (suite, column).
        self.called: dict[str, set[tuple[str, str]]] = {}
        self._rows: list[dict[str, Any]] = []
        self._slices: list[tuple[Any, ...]] = []
        self._scores: list[tuple[Any, ...]] = []
        self._protocols: dict[Column, Mapping[str, Any]] = {}
        self._pretraining: dict[str, Pretraining] = {}
        self._configs: list[str] = []
        #: The fields of each text of a config.
        self._flat: dict[str, dict[str, Any]] = {}
        self._histories: dict[int, list[dict[str, Any]]] = {}
        #: Place and figures of each run, by task and identity.
        self._seen: dict[tuple[str, str], tuple[str, dict[str, float]]] = {}
        #: Row, place and time of each run, by column, core, config and seed.
        self._trained: dict[tuple[Any, ...], tuple[int, str, Callable[[], str]]] = {}
        self._superseded: set[int] = set()

    @property
    def num_runs(self) -> int:
        return len(self._rows)

    def add(
        self,
        where: str,
        result: Mapping[str, Any],
        config: Callable[[], str],
        history: list[dict[str, Any]] | None = None,
        created: Callable[[], str] = str,
    ) -> None:
        """Take in a result; one that is none becomes a gap.

        `config` gives the YAML text of its config, `created` when it was trained as ISO 8601, "" where nobody knows.
        """
        try:
            pretraining = Pretraining.read(result["protocol"]["pretraining"])
            protocol = {**result["protocol"], "pretraining": pretraining.label}
            row = row_of(where, {**result, "protocol": protocol})
            figures = _figures(result)
            slices = slice_rows(len(self._rows), result["slices"].get(row["split"], {}))
            scores = score_rows(len(self._rows), result["scores"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            self.gaps.append(Gap(where, f"damaged result: {first_line(error, with_class=True)}"))
            return
        try:
            text = without_seed(config())
            if text not in self._flat:
                self._flat[text] = flat_config(text, "config.yaml")
        except AtinukeBenchError as error:
            self.gaps.append(Gap(where, f"not counted, since its variant is unknown: {error}"))
            return
        key = (row["task"], row["identity"])
        if key in self._seen:
            if difference := _contradiction(*self._seen[key], figures):
                self.gaps.append(Gap(where, f"not counted, one run with two results: {difference}"))
            return
        self._seen[key] = where, figures
        if not self._is_newest(where, row, text, created):
            return
        if history is not None:
            self._histories[len(self._rows)] = history
        self._protocols.setdefault(row["column"], protocol)
        self._pretraining.setdefault(pretraining.label, pretraining)
        self._slices += slices
        self._scores += scores
        self._rows.append(row)
        self._configs.append(text)

    def _is_newest(self, where: str, row: Mapping[str, Any], text: str, created: Callable[[], str]) -> bool:
        """Whether no newer run is the same but for its versions; an older one is left out, and named among the gaps."""
        key = row["column"], row["label"], text, row["seed"]
        earlier = self._trained.get(key)
        if earlier is not None and created() < earlier[2]():
            self._supersede(where, by=earlier[1])
            return False
        if earlier is not None:
            self._supersede(earlier[1], by=where)
            self._superseded.add(earlier[0])
        self._trained[key] = len(self._rows), where, created
        return True

    def _supersede(self, where: str, by: str) -> None:
        self.gaps.append(Gap(where, f"not counted: trained by an earlier version of the code, and anew in {by}"))

    def frame(self) -> Frame:
        """All that was taken in."""
        places, texts = pd.factorize(pd.Series(self._configs, dtype=object))
        configs = tuple(self._flat[text] for text in texts)
        runs = pd.DataFrame(self._rows, columns=None if self._rows else list(FIELDS))
        if self._rows:
            runs["config"] = places
            runs["variant"] = named_by_suites(runs, self.called)
            runs["variant"] = variant_names(runs, configs)
            runs = runs.drop(index=sorted(self._superseded))
        slices = pd.DataFrame(self._slices, columns=["run", "slice", "label", "metric", "value"])
        scores = pd.DataFrame(self._scores, columns=["run", "split", "metric", "value"])
        slices, scores = (table[~table["run"].isin(self._superseded)] for table in (slices, scores))
        return Frame(runs, slices, tuple(self.gaps), self._protocols, configs, self._pretraining, scores,
                     self._histories, self.num_trials)  # fmt: skip


def read_frame(places: Iterable[str | Path]) -> Frame:
    """All runs at or below some places (folders or glob patterns) that are no trials of a study.

    RunFolderError when there is no run at all.
    """
    collector = Collector()
    collect_folders(places, collector)
    return collector.frame()


def collect_folders(places: Iterable[str | Path], collector: Collector) -> None:
    """Take in the runs at or below some places; RunFolderError when none of them holds a run.

    Runs that only a study has are counted and left to it, unless a place names the very run folder.
    """
    places = list(places)
    found = expand(places)
    folders = find_runs(*found)
    if not folders:
        raise RunFolderError(f"no run at or below {', '.join(map(str, places))}")
    suites, unread = suites_around(found)
    collector.gaps += unread
    for suite in suites:
        for entry in suite.grid:
            if (place := suite.folder(entry)) is not None:
                # A core is called the same on every part of the data: its columns of results tell the parts.
                name = suite.wholes.get(entry["variant"], entry["variant"])
                collector.called.setdefault(str(place), set()).add((suite.name, name))
    studies, unread = read_studies(found)
    collector.gaps += unread
    trials = {folder for study in studies for folder in study.folders()}
    trials -= {*collector.called, *(str(Path(place).resolve()) for place in places)}
    for folder in folders:
        try:
            result = folder.read_result() if os.path.lexists(folder.result) else None
        except AtinukeBenchError as error:
            collector.gaps.append(Gap(str(folder.path), f"damaged result: {error}"))
            continue
        if str(folder.path.resolve()) in trials:
            collector.num_trials += result is not None
        elif result is None and _is_pruned(folder):
            continue  # a decision of the study that it is a trial of
        elif result is None:
            collector.gaps.append(Gap(str(folder.path), _why_unfinished(folder)))
        else:
            collector.add(str(folder.path), result, partial(_config_text, folder), created=partial(_created, folder))


def matching(place: str) -> list[str]:
    """`place` itself where it exists, else what it matches as a glob pattern."""
    return [place] if Path(place).exists() else sorted(glob.glob(place, recursive=True))


def expand(places: Iterable[str | Path]) -> list[str]:
    """Places with their patterns filled in; RunFolderError for one that is not there."""
    found = []
    for place in map(str, places):
        matches = matching(place)
        if not matches:
            raise RunFolderError(f"{place}: no such folder, and no folder matches it as a pattern")
        found += matches
    return found


def _figures(result: Mapping[str, Any]) -> dict[str, float]:
    """The headline score and the figures of every split, by name; what is missing has none."""
    named = {f"{split} {name}": value for split, scores in result["scores"].items() for name, value in scores.items()}
    return {name: float(value) for name, value in {"score": result["score"], **named}.items() if value is not None}


def _contradiction(first: str, counted: Mapping[str, float], found: Mapping[str, float]) -> str | None:
    """The first figure that two results of one run disagree on, in words; None where they agree on all they share."""
    for name in (name for name in counted if name in found):
        if not math.isclose(counted[name], found[name], rel_tol=1e-6, abs_tol=1e-6):
            return (
                f"{name} {found[name]:.4f} here, {counted[name]:.4f} in {first}, which counts; --rerun trains it again"
            )
    return None


def _why_unfinished(folder: RunFolder) -> str:
    try:
        failure = folder.read_failure()
    except RunFolderError as error:
        return f"failed; {error}"
    return "not finished" if failure is None else f"failed ({failure.failure_class}): {one_short_line(failure.message)}"


def _is_pruned(folder: RunFolder) -> bool:
    try:
        failure = folder.read_failure()
    except RunFolderError:
        return False
    return failure is not None and failure.failure_class is FailureClass.PRUNED


def _created(folder: RunFolder) -> str:
    try:
        return str(read_object(folder.manifest).get("created", ""))
    except RunFolderError:
        return ""


def _config_text(folder: RunFolder) -> str:
    try:
        with open_regular(folder.config) as file:
            return file.read().decode()
    except OSError as error:
        raise RunFolderError(f"config.yaml cannot be read ({error.strerror or error})") from error
    except ValueError as error:
        raise RunFolderError(f"config.yaml: {error}") from error
