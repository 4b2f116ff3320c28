"""What each switch of a core is worth: the change from a reference core, with its interval and test.

Variants belong together when they are of one core and size (the part of the label before the brackets) in one column
and differ in fields of the core alone. The reference is the variant that the others differ from in the fewest fields;
among equals the one that differs from its preset in the fewest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from atinuke_bench.config.written import as_written
from atinuke_bench.formatting import number, p_value

from ..drawing.forest import ForestGroup, ForestRow, forest
from ..drawing.style import Plot, slug
from ..reading.column import Column
from ..reading.frame import Frame, differing
from ..statistics.cells import Cell, Cells
from ..statistics.comparison import Comparison, compare_cells, family_note, num_tested
from ..statistics.pairing import resampled_note
from ..statistics.verdict import corrected, margin_note
from .table import Table

#: Changes that one figure shows, those with the largest difference; the table has all.
MOST_CHANGES = 16
NOTE = (
    "Reference: of the variants of one core and size that differ in fields of the core alone, the one the others "
    "differ from in the fewest fields. Paired over what is resampled, variance between seeds added; p is corrected by "
    "Holm's method over this table, the intervals are not. Verdicts are from the corrected p."
)


@dataclass(frozen=True)
class Ablation:
    """A variant (A) against its reference (B), and what was changed: field -> (reference's value, variant's value)."""

    comparison: Comparison
    changes: Mapping[str, tuple[Any, Any]]

    @property
    def change(self) -> str:
        return ", ".join(f"{name}: {_setting(old)} → {_setting(new)}" for name, (old, new) in self.changes.items())


def ablations(frame: Frame, cells: Cells, margin: float | None = None) -> list[Ablation]:
    """Every variant against the reference of its group, corrected over all of them."""
    groups: dict[tuple[Column, str, str], list[Cell]] = {}
    for cell in (cell for own in cells.values() for cell in own.values()):
        config = frame.config(cell.runs[0])
        if not config:
            continue
        label = frame.value(cell.runs[0], "label").partition("[")[0]
        rest = json.dumps({name: value for name, value in config.items() if not _of_core(name)}, default=str)
        groups.setdefault((cell.column, label, rest), []).append(cell)
    found = [one for own in groups.values() if len(own) > 1 for one in _against_reference(frame, own)]
    adjusted = corrected([one.comparison for one in found], None, margin)
    return [Ablation(comparison, one.changes) for comparison, one in zip(adjusted, found, strict=True)]


def _against_reference(frame: Frame, cells: Sequence[Cell]) -> list[Ablation]:
    configs = [frame.config(cell.runs[0]) for cell in cells]
    fields = [name for name in differing(configs) if _of_core(name)]
    values = np.array([[json.dumps(config.get(name), default=str) for name in fields] for config in configs])
    distances = (values[:, None, :] != values[None, :, :]).sum(axis=(1, 2))
    labels = [str(frame.value(cell.runs[0], "label")) for cell in cells]
    # A label has each field that differs from the preset, with its value; a suite may name its variants as it likes.
    place = min(range(len(cells)), key=lambda n: (distances[n], labels[n].count("="), labels[n], cells[n].variant))
    return [
        Ablation(
            compare_cells(cell, cells[place]),
            {
                name.removeprefix("core."): (configs[place].get(name), config.get(name))
                for name in differing([configs[place], config])
            },
        )
        for cell, config in zip(cells, configs, strict=True)
        if cell is not cells[place]
    ]


def ablation_table(frame: Frame, found: Sequence[Ablation], margin: float | None = None) -> Table:
    """One row a change, with the figures of its comparison."""
    records = [{**one.comparison.record(), "change": one.change} for one in found]
    shown = pd.DataFrame(
        [
            {
                "change": record["change"],
                "task": frame.name_of(one.comparison.column),
                "reference": record["b"],
                "reference score": number(record["score_b"]),
                "score": number(record["score_a"]),
                "difference": f"{number(record['absolute difference'], sign=True)} "
                f"[{number(record['low'])}, {number(record['high'])}]",
                "seeds": f"{record['seeds_a']} / {record['seeds_b']}",
                "p corrected": p_value(record["p corrected"]),
                "the change is": one.comparison.finding,
                "note": record["note"],
            }
            for record, one in zip(records, found, strict=True)
        ]
    )
    data = pd.DataFrame(records).rename(columns={"a": "variant", "b": "reference"})
    tests = family_note(num_tested(one.comparison for one in found), "each change of this table from its reference")
    drawn = resampled_note((frame.name_of(one.comparison.column), one.comparison.a.drawn) for one in found)
    notes = (NOTE, *filter(None, [drawn, margin_note(margin)]), f"{tests}.")
    return Table("ablation", "Change from the reference core", shown, data, notes, section="ablation")


def ablation_plots(frame: Frame, found: Sequence[Ablation], margin: float | None = None) -> list[Plot]:
    """One figure a reference: the difference that each change makes, with its interval."""
    groups: dict[tuple[Column, str], list[Ablation]] = {}
    for one in found:
        groups.setdefault((one.comparison.column, one.comparison.b.variant), []).append(one)
    return [_forest(frame, column, reference, own, margin) for (column, reference), own in groups.items()]


def _forest(frame: Frame, column: Column, reference: str, found: Sequence[Ablation], margin: float | None) -> Plot:
    ordered = sorted(found, key=lambda one: -abs(one.comparison.spread.value))[:MOST_CHANGES]
    ordered.sort(key=lambda one: one.comparison.spread.value)
    metric = found[0].comparison.a.metric
    rows = [ForestRow.of(one.change, one.change, one.comparison) for one in ordered]
    label = f"change of {metric}"
    name = frame.name_of(column)
    some = f"; the {len(ordered)} largest of {len(found)} changes" if len(ordered) < len(found) else ""
    title = f"{name}: change from {reference} (95 % interval; filled: told apart from no change{some})"
    groups = [ForestGroup("", tuple(reversed(rows)))]
    return forest(f"ablation-{slug(name)}-{slug(reference)}", title, "ablation", groups, label, margin)


def _of_core(name: str) -> bool:
    return name.startswith("core.")


def _setting(value: Any) -> str:
    return "none" if value is None else as_written(value)
