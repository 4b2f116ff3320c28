"""Run folders in, a report out: one HTML page without any network, its tables and its figures as files."""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from atinuke_bench.errors import RunFolderError
from atinuke_bench.files import make_folder, write_bytes, write_text

from . import plots
from .compare import Cell, Comparison, best_against_others, measure
from .formats import write_table
from .frame import Frame, Gap, read_frame
from .plots import MOST_VARIANTS, Look, Plot
from .tables import Table, bounds, comparison_table, cost_table, headline, published_table

#: Figures are drawn for so many columns, those with the most runs, and each slice for so many labels; tables have all.
MOST_COLUMNS = 16
MOST_LABELS = 14
MOST_CLASSES = 8
MOST_DISAGREEMENTS = 40
#: Rows of one table that the page shows; the files have all.
MOST_ROWS = 300
_TEXT_LENGTH = 300


@dataclass(frozen=True)
class Disagreement:
    """Examples that one of two cores gets right and the other wrong, both at their first common seed."""

    task: str
    a: str
    b: str
    seed: int
    num_examples: int
    num_a: int
    num_b: int
    rows: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Report:
    """All that a report shows."""

    frame: Frame
    tables: tuple[Table, ...]
    comparisons: tuple[Comparison, ...]
    plots: tuple[Plot, ...]
    disagreements: tuple[Disagreement, ...]
    gaps: tuple[Gap, ...]

    def summary(self) -> dict[str, Any]:
        """The report as plain data: every table, gap and how many runs there are."""
        return {
            "num_runs": len(self.frame.runs),
            "gaps": [vars(gap) for gap in self.gaps],
            "tables": {table.name: table.data.to_dict("records") for table in self.tables},
            "titles": {table.name: table.title for table in self.tables},
        }


def make_report(places: Iterable[str | Path]) -> Report:
    """Read run folders and compute everything; RunFolderError when there is no run at all."""
    frame = read_frame(places)
    if frame.runs.empty:
        return Report(frame, (), (), (), (), frame.gaps)
    cells, unusable = measure(frame)
    comparisons = best_against_others(frame, cells)
    tables = [*headline(frame, cells, comparisons), cost_table(frame), published_table(frame, cells)]
    if comparisons:
        tables.insert(-2, comparison_table(comparisons))
    look = plots.looks(_drawn(frame, cells))
    return Report(
        frame,
        tuple(tables),
        tuple(comparisons),
        tuple(_plots(frame, cells, look)),
        tuple(_disagreements(frame, comparisons)),
        (*frame.gaps, *unusable),
    )


def write_report(places: Iterable[str | Path], out: Path) -> Report:
    """Make a report and write `report.html`, `tables/` and `figures/` under `out`."""
    report = make_report(places)
    tables, figures = (make_folder(out / name) for name in ("tables", "figures"))
    for table in report.tables:
        write_table(table, tables)
    for plot in report.plots:
        write_text(figures / f"{plot.name}.svg", plot.svg)
        write_bytes(figures / f"{plot.name}.png", plot.png)
    write_text(out / "report.html", render_html(report))
    return report


def render_html(report: Report) -> str:
    """The page. Every name and example is escaped; figures alone are trusted, since they are made here."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("atinuke_bench.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    protocols = [
        {"column": column, **{name: value for name, value in protocol.items() if name != "task"}}
        for column, protocol in report.frame.protocols.items()
    ]
    return environment.get_template("report.html.j2").render(
        report=report,
        protocols=protocols,
        most_rows=MOST_ROWS,
        version=importlib.metadata.version("atinuke-bench"),
        created=time.strftime("%Y-%m-%d %H:%M"),
    )


def _drawn(frame: Frame, cells: Mapping[tuple[str, str], Cell]) -> list[str]:
    """The variants that figures show, those with the most runs first."""
    runs = frame.runs[frame.runs["variant"].isin({variant for _, variant in cells})]
    return list(runs["variant"].value_counts().index)


def _plots(frame: Frame, cells: Mapping[tuple[str, str], Cell], look: dict[str, Look]) -> Iterable[Plot]:
    for column in frame.runs["column"].value_counts().index[:MOST_COLUMNS]:
        own = sorted((cell for (name, _), cell in cells.items() if name == column), key=lambda cell: -cell.num_seeds)
        own = own[:MOST_VARIANTS]
        if own:
            found = [_pareto(frame, column, own, look), _curves(frame, column, own, look)]
            yield from filter(None, found)
            yield from _slices(frame, column, own, look)
            yield from filter(None, [_confusions(frame, column, own)])


def _name_of(frame: Frame, column: str) -> str:
    """The task, with its column's digits where it has several."""
    task, _, digits = column.rpartition(" ")
    several = frame.runs.loc[frame.runs["task"] == task, "column"].nunique() > 1
    return f"{task} ({digits})" if several else task


