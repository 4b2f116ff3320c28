"""The report's tables: headline, comparisons, slices, cost. Each is data plus one text a cell."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from .compare import Cell, Comparison
from .frame import Frame, differing

MISSING = "–"
NOT_COMPARABLE = "not comparable with published scores"
AVERAGE_RULE = (
    "Average: the mean over families of the mean over a family's tasks in this table; missing where a cell is missing."
)
MARKS = {
    "best": "▲ better than every other core (paired test over examples and seeds, Holm-corrected)",
    "tie": "≈ tie: not told apart from the highest mean",
}
_SYMBOLS = {"best": " ▲", "tie": " ≈", "": ""}
_SELECTION = {"held-out": "selected on a held-out part of train", "dev": "SELECTED ON DEV, dev scores are optimistic"}

COST = {
    "cost.parameters": ("parameters", 1.0, 0),
    "cost.embedding_parameters": ("of them embeddings", 1.0, 0),
    "cost.forward_flops_per_token": ("MFLOPs a token", 1e-6, 3),
    "cost.training_flops": ("training TFLOPs", 1e-12, 3),
    "cost.training_seconds": ("training seconds", 1.0, 1),
    "cost.tokens_per_second": ("tokens/s", 1.0, 0),
    "cost.peak_memory_bytes": ("peak memory MB", 1e-6, 0),
    "cost.latency_seconds": ("latency ms", 1e3, 2),
}


@dataclass(frozen=True)
class Table:
    """A titled table. `shown` holds texts for readers, `data` the plain figures for CSV and Parquet."""

    name: str
    title: str
    shown: pd.DataFrame
    data: pd.DataFrame
    notes: tuple[str, ...] = ()
    #: Whether the scores may not stand beside published ones.
    is_flagged: bool = False
    #: Section of the page that shows it, and whether it is folded up there.
    section: str = "scores"
    is_folded: bool = False


@dataclass(frozen=True)
class Block:
    """Columns that may stand side by side: data, selection and pretraining are of one kind, one column a task."""

    title: str
    columns: tuple[str, ...]
    is_cut: bool
    notes: tuple[str, ...] = field(default=())


def blocks_of(frame: Frame) -> list[Block]:
    """The columns of a frame, split so that a task never has two protocols in one block."""
    runs = frame.runs.drop_duplicates("column")
    sizes = frame.runs["column"].value_counts()
    found = []
    for (source, is_cut, selection, pretraining), rows in runs.groupby(
        ["source", "is_cut", "selection", "pretraining"], sort=True
    ):
        ranked = rows.assign(size=rows["column"].map(sizes)).sort_values("size", ascending=False, kind="stable")
        place = ranked.groupby("task").cumcount()
        what = f"cut data ({NOT_COMPARABLE})" if is_cut else "official data"
        if source == "microworld":
            what = f"microworld, generated; {NOT_COMPARABLE}"
        chosen = _SELECTION.get(selection, f"selected on {selection}")
        title = f"{what}, source {source}, {chosen}, pretraining {pretraining}"
        for number in range(int(place.max()) + 1):
            columns = tuple(sorted(ranked.loc[place == number, "column"]))
            notes = tuple(_how_it_differs(frame, ranked, column) for column in columns) if number else ()
            suffix = f"; protocol {number + 1} of the same tasks" if number else ""
            found.append(Block(title + suffix, columns, bool(is_cut), notes))
    return found


def name_of(frame: Frame, column: str) -> str:
    """The task of a column, with the column's digits where the task has several."""
    task, _, digits = column.rpartition(" ")
    several = frame.runs.loc[frame.runs["task"] == task, "column"].nunique() > 1
    return f"{task} ({digits})" if several else task


def headline(frame: Frame, cells: Mapping[tuple[str, str], Cell], comparisons: Sequence[Comparison]) -> list[Table]:
    """One table a block: cores x tasks, mean over seeds with its 95 % interval, and who is told apart from whom."""
    return [
        _headline_block(number, block, frame, cells, comparisons)
        for number, block in enumerate(blocks_of(frame), start=1)
        if any(column in block.columns for column, _ in cells)
    ]


