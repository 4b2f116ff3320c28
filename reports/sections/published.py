"""The published record beside what was measured, and why the two may or may not be compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from atinuke_bench.formatting import MISSING, number

from ..reading.frame import Frame
from ..reading.published import read_published
from ..statistics.cells import Cell, Cells, ranked
from ..statistics.effects import relative_change, relative_error_reduction
from .table import Table

#: Columns that are empty where nothing may be compared.
_DIFFERENCES = ("absolute difference", "relative change", "relative error reduction")


def published_table(frame: Frame, cells: Cells) -> Table:
    """The published figures of the tasks at hand, and for each whether a measured one may be compared with it.

    Only where data, split, metric and pretraining agree is a difference computed, to the variant with the best mean.
    """
    published = read_published()
    families = set(frame.runs["family"])
    rows = published[published["task"].isin(set(frame.runs["task"]) | families)]
    columns = frame.runs.drop_duplicates("column")
    beside = [_beside(row, frame, columns, cells) for row in rows.to_dict("records")]
    # First what may be compared, then the claims, which name what they are measured by here.
    beside.sort(key=_place)
    data = pd.DataFrame(beside)
    shown = pd.DataFrame(
        [
            {
                "task": row["task"],
                "system": row["system"],
                "split": row["split"],
                "metric": row["metric"],
                "published": "claim, no figure" if row["kind"] == "claim" else number(row["value"]),
                "measured here": f"{row['measured core']} {number(row['measured'])}"
                if row["measured core"]
                else MISSING,
                "comparable": row["comparable"],
                "pretraining": row["pretraining"],
                "protocol": row["protocol"],
                "absolute difference": number(row["absolute difference"], sign=True),
                "relative change": number(row["relative change %"], sign=True, unit=" %"),
                "relative error reduction": number(row["relative error reduction %"], sign=True, unit=" %"),
                "source": row["source"] + (f" ({row['note']})" if row["note"] else ""),
            }
            for row in data.to_dict("records")
        ]
    )
    num_first = sum(_place(row) < 2 for row in beside)
    if beside and not any(row["comparable"] == "yes" for row in beside):
        shown = shown.drop(columns=list(_DIFFERENCES))
    note = (
        "Published figures as their sources state them. Most were trained on other text, with pretraining, or scored "
        "on other splits; a difference is given only where data, split, metric and pretraining agree."
    )
    title = "Published figures (other protocols unless marked)"
    rest = "Published figures of these tasks that no run here may be compared with"
    return Table("published", title, shown, data, (note,), True, "published", num_first=num_first, rest_title=rest)


def _place(row: Mapping[Any, Any]) -> int:
    """0 for a row that may be compared, 1 for one beside which something was measured, 2 for all others."""
    if row["comparable"] == "yes":
        return 0
    return 1 if row["measured core"] else 2


def _beside(row: Mapping[Any, Any], frame: Frame, columns: pd.DataFrame, cells: Cells) -> dict[str, Any]:
    reason, best = _comparable(row, frame, columns, cells)
    ours = float("nan") if best is None else best.mean
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


def _comparable(row: Mapping[Any, Any], frame: Frame, columns: pd.DataFrame, cells: Cells) -> tuple[str, Cell | None]:
    if row["kind"] == "claim":
        return _beside_claim(row, frame, columns, cells)
    own = columns[columns["task"] == row["task"]]
    if own.empty:
        return "not measured here", None
    reasons = []
    for _, column in own.iterrows():
        reason = _why_not(row, column, frame.protocols[column["column"]])
        if not reason and column["column"] in cells:
            return "yes", ranked(cells[column["column"]].values())[0]
        reasons.append(reason or "not measured here")
    return "no: " + "; ".join(dict.fromkeys(reasons)), None


def _beside_claim(row: Mapping[Any, Any], frame: Frame, columns: pd.DataFrame, cells: Cells) -> tuple[str, Cell | None]:
    """A claim has nothing to be compared with; its row shows what Atinuke scored here, and on which data."""
    for _, column in columns[(columns["task"] == row["task"]) | (columns["family"] == row["task"])].iterrows():
        own = cells.get(column["column"], {})
        found = [cell for cell in own.values() if frame.value(cell.runs[0], "core") == "atinuke"]
        if found:
            data = "cut or own data" if column["is_cut"] else "official data"
            return f"no: a claim without figures; measured on {column['task']}, {data}", ranked(found)[0]
    return "no: a claim without figures", None


def _why_not(row: Mapping[Any, Any], column: pd.Series, protocol: Mapping[str, Any]) -> str:
    checks = [
        (not column["is_cut"], "ours is cut or own data"),
        (protocol["selection"] == "held-out", "ours was selected on dev"),
        (row["split"] == column["split"], f"split {row['split']}, ours {column['split']}"),
        (row["metric"] == column["metric"], f"metric {row['metric']}, ours {column['metric']}"),
        (
            row["pretraining"] == column["pretraining"],
            f"pretraining {row['pretraining']}, ours {column['pretraining']}",
        ),
    ]
    return ", ".join(reason for holds, reason in checks if not holds)
