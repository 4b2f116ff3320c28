"""How the trainings went: what is wrong with runs behind a score, and a mark beside every such score.

A mark changes no score and no verdict: who leaves out seeds that failed compares other things than who keeps them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from atinuke_bench.diagnosis.finding import Finding, Severity
from atinuke_bench.step_record import UPDATE_RATIO

from ..drawing.steps import Course, courses
from ..drawing.style import Plot
from ..reading.column import Column
from ..reading.frame import Frame, Gap
from ..reading.training import Diagnosed, diagnosed
from .findings import Finding as Sentence
from .findings import TableFindings
from .headline import blocks_of
from .statements import MOST_NAMED
from .table import MARK, Table

SECTION = "training"
MARK_NOTE = (
    f"{MARK}: a run behind the score has a serious finding, see Training. It changes no score and no verdict; seeds "
    "that failed are counted like all others."
)
NOTE = (
    "Found by rules with fixed thresholds in what each run recorded of its steps and epochs (`diagnose` prints them "
    "for any run). No score and no verdict depends on it. Runs of older versions recorded no steps and are not judged."
)
FIRST_SEED = "What is said is of the first seed that has it."
#: Figures of steps, those of the variants with the most serious runs first.
MOST_DRAWN = 6
#: Columns of tables that hold names of variants.
_NAMES = ("core", "A", "B", "variant", "reference")
_COLUMNS = ("task", "core", "finding", "severity", "seeds", "of seeds", "which", "since", "what", "try")


@dataclass(frozen=True)
class _Variant:
    """The runs of a variant in a column."""

    column: Column
    name: str
    runs: tuple[int, ...]


@dataclass(frozen=True)
class _Row:
    task: str
    variant: _Variant
    name: str
    #: The finding in each run that has it.
    found: Mapping[int, Finding]

    @property
    def severity(self) -> Severity:
        return min((one.severity for one in self.found.values()), key=list(Severity).index)


@dataclass(frozen=True)
class Trainings:
    """The section; without a table no run has recorded its steps. `hints` say what is wrong behind a cell."""

    table: Table | None = None
    plots: tuple[Plot, ...] = ()
    gaps: tuple[Gap, ...] = ()
    overview: str = ""
    hints: Mapping[tuple[Column, str], str] = field(default_factory=dict)


def trainings(frame: Frame) -> Trainings:
    """What is wrong with the trainings of a frame."""
    own = diagnosed(frame)
    if not own.findings:
        return Trainings(gaps=own.gaps)
    groups: dict[tuple[Column, str], list[int]] = {}
    for run in frame.runs.index:
        groups.setdefault((frame.value(run, "column"), frame.value(run, "variant")), []).append(run)
    variants = [_Variant(column, name, tuple(runs)) for (column, name), runs in groups.items()]
    return Trainings(
        training_table(frame, variants, own),
        tuple(training_plots(frame, variants, own)),
        own.gaps,
        overview(own),
        hints_of(frame, variants, own),
    )


def training_table(frame: Frame, variants: Sequence[_Variant], own: Diagnosed) -> Table:
    """One row a variant and finding: how many of its seeds have it, since when, what says so, what to try."""
    rows = _rows(frame, variants, own)
    data = pd.DataFrame([_figures(frame, row) for row in rows], columns=list(_COLUMNS))
    counts = [f"{num} of {num_all}" for num, num_all in zip(data["seeds"], data["of seeds"], strict=True)]
    shown = data.drop(columns=["of seeds", "which"]).assign(seeds=counts)
    num_first = sum(row.severity is not Severity.NOTE for row in rows)
    return Table(
        "training",
        "What went wrong in trainings" if num_first else "Nothing went wrong in the trainings",
        shown,
        data,
        (NOTE, f"{len(own.findings)} of {len(frame.runs)} runs recorded their steps.", FIRST_SEED),
        section=SECTION,
        num_first=num_first,
        rest_title="Healthy trainings have this too",
    )


def _figures(frame: Frame, row: _Row) -> dict[str, Any]:
    first = next(iter(row.found.values()))
    values = (
        row.task,
        row.variant.name,
        row.name,
        str(row.severity),
        len(row.found),
        len(row.variant.runs),
        ", ".join(str(frame.value(run, "seed")) for run in row.found),
        first.since,
        first.text,
        "; ".join(first.tries),
    )
    return dict(zip(_COLUMNS, values, strict=True))


def _rows(frame: Frame, variants: Iterable[_Variant], own: Diagnosed) -> list[_Row]:
    rows = []
    for variant in variants:
        names = dict.fromkeys(one.name for run in variant.runs for one in own.findings.get(run, ()))
        for name in names:
            found = {run: one for run in variant.runs for one in own.findings.get(run, ()) if one.name == name}
            rows.append(_Row(frame.name_of(variant.column), variant, name, found))
    return sorted(rows, key=lambda row: list(Severity).index(row.severity))


def hints_of(frame: Frame, variants: Iterable[_Variant], own: Diagnosed) -> dict[tuple[Column, str], str]:
    """What the mark beside a cell says, where a run behind it has a serious finding."""
    hints = {}
    for one in variants:
        if serious := own.serious(one.runs):
            counted = [f"{name} in {len(runs)} of {len(one.runs)} seeds" for name, runs in serious.items()]
            hints[one.column, one.name] = f"{one.name} on {frame.name_of(one.column)}: {', '.join(counted)}"
    return hints


def warned(
    found: Sequence[TableFindings], frame: Frame, hints: Mapping[tuple[Column, str], str]
) -> tuple[TableFindings, ...]:
    """The sentences on tasks, each with what is seriously wrong behind a score that it names."""
    blocks = {f"headline-{place}": block.columns for place, block in enumerate(blocks_of(frame), start=1)}

    def mark(one: Sentence, columns: Sequence[Column]) -> Sentence:
        named = {name for said in one.statements for name in (said.a, said.b)}
        own = [
            hint
            for (column, variant), hint in hints.items()
            if column in columns and variant in named and frame.name_of(column) == one.about
        ]
        more = f"; and {len(own) - MOST_NAMED} more" if len(own) > MOST_NAMED else ""
        return replace(one, text=f"{one.text} {MARK} {'; '.join(own[:MOST_NAMED])}{more}.") if own else one

    return tuple(
        replace(one, tasks=tuple(mark(task, blocks.get(one.table, ())) for task in one.tasks)) for one in found
    )


def marked(tables: Iterable[Table], frame: Frame, hints: Mapping[tuple[Column, str], str]) -> list[Table]:
    """The tables with a mark wherever a cell, or a row's core on its task, has a hint."""
    if not hints:
        return list(tables)
    blocks = {f"headline-{place}": block.columns for place, block in enumerate(blocks_of(frame), start=1)}
    info = {row["column"]: row for row in frame.runs.drop_duplicates("column").to_dict("records")}
    found = []
    for table in tables:
        by_name: dict[tuple[str, str], str] = {}
        for (column, variant), hint in hints.items():
            if table.name not in blocks:
                by_name[frame.name_of(column), variant] = hint
            elif column in blocks[table.name]:
                by_name[" ".join(info[column][name] for name in ("task", "split", "metric")), variant] = hint
        found.append(_marked(table, by_name))
    return found


