"""How far suites are, from `<store>/suites/<name>.json`: every cell of their grids, those without a run included."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from atinuke_bench.errors import RunFolderError
from atinuke_bench.files import read_json
from atinuke_bench.run_folder import RunFolder

from .frame import Frame, Gap
from .tables import MISSING, Table

NOTE = (
    "Mean of the seeds that are finished, of so many that the suite asks for; “–” has none. The mean of some seeds is "
    "no result of the suite."
)


@dataclass(frozen=True)
class Suite:
    """The grid of a suite: of each cell its task, variant, core, seed and run folder (None where it never started)."""

    name: str
    cells: tuple[Mapping[str, Any], ...]
    store: Path

    def folder(self, cell: Mapping[str, Any]) -> Path | None:
        return (self.store / cell["folder"]).resolve() if cell["folder"] else None

    def folders(self) -> set[str]:
        """The run folders that there are, as absolute paths."""
        return {str(folder) for cell in self.cells if (folder := self.folder(cell)) is not None}


def read_suites(places: Iterable[str | Path]) -> tuple[list[Suite], list[Gap]]:
    """Every suite recorded at or below some places, and those that cannot be read."""
    paths = {path.resolve() for place in places for path in Path(place).rglob("suites/*.json")}
    found, gaps = [], []
    for path in sorted(paths):
        try:
            record = read_json(path)
            kept = tuple(cell for cell in record["cells"] if cell.get("in_grid", True))
            for cell in kept:
                _ = cell["task"], cell["variant"], cell["seed"], cell["folder"]
            found.append(Suite(str(record["name"]), kept, path.parent.parent))
        except (RunFolderError, KeyError, TypeError, AttributeError) as error:
            gaps.append(Gap(str(path), f"damaged record of a suite: {type(error).__name__}: {error}".splitlines()[0]))
    return found, gaps


def suites_table(frame: Frame, suites: Sequence[Suite]) -> Table:
    """One row a suite and core, one column a task: the mean so far and how many seeds of it are finished."""
    scores = {str(Path(row.folder).resolve()): row.score for row in frame.runs.itertuples() if not row.is_remote}
    rows = []
    for suite in suites:
        for cell in suite.cells:
            score = scores.get(str(suite.folder(cell)))
            rows.append({"suite": suite.name, "core": cell["variant"], "task": cell["task"], "seed": cell["seed"],
                         "score": score, "finished": score is not None})  # fmt: skip
    data = pd.DataFrame(rows, columns=["suite", "core", "task", "seed", "score", "finished"])
    data["score"] = pd.to_numeric(data["score"])
    grouped = data.groupby(["suite", "core", "task"], sort=False)
    texts = pd.DataFrame({"mean": grouped["score"].mean(), "done": grouped["finished"].sum(), "all": grouped.size()})
    texts = texts.apply(lambda row: _text(row["mean"], int(row["done"]), int(row["all"])), axis=1)
    shown = texts.unstack("task", fill_value=MISSING, sort=False).reset_index()
    # The core's row is what the eye looks for; the suite stands beside it.
    shown = shown[["core", "suite", *[name for name in shown.columns if name not in ("core", "suite")]]]
    return Table("suites", "How far the suites are", shown, data, (NOTE,), section="suites")


def unfinished(frame: Frame, suites: Sequence[Suite]) -> list[Gap]:
    """Every cell of a suite without a finished run that no run folder tells of."""
    known = {str(Path(folder).resolve()) for folder in frame.runs["folder"]}
    told = {str(Path(gap.where).resolve()) for gap in frame.gaps}
    return [
        Gap(f"suite {suite.name}: {cell['task']} {cell['variant']} seed {cell['seed']}", _why(folder))
        for suite in suites
        for cell in suite.cells
        if str(folder := suite.folder(cell)) not in known | told
    ]


def _why(folder: Path | None) -> str:
    if folder is None or not folder.exists():
        return "not started"
    return "finished, but outside the places of this report" if RunFolder(folder).is_finished() else "not finished"


def _text(mean: float, num_done: int, num_all: int) -> str:
    counted = "" if num_done == num_all else f" ({num_done} of {num_all})"
    return f"{MISSING if num_done == 0 or pd.isna(mean) else f'{mean:.2f}'}{counted}"
