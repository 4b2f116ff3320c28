"""Which figures a report has, of which cores and columns; what is left out is said, never silently dropped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from atinuke_bench.errors import RunFolderError

from . import plots
from .compare import Cell
from .drawing import MOST_VARIANTS, Look, Plot, looks, slug
from .frame import Frame
from .tables import bounds, name_of

#: Figures are drawn for so many columns, those with the most runs, and each slice for so many labels; tables have all.
MOST_COLUMNS = 16
MOST_LABELS = 14
MOST_CLASSES = 8
_NEVER_DRAWN = ("num", "support")


def looks_of(frame: Frame, cells: Mapping[tuple[str, str], Cell]) -> dict[str, Look]:
    """A look for each variant, the most frequent first, so that these have the colours told apart best."""
    variants = {variant for _, variant in cells}
    counts = frame.runs.loc[frame.runs["variant"].isin(variants), "variant"].value_counts()
    return looks(sorted(counts.index, key=lambda name: (-counts[name], name)))


def draw(frame: Frame, cells: Mapping[tuple[str, str], Cell], look: dict[str, Look]) -> tuple[list[Plot], list[str]]:
    """The figures of every column, and what they leave out."""
    columns = list(frame.runs["column"].value_counts().index)
    notes, found = [], []
    if len(columns) > MOST_COLUMNS:
        others = ", ".join(name_of(frame, column) for column in columns[MOST_COLUMNS:])
        notes.append(f"Figures show the {MOST_COLUMNS} tasks and protocols with the most runs. Not drawn: {others}.")
    by_column: dict[str, list[Cell]] = {}
    for (column, _), cell in cells.items():
        by_column.setdefault(column, []).append(cell)
    for column in columns[:MOST_COLUMNS]:
        ranked = _ranked(frame, by_column.get(column, []))
        if len(ranked) > MOST_VARIANTS:
            notes.append(
                f"{name_of(frame, column)}: figures show {MOST_VARIANTS} of {len(ranked)} cores, those with the most "
                "seeds and, among equals, the best mean."
            )
        if ranked:
            found += _of_column(frame, column, ranked[:MOST_VARIANTS], look)
    return found, notes


def _ranked(frame: Frame, cells: Sequence[Cell]) -> list[Cell]:
    if not cells:
        return []
    sign = -1 if frame.runs.loc[cells[0].runs[0], "higher_is_better"] else 1
    return sorted(cells, key=lambda cell: (-cell.num_seeds, sign * cell.scores.observed.mean()))


def _of_column(frame: Frame, column: str, cells: Sequence[Cell], look: dict[str, Look]) -> Iterable[Plot]:
    yield from filter(None, [_pareto(frame, column, cells, look), _curves(frame, column, cells, look)])
    for table in slice_tables(frame, column, cells):
        yield plots.slice_figure(table, look)
    yield from filter(None, [_confusions(frame, column, cells)])


def _pareto(frame: Frame, column: str, cells: Sequence[Cell], look: dict[str, Look]) -> Plot | None:
    if "cost.training_flops" not in frame.runs:
        return None
    flops = pd.to_numeric(frame.runs["cost.training_flops"], errors="coerce")
    cost = {cell.variant: float(flops[list(cell.runs)].mean()) for cell in cells}
    name, metric = name_of(frame, column), frame.runs.loc[cells[0].runs[0], "metric"]
    title = f"{name}: score against training cost (mean, 95 % interval)"
    intervals = [bounds(cell, metric) for cell in cells]
    return plots.score_against_cost(
        title, f"pareto-{slug(name)}", cells, intervals, cost, "training FLOPs", metric, look
    )


def _curves(frame: Frame, column: str, cells: Sequence[Cell], look: dict[str, Look]) -> Plot | None:
    histories: dict[str, list[plots.History]] = {}
    for cell in cells:
        records = [frame.history(run) for run in cell.runs]
        histories[cell.variant] = [history for own in records if (history := _history(own))]
    return plots.learning_curves(name_of(frame, column), histories, look)


def _history(records: Sequence[Mapping[str, object]]) -> plots.History | None:
    kept = [one for one in records if isinstance(one, dict) and {"epoch", "loss", "score"} <= one.keys()]
    if not kept:
        return None
    parts = ([float("nan") if one[name] is None else one[name] for one in kept] for name in ("epoch", "loss", "score"))
    return tuple(parts)


def slice_tables(frame: Frame, column: str, cells: Sequence[Cell]) -> Iterable[plots.SliceTable]:
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
            yield plots.SliceTable(name_of(frame, column), name, metric, mean, low, high, counts, num_labels)


def _confusions(frame: Frame, column: str, cells: Sequence[Cell]) -> Plot | None:
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
    return plots.confusion_matrices(name_of(frame, column), full)


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