def marks(comparisons: Sequence[Comparison]) -> dict[tuple[str, str], str]:
    """`best` for a variant that beats all others of its column; `tie` for those not told apart from the top."""
    found: dict[tuple[str, str], str] = {}
    for column in dict.fromkeys(one.column for one in comparisons):
        own = [one for one in comparisons if one.column == column]
        ties = [one.b.variant for one in own if one.verdict != "better"]
        found[column, own[0].a.variant] = "tie" if ties else "best"
        found |= {(column, variant): "tie" for variant in ties}
    return found


def bounds(cell: Cell, metric: str) -> tuple[float, float]:
    """The 95 % interval of a cell's mean, inside the metric's range; NaN where there is none."""
    interval = cell.scores.mean().interval()
    if interval is None:
        return float("nan"), float("nan")
    lowest = -100.0 if metric in ("matthews_correlation", "pearson", "spearman") else 0.0
    return max(interval[0], lowest), min(interval[1], 100.0)


def _headline_block(
    number: int,
    block: Block,
    frame: Frame,
    cells: Mapping[tuple[str, str], Cell],
    comparisons: Sequence[Comparison],
) -> Table:
    info = frame.runs.drop_duplicates("column").set_index("column")
    columns = [column for column in block.columns if any(name == column for name, _ in cells)]
    marked = marks(comparisons)
    shown, data = [], []
    for variant in dict.fromkeys(variant for column, variant in cells if column in columns):
        row = {"core": variant}
        for column in columns:
            task, metric, split = info.loc[column, ["task", "metric", "split"]]
            cell = cells.get((column, variant))
            row[f"{task} {split} {metric}"] = MISSING if cell is None else _text(cell, metric, marked)
            data.append(_figures(variant, task, split, metric, cell, marked, block))
        average = _average(variant, columns, info, cells)
        row["average"] = MISSING if average is None else f"{average:.2f}"
        figures = _figures(variant, "average", None, None, None, marked, block)
        data.append({**figures, "mean": float("nan") if average is None else average})
        shown.append(row)
    notes = [*MARKS.values(), AVERAGE_RULE, *block.notes]
    singles = any(cell.num_seeds == 1 for (column, _), cell in cells.items() if column in columns)
    if singles:
        notes.append("n=1: one seed; its interval covers the choice of examples alone, and no test is made.")
    return Table(
        f"headline-{number}",
        block.title,
        pd.DataFrame(shown),
        pd.DataFrame(data),
        tuple(notes),
        is_flagged=block.is_cut,
    )


def _text(cell: Cell, metric: str, marked: Mapping[tuple[str, str], str]) -> str:
    low, high = bounds(cell, metric)
    shown = f"{cell.scores.observed.mean():.2f}"
    if math.isfinite(low):
        shown += f" [{low:.2f}, {high:.2f}]"
    return f"{shown} n={cell.num_seeds}{_SYMBOLS[marked.get((cell.column, cell.variant), '')]}"


def _figures(
    variant: str,
    task: str,
    split: str | None,
    metric: str | None,
    cell: Cell | None,
    marked: Mapping[tuple[str, str], str],
    block: Block,
) -> dict[str, Any]:
    low, high = (float("nan"), float("nan")) if cell is None else bounds(cell, metric or "")
    return {
        "core": variant,
        "task": task,
        "split": split,
        "metric": metric,
        "mean": float("nan") if cell is None else float(cell.scores.observed.mean()),
        "low": low,
        "high": high,
        "seeds": 0 if cell is None else cell.num_seeds,
        "deviation": float(cell.scores.observed.std(ddof=1)) if cell and cell.num_seeds > 1 else float("nan"),
        "mark": "" if cell is None else marked.get((cell.column, cell.variant), ""),
        "is_cut": block.is_cut,
        "block": block.title,
    }


def _average(
    variant: str, columns: Sequence[str], info: pd.DataFrame, cells: Mapping[tuple[str, str], Cell]
) -> float | None:
    families: dict[str, list[float]] = {}
    for column in columns:
        cell = cells.get((column, variant))
        if cell is None:
            return None
        families.setdefault(info.loc[column, "family"], []).append(float(cell.scores.observed.mean()))
    return float(np.mean([np.mean(scores) for scores in families.values()]))


def _how_it_differs(frame: Frame, ranked: pd.DataFrame, column: str) -> str:
    task = column.rpartition(" ")[0]
    first = ranked.loc[ranked["task"] == task, "column"].iloc[0]
    records = [_flat_protocol(frame, name) for name in (first, column)]
    changes = ", ".join(f"{name} {records[0].get(name)} -> {records[1].get(name)}" for name in differing(records))
    return f"{task}: another protocol than above ({changes or 'another split'})"