def _pareto(frame: Frame, column: str, cells: Sequence[Cell], look: dict[str, Look]) -> Plot | None:
    if "cost.training_flops" not in frame.runs:
        return None
    flops = pd.to_numeric(frame.runs["cost.training_flops"], errors="coerce")
    cost = {cell.variant: float(flops[list(cell.runs)].mean()) for cell in cells}
    name, metric = _name_of(frame, column), frame.runs.loc[cells[0].runs[0], "metric"]
    title = f"{name}: score against training cost (mean, 95 % interval)"
    intervals = [bounds(cell, metric) for cell in cells]
    slug = f"pareto-{plots.slug(name)}"
    return plots.score_against_cost(title, slug, cells, intervals, cost, "training FLOPs", metric, look)


def _curves(frame: Frame, column: str, cells: Sequence[Cell], look: dict[str, Look]) -> Plot | None:
    histories = {}
    for cell in cells:
        records = [frame.history(run) for run in cell.runs]
        histories[cell.variant] = [
            pd.DataFrame(own)[["epoch", "loss", "score"]]
            for own in records
            if own and {"loss", "score"} <= own[0].keys()
        ]
    return plots.learning_curves(_name_of(frame, column), histories, look)


def _slices(frame: Frame, column: str, cells: Sequence[Cell], look: dict[str, Look]) -> Iterable[Plot]:
    variant_of = {run: cell.variant for cell in cells for run in cell.runs}
    rows = frame.slices[frame.slices["run"].isin(variant_of)]
    rows = rows.assign(variant=rows["run"].map(variant_of))
    for name, own in rows.groupby("slice", sort=False):
        metrics = [metric for metric in own["metric"].unique() if metric != "num"]
        metric = next((one for one in metrics if one.endswith("f1")), metrics[0] if metrics else None)
        if metric is None:
            continue
        counts = own[own["metric"] == "num"].groupby("label", sort=False)["value"].mean()
        table = own[own["metric"] == metric].pivot_table(
            index="label", columns="variant", values="value", aggfunc="mean", sort=False
        )
        if len(table) > MOST_LABELS:
            table = table.loc[[label for label in counts.nlargest(MOST_LABELS).index if label in table.index]]
        if not table.empty:
            yield plots.slice_bars(_name_of(frame, column), name, metric, table, counts, look)


def _confusions(frame: Frame, column: str, cells: Sequence[Cell]) -> Plot | None:
    """Only where answers are labels: few different ones, and as many gold ones as a class needs."""
    matrices: dict[str, pd.DataFrame] = {}
    for cell in cells:
        try:
            rows = pd.concat([frame.predictions(run)[["gold", "prediction"]] for run in cell.runs])
        except RunFolderError:
            continue
        labels = sorted(set(rows["gold"]) | set(rows["prediction"]))
        if not 1 < len(labels) <= MOST_CLASSES or len(rows) < 2 * len(labels):
            return None
        matrices[cell.variant] = pd.crosstab(rows["gold"], rows["prediction"])
    if not matrices:
        return None
    labels = sorted(
        {label for matrix in matrices.values() for axis in (matrix.index, matrix.columns) for label in axis}
    )
    full = {name: matrix.reindex(index=labels, columns=labels, fill_value=0) for name, matrix in matrices.items()}
    return plots.confusion_matrices(_name_of(frame, column), full)


def _disagreements(frame: Frame, comparisons: Sequence[Comparison]) -> Iterable[Disagreement]:
    """For each column the best core against its nearest rival."""
    for column in list(dict.fromkeys(one.column for one in comparisons))[:MOST_COLUMNS]:
        first = next(one for one in comparisons if one.column == column)
        found = _disagreement(frame, column, first.a, first.b)
        if found is not None:
            yield found


def _disagreement(frame: Frame, column: str, a: Cell, b: Cell) -> Disagreement | None:
    seeds = [{int(frame.runs.loc[run, "seed"]): run for run in cell.runs} for cell in (a, b)]
    common = sorted(seeds[0].keys() & seeds[1].keys())
    if not common:
        return None
    try:
        sides = [frame.predictions(own[common[0]]) for own in seeds]
    except RunFolderError:
        return None
    both = sides[0].merge(sides[1], on="id", suffixes=("_a", "_b"))
    ours, theirs = (pd.to_numeric(both[name], errors="coerce") for name in ("score_a", "score_b"))
    apart = both[(ours - theirs).abs() > 1e-9].assign(gain=ours - theirs)
    if apart.empty:
        return None
    # As many of each side, the widest apart first; the order of equals is that of the ids.
    ordered = apart.sort_values(["gain", "id"])
    half = MOST_DISAGREEMENTS // 2
    shown = pd.concat([ordered[ordered["gain"] > 0].tail(half)[::-1], ordered[ordered["gain"] < 0].head(half)])
    rows = tuple(
        {
            "id": row["id"],
            "gold": _cut(row["gold_a"]),
            "a": _cut(row["prediction_a"]),
            "b": _cut(row["prediction_b"]),
            "right": "A" if row["gain"] > 0 else "B",
        }
        for row in shown.to_dict("records")
    )
    return Disagreement(
        _name_of(frame, column), a.variant, b.variant, common[0], len(both),
        int((apart["gain"] > 0).sum()), int((apart["gain"] < 0).sum()), rows,
    )  # fmt: skip


def _cut(text: str) -> str:
    return text if len(text) <= _TEXT_LENGTH else text[: _TEXT_LENGTH - 1] + "…"
