"""Scores of parts of a split, of every variant."""

from __future__ import annotations

from atinuke_bench.formatting import number

from ..reading.frame import Frame
from ..statistics.cells import Cells
from .table import Table


def slices_table(frame: Frame, cells: Cells) -> Table | None:
    """Every slice of every variant: mean, lowest and highest seed of each metric, and how many examples it has."""
    variant_of = {run: cell.variant for own in cells.values() for cell in own.values() for run in cell.runs}
    rows = frame.slices[frame.slices["run"].isin(variant_of)]
    if rows.empty:
        return None
    rows = rows.assign(variant=rows["run"].map(variant_of), column=rows["run"].map(frame.runs["column"]))
    keys = ["column", "slice", "label", "variant"]
    counts = rows[rows["metric"] == "num"].groupby(keys, sort=False)["value"].mean().rename("num")
    figures = rows[rows["metric"] != "num"].groupby([*keys, "metric"], sort=False)["value"]
    data = (
        figures.agg(mean="mean", low="min", high="max", seeds="count").reset_index().merge(counts, how="left", on=keys)
    )
    data["task"] = data["column"].map({column: frame.name_of(column) for column in data["column"].unique()})
    data = data[["task", "slice", "label", "num", "variant", "metric", "mean", "low", "high", "seeds"]]
    shown = data.rename(columns={"variant": "core", "num": "n"}).assign(
        mean=data["mean"].map(number), low=data["low"].map(number), high=data["high"].map(number),
        n=data["num"].map(lambda value: number(value, 0)),
    )  # fmt: skip
    note = (
        "Means over seeds, with the lowest and the highest seed; n: examples (or what the slice counts) of the label."
    )
    return Table("slices", "Scores by slice", shown, data, (note,), section="figures", is_folded=True)
