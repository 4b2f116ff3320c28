"""The published record beside every figure that was measured, and why the two may or may not be compared."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from atinuke_bench.config import Pretraining
from atinuke_bench.formatting import MISSING, number, with_spread

from ..drawing.strip import Mark, strip
from ..drawing.style import Look, Plot, slug
from ..reading.column import Column
from ..reading.comparable import Verdict, kind_of_data, our_split, verdict, version_of
from ..reading.frame import Frame
from ..reading.published import Published
from ..statistics.cells import Cells
from ..statistics.effects import relative_change, relative_error_reduction
from ..statistics.ours import Ours
from .table import Table

#: Figures on one axis are drawn for so many splits and metrics, each with so many systems; the tables have all.
MOST_STRIPS, MOST_SYSTEMS = 12, 24
_NOTES = (
    "Published figures as their sources print them, ± their spread where one is given; what a source does not state is "
    "left empty. A figure is comparable where data, selection, version, split, metric, pretraining, checkpoint, "
    "transfer and number of models agree. Beside it stands the variant with the best mean here ± the standard "
    "deviation of its seeds, which is what most sources print.",
    "Differences are ours less theirs, given where at most one thing differs.",
)


@dataclass(frozen=True)
class Beside:
    """A published figure, what it would be compared with, and whether it may be."""

    row: Published
    verdict: Verdict
    ours: Ours | None
    #: Of a claim, the task that ours is of and what its data is.
    measured_on: str = ""

    @property
    def is_near(self) -> bool:
        """Whether at most one thing differs, so that a difference says something."""
        return self.ours is not None and self.row.kind != "claim" and self.verdict.is_near

    @property
    def rank(self) -> int:
        """What readers look for first: comparable, then nearly, then the claims, then the rest."""
        if self.is_near:
            return len(self.verdict.differing)
        return 2 if self.row.kind == "claim" else 3

    def record(self) -> dict[str, Any]:
        """All fields as plain figures."""
        row, ours = self.row, self.ours
        value = math.nan if row.value is None else row.value
        near = ours.mean if ours is not None and self.is_near else math.nan
        return {
            **row.model_dump(),
            "link": row.link,
            "comparable": self.text,
            "measured variant": "" if ours is None else ours.name,
            "measured": math.nan if ours is None else ours.mean,
            "measured deviation": math.nan if ours is None else ours.deviation,
            "measured seeds": 0 if ours is None else ours.num_seeds,
            "absolute difference": near - value,
            "relative change %": relative_change(near, value) if math.isfinite(near) else math.nan,
            "relative error reduction %": relative_error_reduction(near, value) if math.isfinite(near) else math.nan,
        }

    @property
    def text(self) -> str:
        if self.row.kind == "claim":
            measured = "" if self.ours is None else f"; measured on {self.measured_on}"
            return f"no: a claim without figures{measured}"
        if self.ours is not None:
            return self.verdict.text
        return "no: this figure was not measured here" + (
            f" ({'; '.join(self.verdict.differing)})" if self.verdict.differing else ""
        )


#: Task -> column -> (split, metric) -> the best variant's figure.
Measured = dict[str, dict[Column, dict[tuple[str, str], Ours]]]


def beside(frame: Frame, cells: Cells, record: Iterable[Published]) -> list[Beside]:
    """Each published figure of the tasks and families at hand beside the closest figure of ours; the nearest first."""
    measured = _measured(frame, cells)
    claimed = _measured(frame, cells, "atinuke")
    tasks = set(measured)
    families = {task.partition("/")[0] for task in tasks}
    found = []
    for row in record:
        if row.kind == "claim" and row.task in tasks | families:
            found.append(_beside_claim(row, frame, claimed))
        elif row.task in tasks:
            found.append(_closest(row, frame, measured[row.task]))
    return sorted(found, key=lambda one: one.rank)


def _measured(frame: Frame, cells: Cells, core: str | None = None) -> Measured:
    """The best variant's figures, of one core or of all, over the runs that count."""
    of_run = {run: cell for own in cells.values() for cell in own.values() for run in cell.runs}
    names = ["task", "column", "variant", "core", "is_cut"]
    scores = frame.scores[frame.scores["run"].isin(of_run)].join(frame.runs[names], on="run")
    if core is not None:
        scores = scores[scores["core"] == core]
    found: Measured = {}
    for _, own in scores.groupby(["task", "column", "is_cut", "split", "metric", "variant"], sort=False):
        first: dict[str, Any] = {str(name): value for name, value in own.iloc[0].items()}
        cell = of_run[first["run"]]
        key = first["split"], first["metric"]
        is_headline = key == (frame.value(cell.runs[0], "split"), cell.metric)
        interval = cell.interval if is_headline else (math.nan, math.nan)
        ours = Ours(cell.variant, tuple(map(float, own["value"])), interval)
        figures = found.setdefault(first["task"], {}).setdefault(cell.column, {})
        # Losses are nowhere in the record: of all that is, more is better.
        if key not in figures or figures[key].mean < ours.mean:
            figures[key] = ours
    return found


def _closest(row: Published, frame: Frame, measured: Mapping[Column, Mapping[tuple[str, str], Ours]]) -> Beside:
    """The figure from which the fewest things keep a published one apart; of several the highest."""
    found = []
    for column, figures in measured.items():
        protocol = frame.protocols[column]
        pretraining = frame.pretraining.get(str(protocol["pretraining"]), Pretraining())
        ours = figures.get((our_split(row, version_of(row.task, protocol)), row.metric))
        found.append(Beside(row, verdict(row, protocol, pretraining), ours))
    return min(
        found,
        key=lambda one: (
            one.ours is None,
            not one.verdict.is_near,
            len(one.verdict.differing),
            -(one.ours.mean if one.ours else 0.0),
        ),
    )


