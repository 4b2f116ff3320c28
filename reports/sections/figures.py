"""Which figures a report has of which columns and cores; what they leave out is said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from atinuke_bench.errors import RunFolderError

from ..drawing import plots
from ..drawing.once import kept_plot
from ..drawing.style import MOST_VARIANTS, Look, Plot, looks
from ..reading.column import Column
from ..reading.frame import Frame
from ..statistics.cells import Cell, Cells, ranked

#: Figures are drawn for so many columns, those with the most runs, and each slice for so many labels; tables have all.
MOST_COLUMNS = 16
MOST_LABELS = 14
MOST_CLASSES = 8
_NEVER_DRAWN = ("num", "support")


def looks_of(frame: Frame, cells: Cells) -> dict[str, Look]:
    """A look for each variant, the most frequent first, so that these have the colours told apart best."""
    variants = {variant for own in cells.values() for variant in own}
    counts = frame.runs.loc[frame.runs["variant"].isin(variants), "variant"].value_counts()
    return looks(sorted(counts.index, key=lambda name: (-counts[name], name)))


def draw(frame: Frame, cells: Cells, look: dict[str, Look]) -> tuple[list[Plot], list[str]]:
    """The figures of every column, and what they leave out."""
    columns = list(frame.runs["column"].value_counts().index)
    notes: list[str] = []
    found: list[Plot] = []
    if len(columns) > MOST_COLUMNS:
        others = ", ".join(frame.name_of(column) for column in columns[MOST_COLUMNS:])
        notes.append(f"Figures show the {MOST_COLUMNS} tasks and protocols with the most runs. Not drawn: {others}.")
    for column in columns[:MOST_COLUMNS]:
        own = _most_seeds_first(cells.get(column, {}))
        if len(own) > MOST_VARIANTS:
            notes.append(
                f"{frame.name_of(column)}: figures show {MOST_VARIANTS} of {len(own)} cores, those with the most "
                "seeds and, among equals, the best mean."
            )
        if own:
            found += _of_column(frame, column, own[:MOST_VARIANTS], look)
    return found, notes


def _most_seeds_first(cells: Mapping[str, Cell]) -> list[Cell]:
    return sorted(ranked(cells.values()), key=lambda cell: -cell.num_seeds)


def _of_column(frame: Frame, column: Column, cells: Sequence[Cell], look: dict[str, Look]) -> Iterable[Plot]:
    yield from filter(None, [_pareto(frame, column, cells, look), _curves(frame, column, cells, look)])
    for table in slice_tables(frame, column, cells):
        yield plots.slice_figure(table, look)
    runs = [(cell.variant, [frame.predictions_digest(run) for run in cell.runs]) for cell in cells]
    splits = [frame.value(run, "split") for cell in cells for run in cell.runs]
    confusions = kept_plot(
        ("confusions", frame.name_of(column), runs, splits), lambda: _confusions(frame, column, cells)
    )
    yield from filter(None, [confusions])


def _pareto(frame: Frame, column: Column, cells: Sequence[Cell], look: dict[str, Look]) -> Plot | None:
    if "cost.training_flops" not in frame.runs:
        return None
    of_run = pd.to_numeric(frame.runs["cost.training_flops"], errors="coerce")
    training_flops = {cell.variant: float(of_run[list(cell.runs)].mean()) for cell in cells}
    return plots.score_against_cost(frame.name_of(column), cells, training_flops, look)


def _curves(frame: Frame, column: Column, cells: Sequence[Cell], look: dict[str, Look]) -> Plot | None:
    histories: dict[str, list[plots.History]] = {}
    for cell in cells:
        records = [frame.history(run) for run in cell.runs]
        histories[cell.variant] = [history for own in records if (history := _history(own))]
    return plots.learning_curves(frame.name_of(column), histories, look)


def _history(records: Sequence[Mapping[str, Any]]) -> plots.History | None:
    kept = [one for one in records if isinstance(one, dict) and {"epoch", "loss", "score"} <= one.keys()]
    if not kept:
        return None
    epochs, losses, scores = (
        [float("nan") if one[name] is None else one[name] for one in kept] for name in ("epoch", "loss", "score")
    )
    return epochs, losses, scores


def slice_tables(frame: Frame, column: Column, cells: Sequence[Cell]) -> Iterable[plots.SliceTable]:
    """Each slice of a column by the metric that is shown of it: an F1 where there is one, else the first."""
    variant_of = {run: cell.variant for cell in cells for run in cell.runs}
    rows = frame.slices[frame.slices["run"].isin(variant_of)]
    rows = rows.assign(variant=rows["run"].map(variant_of))
    for name, own in rows.groupby("slice", sort=False):
        metrics = [metric for metric in own["metric"].unique() if metric not in _NEVER_DRAWN]
        metric = next((one for one in metrics if one.endswith("f1")), metrics[0] if metrics else None)
        if metric is None:
            continue
        counts = own[own["metric"] == "num"].groupby("label", sort=False)["value"].mean()
        grouped = own[own["metric"] == metric].groupby(["label", "variant"], sort=False)["value"]
        mean, low, high = (part.unstack() for part in (grouped.mean(), grouped.min(), grouped.max()))
        num_labels = len(mean)
        if num_labels > MOST_LABELS:
            kept = [label for label in counts.nlargest(MOST_LABELS).index if label in mean.index]
            mean, low, high = (part.loc[kept or part.index[:MOST_LABELS]] for part in (mean, low, high))
        if mean.notna().any(axis=None):
            yield plots.SliceTable(frame.name_of(column), str(name), metric, mean, low, high, counts, num_labels)


def _confusions(frame: Frame, column: Column, cells: Sequence[Cell]) -> Plot | None:
    """Only where answers are labels: few different ones, and as many gold ones as a class needs."""
    matrices: dict[str, pd.DataFrame] = {}
    for cell in cells:
        try:
            matrix = _matrix([frame.predictions(run) for run in cell.runs])
        except RunFolderError:
            continue
        if matrix is None:
            return None
        matrices[cell.variant] = matrix
    if not matrices:
        return None
    labels = sorted({label for matrix in matrices.values() for axis in matrix.axes for label in axis})
    if len(labels) > MOST_CLASSES:
        return None
    full = {name: matrix.reindex(index=labels, columns=labels, fill_value=0) for name, matrix in matrices.items()}
    return plots.confusion_matrices(frame.name_of(column), full)


def _matrix(tables: Sequence[pa.Table]) -> pd.DataFrame | None:
    """Gold by prediction, counted over runs; None where answers are no labels."""
    parts = []
    for table in tables:
        num_labels = pc.count_distinct(table["gold"]).as_py()
        if num_labels > MOST_CLASSES or len(table) < 2 * num_labels:
            return None
        counted = table.group_by(["gold", "prediction"], use_threads=False).aggregate([([], "count_all")])
        parts.append(counted.to_pandas())
    counts = pd.concat(parts).groupby(["gold", "prediction"])["count_all"].sum()
    matrix = counts.unstack(fill_value=0)
    return matrix if len(set(matrix.index) | set(matrix.columns)) > 1 else None
