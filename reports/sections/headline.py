"""Cores by tasks: mean scores, and who is told apart from whom."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from atinuke_bench.formatting import MISSING, number
from atinuke_bench.run_folder import MOST_UNKNOWN_PERCENT

from ..reading.column import Column
from ..reading.comparable import kind_of_data
from ..reading.frame import Frame, differing
from ..statistics.cells import Cell, Cells, ranked
from ..statistics.comparison import Family
from ..statistics.pairing import resampled_note
from ..statistics.spread import minimum_detectable_difference
from ..statistics.verdict import NOT_TOLD_APART, points
from .statements import MOST_NAMED
from .table import Table

NOT_COMPARABLE = "not comparable with published scores"
AVERAGE_RULE = (
    "Average: the mean over families of the mean over a family's tasks in this table; missing where a cell is missing."
)
MARKS = {
    "best": "▲ better than every other core (paired test over what is resampled and seeds, Holm-corrected)",
    "tie": "≈ tie: not told apart from the highest mean; beside it the difference that the runs could have shown",
}
REFERENCE_MARKS = {
    "better": "▲ better and ▼ worse than {} (paired test over what is resampled and seeds, Holm-corrected)",
    "tie": "≈ tie: not told apart from {}; beside it the difference that the runs could have shown",
}
MARGIN_MARKS = (
    "≈ undecided: neither told apart from {0} nor shown to be within {1} of it; beside it the difference that the runs "
    "could have shown",
    "= equal: shown to be within {1} of {0}",
)
_SYMBOLS = {"best": " ▲", "better": " ▲", "worse": " ▼", "tie": " ≈", "undecided": " ≈", "equal": " =", "": ""}
_SELECTION = {"held-out": "selected on a held-out part of train", "dev": "SELECTED ON DEV, dev scores are optimistic"}


@dataclass(frozen=True)
class Block:
    """Columns that may share a table: data, selection and pretraining are of one kind, one column a task."""

    title: str
    columns: tuple[Column, ...]
    is_cut: bool
    notes: tuple[str, ...] = ()
    #: Which data checkpoints were selected on.
    selection: str = "held-out"


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
        what = kind_of_data(frame.protocols[column] for column in rows["column"])
        what += f" ({NOT_COMPARABLE})" if is_cut else ""
        if source == "microworld":
            what = f"microworld, generated; {NOT_COMPARABLE}"
        chosen = _SELECTION.get(str(selection), f"selected on {selection}")
        title = f"{what}, source {source}, {chosen}, pretraining {pretraining}"
        for earlier in range(int(place.max()) + 1):
            columns = tuple(sorted(ranked.loc[place == earlier, "column"]))
            notes = tuple(_how_it_differs(frame, ranked, column) for column in columns) if earlier else ()
            suffix = f"; protocol {earlier + 1} of the same tasks" if earlier else ""
            found.append(Block(title + suffix, columns, bool(is_cut), notes, str(selection)))
    return found


def headline(frame: Frame, cells: Cells, blocks: Sequence[tuple[Block, Family]]) -> list[Table]:
    """One table a block: cores x tasks, mean over seeds with its 95 % interval, and who is told apart from whom."""
    return [
        _headline_block(place, block, frame, cells, family)
        for place, (block, family) in enumerate(blocks, start=1)
        if any(column in cells for column in block.columns)
    ]


def marks(family: Family) -> dict[tuple[Column, str], str]:
    """`best` for a variant that beats all others of its column; for those not told apart from the top their verdict.

    With a reference, each other core's verdict.
    """
    found: dict[tuple[Column, str], str] = {}
    if family.reference:
        verdicts = {(one.column, one.a.variant): one.verdict for one in family.comparisons}
        return {key: verdict for key, verdict in verdicts.items() if verdict in _SYMBOLS}
    for column in dict.fromkeys(one.column for one in family.comparisons):
        own = [one for one in family.comparisons if one.column == column]
        ties = {(column, one.b.variant): one.verdict for one in own if one.verdict in NOT_TOLD_APART}
        if ties or all(one.verdict == "better" for one in own):
            # Of those beside the highest mean the least that is known.
            found[column, own[0].a.variant] = next((name for name in NOT_TOLD_APART if name in ties.values()), "best")
        found |= ties
    return found


def _headline_block(place: int, block: Block, frame: Frame, cells: Cells, family: Family) -> Table:
    marked, detectable = marks(family), _detectable(family)
    info = {row["column"]: row for row in frame.runs.drop_duplicates("column").to_dict("records")}
    columns = [column for column in block.columns if column in cells]
    shown: list[dict[str, str]] = []
    data: list[dict[str, Any]] = []
    best: dict[tuple[int, str], int] = {}
    for variant in dict.fromkeys(variant for column in cells if column in columns for variant in cells[column]):
        row = {"core": variant}
        for column in columns:
            task, split, metric = (info[column][name] for name in ("task", "split", "metric"))
            cell, mark = cells[column].get(variant), marked.get((column, variant), "")
            name = f"{task} {split} {metric}"
            row[name] = MISSING if cell is None else _cell_text(cell, mark, detectable.get((column, variant), ""))
            if cell is not None and _is_best(cell, cells[column]):
                best[len(shown), name] = len(_mean_text(cell))
            data.append(
                {"core": variant, "task": task, "split": split, "metric": metric, **_figures(cell, mark, block)}
            )
        average = _average(variant, columns, info, cells)
        row["average"] = number(average)
        figures = {**_figures(None, "", block), "mean": average}
        data.append({"core": variant, "task": "average", "split": None, "metric": None, **figures})
        shown.append(row)
    notes = [*_legend(family), AVERAGE_RULE, *block.notes]
    drawn = ((info[column]["task"], cell.drawn) for column in columns for cell in cells[column].values())
    notes.append(resampled_note(drawn))
    if family.comparisons:
        notes.append(f"{family.note}.")
    if left := [info[column]["task"] for column in columns if not _all_percentages(cells[column])]:
        notes.append(f"The average leaves out what is no percentage: {', '.join(left)}.")
    if any(cell.num_seeds == 1 for column in columns for cell in cells[column].values()):
        notes.append("n=1: one seed; its interval covers the choice of what is resampled alone, and no test is made.")
    notes += [_unread(frame, info[column]["task"], cells[column].values()) for column in columns]
    notes += [_causal_view(frame, info[column]["task"], cells[column].values()) for column in columns]
    notes = [note for note in notes if note]
    return Table(
        f"headline-{place}",
        block.title,
        pd.DataFrame(shown),
        pd.DataFrame(data),
        tuple(filter(None, notes)),
        is_flagged=block.is_cut,
        best=best,
    )


def _is_best(cell: Cell, column: Mapping[str, Cell]) -> bool:
    """Whether no other core of a column, which has several, has a better mean."""
    return len(column) > 1 and cell.mean == ranked(column.values())[0].mean


def _legend(family: Family) -> list[str]:
    """What the marks of a table mean."""
    winner, tie = (REFERENCE_MARKS if family.reference else MARKS).values()
    other = family.reference or "the highest mean"
    ties = [tie] if family.margin is None else [text.format(other, points(family.margin)) for text in MARGIN_MARKS]
    return [text.format(family.reference) for text in (winner, *ties)]


def _unread(frame: Frame, task: str, cells: Iterable[Cell]) -> str:
    """A note on the cores of a column whose tokenizer knows too little of the text; empty without any."""
    percents = ((cell.variant, [frame.value(run, "unknown_percent") for run in cell.runs]) for cell in cells)
    highest = ((variant, max((one for one in own if math.isfinite(one)), default=0.0)) for variant, own in percents)
    found = [f"{variant} {percent:.1f} %" for variant, percent in highest if percent > MOST_UNKNOWN_PERCENT]
    rule = f"{task}: over {MOST_UNKNOWN_PERCENT} % of the tokens are [UNK], text that the core could not read"
    return f"{rule}: {', '.join(found)}." if found else ""


def _causal_view(frame: Frame, task: str, cells: Iterable[Cell]) -> str:
    """What the causal cores of a column can see when they answer; empty without any, and of runs that do not say it."""
    views = {cell.variant: frame.value(cell.runs[0], "causal_view") for cell in cells}
    told = {variant: view for variant, view in views.items() if isinstance(view, str) and view}
    if not told:
        return ""
    named = list(told)[:MOST_NAMED]
    more = f" and {len(told) - len(named)} more" if len(told) > len(named) else ""
    return f"What a causal core ({', '.join(named)}{more}) can see of {task}: {next(iter(told.values()))}."


def _detectable(family: Family) -> dict[tuple[Column, str], str]:
    """What the runs could have shown, beside each tie that has a difference at all."""
    ties = (one for one in family.comparisons if one.verdict in ("tie", "undecided") and not one.spread.is_alike)
    return {
        (one.column, family.other(one).variant): f" {number(minimum_detectable_difference(one.spread))}" for one in ties
    }


def _cell_text(cell: Cell, mark: str, detectable: str) -> str:
    low, high = cell.interval
    interval = f" [{low:.2f}, {high:.2f}]" if math.isfinite(low) else ""
    return f"{_mean_text(cell)}{interval} n={cell.num_seeds}{_SYMBOLS[mark]}{detectable}"


def _mean_text(cell: Cell) -> str:
    return f"{cell.mean:.2f}"


def _figures(cell: Cell | None, mark: str, block: Block) -> dict[str, Any]:
    low, high = (math.nan, math.nan) if cell is None else cell.interval
    return {
        "mean": math.nan if cell is None else cell.mean,
        "low": low,
        "high": high,
        "seeds": 0 if cell is None else cell.num_seeds,
        "deviation": float(cell.scores.observed.std(ddof=1)) if cell and cell.num_seeds > 1 else math.nan,
        "mark": mark,
        "is_cut": block.is_cut,
        "block": block.title,
    }


def _average(variant: str, columns: Sequence[Column], info: Mapping[Column, Mapping[Any, Any]], cells: Cells) -> float:
    """NaN where a cell is missing, or no task is measured in percent."""
    families: dict[str, list[float]] = {}
    for column in columns:
        if not _all_percentages(cells[column]):
            continue
        if variant not in cells[column]:
            return math.nan
        families.setdefault(info[column]["family"], []).append(cells[column][variant].mean)
    return float(np.mean([np.mean(means) for means in families.values()])) if families else math.nan


def _all_percentages(cells: Mapping[str, Cell]) -> bool:
    return all(cell.is_percentage for cell in cells.values())


def _how_it_differs(frame: Frame, ranked: pd.DataFrame, column: Column) -> str:
    first = ranked.loc[ranked["task"] == column.task, "column"].iloc[0]
    records = [_protocol_and_split(frame, one) for one in (first, column)]
    changes = ", ".join(f"{name} {records[0].get(name)} -> {records[1].get(name)}" for name in differing(records))
    return f"{column.task}: another protocol than above ({changes or 'another split'})"


def _protocol_and_split(frame: Frame, column: Column) -> dict[str, Any]:
    row = frame.runs[frame.runs["column"] == column].iloc[0]
    return {**frame.protocols[column], "split": row["split"]}