def _marked(table: Table, by_name: Mapping[tuple[str, str], str]) -> Table:
    """A table with a mark where a row names the core and a row or column the task."""
    shown = table.shown
    found: dict[tuple[int, str], str] = {}
    if "task" in shown.columns:
        for name in (name for name in _NAMES if name in shown.columns):
            for row, key in enumerate(zip(shown["task"].astype(str), shown[name].astype(str), strict=True)):
                if key in by_name:
                    found[row, name] = by_name[key]
    elif "core" in shown.columns:
        for row, variant in enumerate(shown["core"].astype(str)):
            for name in shown.columns:
                if (str(name), variant) in by_name:
                    found[row, str(name)] = by_name[str(name), variant]
    return replace(table, hints=found, notes=(*table.notes, MARK_NOTE)) if found else table


def training_plots(frame: Frame, variants: Iterable[_Variant], own: Diagnosed) -> list[Plot]:
    """Loss, gradient norm and update ratio by step of variants with serious findings, beside their healthy seeds."""
    found = [(one, own.serious(one.runs)) for one in variants]
    found = [(one, serious) for one, serious in found if serious]
    found.sort(key=lambda pair: -len({run for runs in pair[1].values() for run in runs}))
    plots = []
    for one, serious in found[:MOST_DRAWN]:
        judged = [run for run in one.runs if run in own.records]
        drawn = [_course(frame, run, own, serious) for run in judged]
        clip = own.records[judged[0]].training.gradient_clip
        plots.append(courses(f"{frame.name_of(one.column)}, {one.name}", drawn, clip))
    return plots


def _course(frame: Frame, run: int, own: Diagnosed, serious: Mapping[str, Sequence[int]]) -> Course:
    steps = own.records[run].steps
    names = [name for name in steps if name.startswith(UPDATE_RATIO) and not name.endswith(("/other", "/head"))]
    ratios = np.array([steps[name] for name in names])
    known = np.isfinite(ratios).any(axis=0) if names else np.zeros(len(steps["step"]), dtype=bool)
    wrong = [name for name, runs in serious.items() if run in runs]
    return Course(
        f"seed {frame.value(run, 'seed')}",
        ", ".join(wrong),
        tuple(steps["step"]),
        tuple(steps["loss"]),
        tuple(steps["gradient_norm"]),
        tuple(steps["step"][known]),
        tuple(np.nanmax(ratios[:, known], axis=0)) if known.any() else (),
    )


def overview(own: Diagnosed) -> str:
    """How many runs have serious findings, in a sentence."""
    serious = [found for found in own.findings.values() if any(one.severity is Severity.SERIOUS for one in found)]
    names = Counter(one.name for found in serious for one in found if one.severity is Severity.SERIOUS)
    listed = ", ".join(f"{name} ({count})" for name, count in names.most_common())
    return f"{len(serious)} of {len(own.findings)} trainings have serious findings{f': {listed}' if listed else ''}."
