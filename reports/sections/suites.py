"""How far suites are: every run of their grids, those without a run folder included."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from atinuke_bench.formatting import MISSING, number
from atinuke_bench.run_folder import RunFolder

from ..reading.frame import Frame, Gap
from ..reading.suites import Suite
from .table import Table

NOTE = (
    "Mean of the seeds that are finished, of so many that the suite asks for; “–” has none. The mean of some seeds is "
    "no result of the suite."
)


def suites_table(frame: Frame, suites: Sequence[Suite]) -> Table:
    """One row a suite and core, one column a task: the mean so far and how many seeds of it are finished."""
    here = frame.runs[~frame.runs["is_remote"].astype(bool)]
    scores = {str(Path(row["folder"]).resolve()): (row["metric"], row["score"]) for row in here.to_dict("records")}
    rows = []
    for suite in suites:
        for entry in suite.grid:
            metric, score = scores.get(str(suite.folder(entry)), (None, None))
            rows.append({"suite": suite.name, "core": entry["variant"], "task": entry["task"], "seed": entry["seed"],
                         "metric": metric, "score": score, "finished": score is not None})  # fmt: skip
    data = pd.DataFrame(rows, columns=["suite", "core", "task", "seed", "metric", "score", "finished"])
    # A task that is judged by several metrics has a column for each.
    several = data.groupby("task")["metric"].nunique() > 1
    own = data.groupby(["suite", "core", "task"])["metric"].transform("first").fillna(MISSING)
    data["task"] = data["task"].where(~data["task"].map(several), data["task"] + " " + own)
    data["score"] = pd.to_numeric(data["score"])
    grouped = data.groupby(["suite", "core", "task"], sort=False)
    counts = pd.DataFrame({"mean": grouped["score"].mean(), "done": grouped["finished"].sum(), "all": grouped.size()})
    texts = counts.apply(lambda row: _cell_text(row["mean"], int(row["done"]), int(row["all"])), axis=1)
    shown = texts.unstack("task", fill_value=MISSING, sort=False).reset_index()
    # Readers look for a core first, then for its suite.
    shown = shown[["core", "suite", *[name for name in shown.columns if name not in ("core", "suite")]]]
    return Table("suites", "How far the suites are", shown, data, (NOTE,), section="suites")


def unfinished(frame: Frame, suites: Sequence[Suite]) -> list[Gap]:
    """Every run of a suite's grid that is not finished and that no gap names."""
    known = {str(Path(folder).resolve()) for folder in frame.runs["folder"]}
    told = {str(Path(gap.where).resolve()) for gap in frame.gaps}
    return [
        Gap(f"suite {suite.name}: {entry['task']} {entry['variant']} seed {entry['seed']}", _why(folder))
        for suite in suites
        for entry in suite.grid
        if str(folder := suite.folder(entry)) not in known | told
    ]


def _why(folder: Path | None) -> str:
    if folder is None or not folder.exists():
        return "not started"
    return "finished, but outside the places of this report" if RunFolder(folder).is_finished() else "not finished"


def _cell_text(mean: float, num_done: int, num_all: int) -> str:
    counted = "" if num_done == num_all else f" ({num_done} of {num_all})"
    return f"{number(mean)}{counted}"
