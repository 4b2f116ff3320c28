"""What a task gains from a core trained on something else before: sources by targets, each against scratch.

A source is what the protocol says of a run's pretraining; the reference is the same core from scratch, with the
source's own tokenizer where there is such a run (`init_from.weights=false`), else with the task's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from atinuke_bench.config import Pretraining, is_floor
from atinuke_bench.formatting import MISSING, number

from ..drawing.names import short
from ..drawing.style import Plot, finished, new_figure, slug
from ..reading.across import across
from ..reading.column import Column
from ..reading.frame import Frame
from ..statistics.cells import Cell, measure
from ..statistics.comparison import Comparison, compare_cells, family_note, num_tested
from ..statistics.verdict import NOT_TESTED, corrected, margin_note
from .table import Table

FIELD = "pretraining"
SCRATCH = "scratch"
NOTE = (
    "Difference from the same core trained from scratch, paired over what is resampled and seeds, p corrected by "
    "Holm's method over the table; ▲ better and ▼ worse than scratch, ? not tested, no mark: not told apart. Runs from "
    "scratch use the tokenizer of the source where there are such, else the task's own."
)
_MARKS = {"better": " ▲", "worse": " ▼", "equal": " =", NOT_TESTED: " ?"}


@dataclass(frozen=True)
class Gain:
    """A core on a target task after a source, against the same core from scratch. Gains of losses are negative."""

    variant: str
    source: Pretraining
    #: The task, and its protocol where there are several.
    target: str
    comparison: Comparison


@dataclass(frozen=True)
class Transfer:
    """The gains of every core, and the cells from scratch by (variant, target)."""

    gains: tuple[Gain, ...]
    scratch: dict[tuple[str, str], Cell]


def transfers(frame: Frame, margin: float | None = None) -> Transfer:
    """Every run that started from another, against scratch; empty where there is none, or nothing to compare with."""
    if frame.runs.empty or frame.runs[FIELD].nunique() < 2:
        return Transfer((), {})
    moved = across(frame, [FIELD])
    cells, _ = measure(moved)
    groups: dict[tuple[Column, str], dict[Pretraining, Cell]] = {}
    for cell in (cell for own in cells.values() for cell in own.values()):
        core, variant, before = (frame.value(cell.runs[0], name) for name in ("core", "variant", FIELD))
        if not is_floor(core):
            groups.setdefault((cell.column, variant), {})[frame.pretraining[before]] = cell
    gains: list[Gain] = []
    scratch: dict[tuple[str, str], Cell] = {}
    for (column, variant), by_source in groups.items():
        target = moved.name_of(column)
        for source, cell in by_source.items():
            reference = by_source.get(source.tokenizer_alone, by_source.get(Pretraining()))
            if source.is_scratch or reference is None:
                continue
            gains.append(Gain(variant, source, target, compare_cells(cell, reference)))
            scratch[variant, target] = reference
    adjusted = corrected([gain.comparison for gain in gains], None, margin)
    return Transfer(tuple(replace(gain, comparison=one) for gain, one in zip(gains, adjusted, strict=True)), scratch)


def transfer_table(found: Transfer, margin: float | None = None) -> Table:
    """One row a core and source, one column a target: the mean score, and its difference from scratch."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for (variant, target), cell in found.scratch.items():
        rows.setdefault((variant, SCRATCH), {})[target] = number(cell.mean)
    for gain in found.gains:
        rows.setdefault((gain.variant, gain.source.label), {})[gain.target] = _cell_text(gain.comparison)
    targets = sorted({target for _, target in found.scratch})
    shown = pd.DataFrame(
        [
            {"core": variant, "before": source, **{target: own.get(target, MISSING) for target in targets}}
            for (variant, source), own in sorted(
                rows.items(), key=lambda item: (item[0][0], item[0][1] != SCRATCH, item[0])
            )
        ]
    )
    data = pd.DataFrame(
        [
            {"core": gain.variant, "source": gain.source.label, "target": gain.target, **_figures(gain)}
            for gain in found.gains
        ]
    )
    tests = family_note(num_tested(gain.comparison for gain in found.gains), "each source of this table from scratch")
    marked = f"= {margin_note(margin)}" if margin else None
    notes = (NOTE, *filter(None, [marked]), f"{tests}.")
    return Table("transfer", "Gain from earlier training", shown, data, notes)


def transfer_plots(found: Transfer) -> list[Plot]:
    """A heat map for each core: sources down, targets across, the colour of a cell by its target's largest change."""
    variants = sorted({gain.variant for gain in found.gains})
    return [_heat_map(name, [gain for gain in found.gains if gain.variant == name]) for name in variants]


def _heat_map(variant: str, gains: Sequence[Gain]) -> Plot:
    sources = sorted({gain.source for gain in gains}, key=lambda source: source.label)
    targets = sorted({gain.target for gain in gains})
    values = np.full((len(sources), len(targets)), np.nan)
    figure, (axes,) = new_figure(1, 1.2 + 0.5 * len(sources))
    for gain in gains:
        place = sources.index(gain.source), targets.index(gain.target)
        spread = gain.comparison.spread.value
        values[place] = spread if gain.comparison.a.higher_is_better else -spread
        axes.text(
            place[1], place[0], f"{spread:+.2f}{_MARKS.get(gain.comparison.verdict, '')}", ha="center", va="center"
        )
    # Metrics have different scales, so a colour only compares sources of one target.
    largest = np.nan_to_num(np.abs(values)).max(axis=0, initial=1e-9)
    axes.imshow(values / largest, cmap="PuOr_r", vmin=-1.6, vmax=1.6, aspect="auto")
    axes.set_xticks(range(len(targets)), targets)
    axes.set_yticks(range(len(sources)), [f"after {short(name, 24)}" for name in plain_names(sources)])
    axes.tick_params(length=0)
    title = f"{variant}: change of the score against scratch (orange: better)"
    return finished(figure, f"transfer-{slug(variant)}", title)


def plain_names(sources: Sequence[Pretraining]) -> list[str]:
    """Sources without what they were trained on and how, where their first words suffice to distinguish them.

    >>> lm, coref = Pretraining.read("lm (causal) on 9b8d, settings 07ad"), Pretraining.read("coref on 1f, settings 3d")
    >>> plain_names([lm, coref])
    ['lm (causal)', 'coref']
    >>> plain_names([coref, Pretraining.read("coref on 2e, settings 3d")])
    ['coref on 1f, settings 3d', 'coref on 2e, settings 3d']
    """
    short_labels = [source.short_label for source in sources]
    return [
        source.label if short_labels.count(name) > 1 else name
        for source, name in zip(sources, short_labels, strict=True)
    ]


def _figures(gain: Gain) -> dict[str, Any]:
    record = gain.comparison.record()
    return {name: value for name, value in record.items() if name not in ("task", "a", "b")}


def _cell_text(comparison: Comparison) -> str:
    change = comparison.spread.value
    shown = number(change, sign=True) if math.isfinite(change) else MISSING
    return f"{number(comparison.a.mean)} ({shown}){_MARKS.get(comparison.verdict, '')}"