def _beside_claim(row: Published, frame: Frame, measured: Measured) -> Beside:
    """A claim has nothing to be compared with; its row shows what its core scored here, and on which data."""
    for task, columns in measured.items():
        if row.task in (task, task.partition("/")[0]):
            column, figures = next(iter(columns.items()))
            first = frame.runs[frame.runs["column"] == column].iloc[0]
            measured_on = f"{column.task}, {kind_of_data([frame.protocols[column]])}"
            return Beside(row, Verdict(()), figures.get((first["split"], first["metric"])), measured_on)
    return Beside(row, Verdict(()), None)


def published_table(found: Sequence[Beside]) -> Table | None:
    """What may be compared, or nearly, and the claims; then, folded up, every other figure with its reason."""
    if not found:
        return None
    data = pd.DataFrame([one.record() for one in found])
    shown = pd.DataFrame([_shown(one, record) for one, record in zip(found, data.to_dict("records"), strict=True)])
    if not any(one.is_near for one in found):
        shown = shown.drop(columns=["difference", "relative change", "relative error reduction"])
    return Table(
        "published", "Published figures beside ours", shown, data, (*_best(found), *_NOTES), section="published",
        links={"source": tuple(one.row.link for one in found)}, num_first=sum(one.rank < 3 for one in found),
        rest_title="Published figures of these tasks that no run here may be compared with",
    )  # fmt: skip


def _best(found: Sequence[Beside]) -> list[str]:
    """For each figure, ours against the highest that is comparable in everything, the way claims are worded."""
    best: dict[tuple[str, str, str], Beside] = {}
    for one in found:
        if one.is_near and one.verdict.is_comparable and one.row.kind == "result":
            key = one.row.task, one.row.where, one.row.metric
            if key not in best or (best[key].row.value or 0.0) < (one.row.value or 0.0):
                best[key] = one
    return [_against(one) for one in best.values()]


def _against(one: Beside) -> str:
    row, ours = one.row, one.ours
    assert ours is not None
    assert row.value is not None
    change = number(relative_change(ours.mean, row.value), sign=True, unit=" %")
    return (
        f"{row.task}, {row.where}, {row.metric}: {ours.name} ({number(ours.mean)}) is {change} relative to the "
        f"highest comparable figure, {row.system} ({number(row.value)}; {row.source}, {row.place}). That is a "
        "difference of means, and no test."
    )


def _shown(one: Beside, record: Mapping[Any, Any]) -> dict[str, str]:
    row = one.row
    return {
        "task": row.task,
        "system": row.system,
        "figure": f"{row.where} {row.metric}".strip() or MISSING,
        "published": "claim, no figure" if row.value is None else _published(row),
        "ours": MISSING if one.ours is None else f"{one.ours.name} {one.ours.text}",
        "difference": number(record["absolute difference"], sign=True),
        "relative change": number(record["relative change %"], sign=True, unit=" %"),
        "relative error reduction": number(record["relative error reduction %"], sign=True, unit=" %"),
        "comparable": one.text,
        "pretraining": ", ".join(filter(None, (row.pretraining or "not stated", row.model))),
        "source": f"{row.source}, {row.place}" + ("" if row.read == "primary" else f" [{row.read}]"),
    }


def _published(row: Published) -> str:
    assert row.value is not None
    counted = f" ({row.statistic or 'of'} {row.seeds})" if row.seeds else ""
    kind = f" [{row.spread_kind}]" if row.spread_kind not in ("", "std") else ""
    return with_spread(row.value, row.spread) + kind + counted


def published_plots(found: Sequence[Beside], look: Mapping[str, Look]) -> list[Plot]:
    """For each figure of ours that something may be compared with: ours and theirs on one axis."""
    groups: dict[tuple[str, str, str], list[Beside]] = {}
    for one in found:
        if one.is_near:
            groups.setdefault((one.row.task, one.row.where, one.row.metric), []).append(one)
    ordered = sorted(groups.items(), key=lambda item: -sum(one.verdict.is_comparable for one in item[1]))
    return [_strip(*key, own, look) for key, own in ordered[:MOST_STRIPS]]


def _strip(task: str, where: str, metric: str, found: Sequence[Beside], look: Mapping[str, Look]) -> Plot:
    """The comparable systems first, then the highest of the others, as many as can be read."""
    shown = sorted(found, key=lambda one: (one.rank, -(one.row.value or 0.0)))[:MOST_SYSTEMS]
    ours = {(one.ours.name, one.ours.values): one.ours for one in shown if one.ours is not None}
    marks = [
        *(Mark(own.name, own.mean, _bounds(own), look[own.name].colour) for own in ours.values()),
        *(
            Mark(one.row.system, value, _around(value, one.row.spread), None, one.verdict.is_comparable)
            for one in shown
            if (value := one.row.value) is not None
        ),
    ]
    left_out = f"; {len(found) - len(shown)} more in the table" if len(shown) < len(found) else ""
    title = (
        f"{task}, {where}, {metric}: ours (square) and published figures, filled where comparable, hollow where one "
        f"thing differs; lines: our 95 % interval, or the deviation of seeds, and their spread{left_out}"
    )
    return strip(f"published-{slug(task)}-{slug(where)}-{slug(metric)}", title, metric, marks)


def _bounds(ours: Ours) -> tuple[float, float]:
    return ours.interval if math.isfinite(ours.interval[0]) else _around(ours.mean, ours.deviation)


def _around(value: float, spread: float | None) -> tuple[float, float]:
    known = spread if spread is not None and math.isfinite(spread) else 0.0
    return value - known, value + known