def _flat_protocol(frame: Frame, column: str) -> dict[str, Any]:
    row = frame.runs[frame.runs["column"] == column].iloc[0]
    return {**frame.protocols[column], "split": row["split"]}


# --- comparisons, slices and cost ------------------------------------------------------------------------------------


def comparison_table(comparisons: Sequence[Comparison]) -> Table:
    """Every test that was made, with its figures under their own names."""
    data = pd.DataFrame([one.record() for one in comparisons])
    shown = pd.DataFrame(
        [
            {
                "task": record["task"],
                "A": record["a"],
                "B": record["b"],
                "absolute difference": f"{number(record['absolute difference'], sign=True)} "
                f"[{number(record['low'])}, {number(record['high'])}]",
                "relative change": number(record["relative change %"], sign=True, unit=" %"),
                "relative error reduction": number(record["relative error reduction %"], sign=True, unit=" %"),
                "p corrected": p_value(record["p corrected"]),
                "detectable": number(record["minimum detectable difference"]),
                "P(A > B)": number(record["probability of improvement"]),
                "verdict": f"A is {record['verdict']}" if record["verdict"] != "tie" else "tie",
                "note": record["note"],
            }
            for record in data.to_dict("records")
        ]
    )
    notes = (
        "A has the highest mean of its column. Paired over examples, with the variance between seeds added; p is "
        "corrected by Holm's method for all pairs of all tables; the intervals are not corrected.",
        "Detectable: the difference that a test at 5 % finds with 80 % probability. P(A > B): the chance that a run of "
        "A scores better than a run of B.",
    )
    return Table(
        "comparisons",
        "The highest mean of each task against every other core",
        shown,
        data,
        notes,
        section="comparisons",
    )


def slices_table(frame: Frame, cells: Mapping[tuple[str, str], Cell]) -> Table | None:
    """Every slice of every variant: mean, lowest and highest seed of each metric, and how many examples it has."""
    variant_of = {run: cell.variant for cell in cells.values() for run in cell.runs}
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
    data["task"] = data["column"].map({column: name_of(frame, column) for column in data["column"].unique()})
    data = data[["task", "slice", "label", "num", "variant", "metric", "mean", "low", "high", "seeds"]]
    shown = data.rename(columns={"variant": "core", "num": "n"}).assign(
        mean=data["mean"].map(number), low=data["low"].map(number), high=data["high"].map(number),
        n=data["num"].map(lambda value: number(value, 0)),
    )  # fmt: skip
    note = (
        "Means over seeds, with the lowest and the highest seed; n: examples (or what the slice counts) of the label."
    )
    return Table("slices", "Scores by slice", shown, data, (note,), section="figures", is_folded=True)


def cost_table(frame: Frame) -> Table:
    """Means over runs of what each variant costs on each task."""
    names = [name for name in COST if name in frame.runs]
    keys = ["task", "column", "variant"]
    runs = frame.runs[[*keys, "seconds", *names]].copy()
    runs[names] = runs[names].apply(pd.to_numeric, errors="coerce")
    means = runs.groupby(keys, sort=False).mean().reset_index()
    columns = {}
    for name in names:
        title, factor, digits = COST[name]
        columns[title] = [number(value * factor, digits) for value in means[name]]
    shown = pd.DataFrame({"task": means["task"], "core": means["variant"], **columns})
    note = (
        "Means over runs. Times were taken on the machines that the runs' manifests name; compare them only within one "
        "machine. Seconds are of training steps alone."
    )
    return Table("cost", "What each core costs", shown, means.drop(columns="column"), (note,), section="cost")


def p_value(p: float) -> str:
    """A p value for readers.

    >>> p_value(0.03), p_value(1e-9)
    ('0.0300', '<0.0001')
    """
    return "<0.0001" if p < 0.0001 else number(p, 4)


def number(value: float, digits: int = 2, *, sign: bool = False, unit: str = "") -> str:
    """A figure for readers; a dash where there is none.

    >>> number(3.14159), number(float("nan")), number(-0.5, sign=True), number(1234567, 0)
    ('3.14', '–', '-0.50', '1,234,567')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    return (f"{value:+,.{digits}f}" if sign else f"{value:,.{digits}f}") + unit
