"""Evaluations of runs on other test sets, as a frame of their own: one row a run, test set and split."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from atinuke_bench.errors import AtinukeBenchError, RunFolderError
from atinuke_bench.evaluation_folder import EvaluationFolder, find_evaluations
from atinuke_bench.run_folder import RunFolder

from .column import Column
from .frame import Frame, Gap
from .results import slice_rows

#: What a row has beside the fields of its run: the run's row, what it was trained on, and its own test score by the
#: metric of the test set.
FIELDS = ("own_run", "trained_on", "test_set", "own_score")


def evaluations_of(frame: Frame) -> Frame:
    """The finished evaluations of a frame's runs; its gaps name those that cannot be used.

    Runs share a column when they share one among themselves, and test set, map of labels, split and metric.
    """
    rows: list[dict[str, Any]] = []
    slices: list[tuple[Any, ...]] = []
    gaps: list[Gap] = []
    protocols: dict[Column, Mapping[str, Any]] = {}
    for run in frame.runs.index[~frame.runs["is_remote"].astype(bool)]:
        folder = RunFolder(Path(frame.value(run, "folder")))
        for evaluation in find_evaluations(folder):
            try:
                result = evaluation.read_result()
                if strange := evaluation.strangers(result):
                    raise RunFolderError(f"not counted: {strange[0]}; `evaluate` does it again")
                own = folder.read_result()["scores"]
            except AtinukeBenchError as error:
                gaps.append(Gap(str(evaluation.path), str(error)))
                continue
            for row, protocol in _rows(frame, run, evaluation, result, own):
                slices += slice_rows(len(rows), result["slices"].get(row["split"], {}))
                protocols.setdefault(row["column"], protocol)
                rows.append(row)
    columns = None if rows else [*frame.runs.columns, *FIELDS]
    found = pd.DataFrame(slices, columns=["run", "slice", "label", "metric", "value"])
    return Frame(pd.DataFrame(rows, columns=columns), found, tuple(gaps), protocols, frame.configs)


def _rows(
    frame: Frame, run: int, evaluation: EvaluationFolder, result: Mapping[str, Any], own: Mapping[str, Any]
) -> Iterator[tuple[dict[str, Any], Mapping[str, Any]]]:
    """The row of each split of an evaluation, and the protocol of its column."""
    column, metric = frame.value(run, "column"), result["metric"]
    made_of = {name: result["determinants"].get(name) for name in ("data", "map", "result_versions")}
    if perturbed := result["determinants"].get("perturbed"):
        made_of["perturbed"] = perturbed
    protocol = {"test_set": result["name"], **made_of, "trained_on": str(column)}
    own_score = own.get(frame.value(run, "split"), {}).get(metric)
    for split, figures in result["scores"].items():
        score = figures.get(metric)
        row: dict[str, Any] = {
            **{str(name): value for name, value in frame.runs.loc[run].items()},
            "folder": str(evaluation.path),
            "task": result["task"],
            "split": split,
            "metric": metric,
            "higher_is_better": result["higher_is_better"],
            "score": math.nan if score is None else score,
            "column": Column.of(result["task"], protocol, split, metric),
            "unit": (result.get("resampled") or {}).get("unit"),
            "unknown_percent": math.nan,
            "own_run": run,
            "trained_on": frame.name_of(column),
            "test_set": result["name"],
            "own_score": math.nan if own_score is None else own_score,
        }
        yield row, protocol
