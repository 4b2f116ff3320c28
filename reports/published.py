"""The published record beside what was measured, and why the two may or may not be compared."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd

from .compare import Cell
from .frame import Frame
from .statistics import relative_change, relative_error_reduction
from .tables import MISSING, Table, number


def read_published() -> pd.DataFrame:
    """`published.csv`: one row a published figure; a claim has no value."""
    path = resources.files("atinuke_bench.reports") / "published.csv"
    with path.open(encoding="utf-8") as file:
        return pd.read_csv(file, dtype={"value": np.float64}, keep_default_na=False, na_values={"value": [""]})


def published_table(frame: Frame, cells: Mapping[tuple[str, str], Cell]) -> Table:
    """The published figures of the tasks at hand, and for each whether a measured one may stand beside it.

    Only where data, split, metric and pretraining agree is a difference computed, to the variant with the best mean.
    """
    published = read_published()
    families = set(frame.runs["family"])
    rows = published[published["task"].isin(set(frame.runs["task"]) | families)]
    columns = frame.runs.drop_duplicates("column")
    by_column: dict[str, list[Cell]] = {}
    for (column, _), cell in cells.items():
        by_column.setdefault(column, []).append(cell)
    data = pd.DataFrame([_beside(row, columns, by_column) for row in rows.to_dict("records")])
    shown = pd.DataFrame(
        [
            {
                "task": row["task"],
                "system": row["system"],
                "split": row["split"],
                "metric": row["metric"],
                "published": "claim, no figure" if row["kind"] == "claim" else number(row["value"]),
                "pretraining": row["pretraining"],
                "protocol": row["protocol"],
                "measured here": f"{row['measured core']} {number(row['measured'])}"
                if row["measured core"]
                else MISSING,
                "absolute difference": number(row["absolute difference"], sign=True),
                "relative change": number(row["relative change %"], sign=True, unit=" %"),
                "relative error reduction": number(row["relative error reduction %"], sign=True, unit=" %"),
                "comparable": row["comparable"],
                "source": row["source"] + (f" ({row['note']})" if row["note"] else ""),
            }
            for row in data.to_dict("records")
        ]
    )
    note = (
        "Published figures as their sources state them. Most were trained on other text, with pretraining, or scored "
        "on other splits; a difference stands only where data, split, metric and pretraining agree."
    )
    return Table(
        "published", "Published figures (other protocols unless marked)", shown, data, (note,), True, "published"
    )


def _beside(row: Mapping[str, Any], columns: pd.DataFrame, cells: Mapping[str, Sequence[Cell]]) -> dict[str, Any]:
    reason, best = _comparable(row, columns, cells)
    ours = float("nan") if best is None else float(best.scores.observed.mean())
    value = float(row["value"])
    return {
        **row,
        "measured core": "" if best is None else best.variant,
        "measured": ours,
        "absolute difference": ours - value,
        "relative change %": relative_change(ours, value),
        "relative error reduction %": relative_error_reduction(ours, value),
        "comparable": reason,
    }


def _comparable(
    row: Mapping[str, Any], columns: pd.DataFrame, cells: Mapping[str, Sequence[Cell]]
) -> tuple[str, Cell | None]:
    if row["kind"] == "claim":
        return _beside_claim(row, columns, cells)
    own = columns[columns["task"] == row["task"]]
    if own.empty:
        return "not measured here", None
    reasons = []
    for _, column in own.iterrows():
        reason = _why_not(row, column)
        found = cells.get(column["column"], ())
        if not reason and found:
            return "yes", _best(found, column)
        reasons.append(reason or "not measured here")
    return "no: " + "; ".join(dict.fromkeys(reasons)), None


def _beside_claim(
    row: Mapping[str, Any], columns: pd.DataFrame, cells: Mapping[str, Sequence[Cell]]
) -> tuple[str, Cell | None]:
    """A claim has nothing to be compared with; beside it stands what Atinuke scored here, and on which data."""
    for _, column in columns[(columns["task"] == row["task"]) | (columns["family"] == row["task"])].iterrows():
        found = [cell for cell in cells.get(column["column"], ()) if cell.variant.startswith("atinuke")]
        if found:
            data = "cut data" if column["is_cut"] else "official data"
            return f"no: a claim without figures; measured on {column['task']}, {data}", _best(found, column)
    return "no: a claim without figures", None


def _best(cells: Sequence[Cell], column: Mapping[str, Any]) -> Cell:
    order = 1 if column["higher_is_better"] else -1
    return max(cells, key=lambda cell: order * cell.scores.observed.mean())


def _why_not(row: Mapping[str, Any], column: Mapping[str, Any]) -> str:
    protocol = json.loads(column["protocol"])[0]
    checks = [
        (not column["is_cut"], "ours is cut data"),
        (protocol["selection"] == "held-out", "ours was selected on dev"),
        (row["split"] == column["split"], f"split {row['split']}, ours {column['split']}"),
        (row["metric"] == column["metric"], f"metric {row['metric']}, ours {column['metric']}"),
        (
            row["pretraining"] == column["pretraining"],
            f"pretraining {row['pretraining']}, ours {column['pretraining']}",
        ),
    ]
    return ", ".join(reason for holds, reason in checks if not holds)
