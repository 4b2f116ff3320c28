"""Runs as tables: one row a run, and what could not be read as a list of gaps."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from atinuke_bench.config import Pretraining
from atinuke_bench.errors import RunFolderError, first_line
from atinuke_bench.formatting import one_short_line
from atinuke_bench.records import EpochRecord
from atinuke_bench.run_folder import RunFolder

from .column import Column
from .examples import ExampleCache, Shelf
from .predictions import PredictionCache


@dataclass(frozen=True)
class Gap:
    """Something that the report lacks, and why."""

    where: str
    reason: str


@dataclass(frozen=True)
class Frame:
    """What some places hold: `runs` (results.FIELDS), `slices` (run, slice, label, metric, value) and `gaps`.

    `scores` has every figure of every split (run, split, metric, value).

    `protocols` has the protocol of each column, with a label for the pretraining, and `pretraining` the record of each
    label; `configs` the flat config of the runs whose `config` is its place, seeds left out.
    """

    runs: pd.DataFrame
    slices: pd.DataFrame
    gaps: tuple[Gap, ...]
    protocols: Mapping[Column, Mapping[str, Any]]
    configs: tuple[Mapping[str, Any], ...] = ()
    pretraining: Mapping[str, Pretraining] = field(default_factory=dict)
    scores: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["run", "split", "metric", "value"]))
    histories: Mapping[int, list[dict[str, Any]]] = field(default_factory=dict, repr=False, compare=False)
    #: Finished runs here that are trials of studies; they are not among `runs`.
    num_trials: int = 0
    #: Histories that could not be read, by run, as they were met.
    damaged: dict[int, Gap] = field(default_factory=dict, repr=False, compare=False)
    _cache: PredictionCache = field(default_factory=PredictionCache, repr=False, compare=False)
    _examples: ExampleCache = field(default_factory=ExampleCache, repr=False, compare=False)
    #: Fields of runs as they were asked for, by name and run: pandas takes 40 µs to look one up.
    _values: dict[str, dict[int, Any]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def value(self, run: int, name: str) -> Any:
        """A field of a run."""
        if name not in self._values:
            self._values[name] = dict(zip(self.runs.index, self.runs[name].array, strict=True))
        return self._values[name][run]

    def predictions(self, run: int) -> pa.Table:
        """The scored predictions of a run's headline split by id, as `PredictionCache.read` gives them."""
        return self._cache.read(RunFolder(Path(self.value(run, "folder"))).predictions, self.value(run, "split"))

    def examples(self, run: int) -> Shelf:
        """The texts of the examples of a run's headline split, as far as its store kept them."""
        return self._examples.of(RunFolder(Path(self.value(run, "folder"))), self.value(run, "split"))

    def predictions_digest(self, run: int) -> str:
        """What tells the predictions of a run from all others: the SHA-256 of their file, or why it cannot be read."""
        return self._cache.digest(RunFolder(Path(self.value(run, "folder"))).predictions)

    def history(self, run: int) -> list[dict[str, Any]]:
        """The epochs of a run; none where they cannot be read."""
        if run in self.histories:
            return self.histories[run]
        folder = RunFolder(Path(self.value(run, "folder")))
        try:
            return [_epoch(record) for record in folder.read_history()]
        except (RunFolderError, ValueError) as error:
            self.damaged[run] = Gap(str(folder.history), f"damaged history: {one_short_line(first_line(error))}")
            return []

    def config(self, run: int) -> Mapping[str, Any]:
        """The flat config of a run; empty where it could not be read."""
        place = self.value(run, "config")
        return self.configs[place] if 0 <= place < len(self.configs) else {}

    def name_of(self, column: Column) -> str:
        """The task of a column, with the column's digest where the task has several."""
        several = self.runs.loc[self.runs["task"] == column.task, "column"].nunique() > 1
        return f"{column.task} ({column.digest})" if several else column.task


def _epoch(record: Any) -> dict[str, Any]:
    EpochRecord.model_validate(record)  # its error is a ValueError
    return record


def differing(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """The fields in which flat records differ.

    >>> differing([{"a": 1, "b": 2}, {"a": 1, "b": 3}])
    ['b']
    """
    names = dict.fromkeys(name for record in records for name in record)
    return [name for name in names if len({json.dumps(record.get(name), default=str) for record in records}) > 1]
