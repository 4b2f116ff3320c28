"""What a task gains from a core trained on something else before: sources by targets, each against scratch.

A source is what the protocol says of a run's pretraining; the reference is the same core from scratch, with the
source's own tokenizer where there is such a run (`init_from.weights=false`), else with the task's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from atinuke_bench.config import is_floor

from .across import across
from .compare import Cell, Comparison, compare_cells, corrected, measure
from .drawing import Plot, finished, new_figure, short, slug
from .frame import Frame
from .tables import MISSING, Table, number

FIELD = "pretraining"
SCRATCH = "scratch"
NOTE = (
    "Difference from the same core trained from scratch, paired over examples and seeds, p corrected by Holm's method "
    "over the table; ▲ better and ▼ worse than scratch, no mark: not told apart. Runs from scratch use the tokenizer "
    "of the source where there are such, else the task's own."
)
_MARKS = {"better": " ▲", "worse": " ▼", "tie": ""}


@dataclass(frozen=True)
class Gain:
    """A core on a target task after a source, against the same core from scratch. Gains of losses are negative."""

    core: str
    source: str
    comparison: Comparison

    @property
    def target(self) -> str:
        return self.comparison.column.rpartition(" ")[0]


@dataclass(frozen=True)
class Transfer:
    """The gains of every core, and the cells from scratch by (core, target)."""

    gains: tuple[Gain, ...]
    scratch: dict[tuple[str, str], Cell]


def transfers(frame: Frame) -> Transfer:
    """Every run that started from another, against scratch; empty where there is none, or nothing to compare with."""
    if frame.runs.empty or frame.runs[FIELD].nunique() < 2:
        return Transfer((), {})
    merged = across(frame, [FIELD])
    cells, _ = measure(merged)
    groups: dict[tuple[str, str], dict[str, Cell]] = {}
    for (column, _), cell in cells.items():
        row = frame.runs.loc[cell.runs[0]]
        if not is_floor(row["core"]):
            groups.setdefault((column, row["variant"]), {})[row[FIELD]] = cell
    gains, scratch = [], {}
    for (column, label), by_source in groups.items():
        for source, cell in by_source.items():
            reference = _reference(source, by_source)
            if source.startswith("none") or reference is None:
                continue
            higher = bool(frame.runs.loc[cell.runs[0], "higher_is_better"])
            gains.append(Gain(label, source, compare_cells(column, cell, reference, higher)))
            scratch[label, gains[-1].target] = reference
    adjusted = corrected([gain.comparison for gain in gains])
    return Transfer(
        tuple(Gain(gain.core, gain.source, one) for gain, one in zip(gains, adjusted, strict=True)), scratch
    )


def _reference(source: str, by_source: dict[str, Cell]) -> Cell | None:
    """The cell from scratch that a source is compared with: with its tokenizer, else with the task's own."""
    task_and_data = source.partition(",")[0].replace(" (causal)", "").replace(" (masked)", "")
    return by_source.get(f"none; tokenizer of {task_and_data}", by_source.get("none"))


def transfer_table(found: Transfer) -> Table:
    """One row a core and source, one column a target: the mean score, and its difference from scratch."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for (core, target), cell in found.scratch.items():
        rows.setdefault((core, SCRATCH), {})[target] = number(float(cell.scores.observed.mean()))
    for gain in found.gains:
        rows.setdefault((gain.core, gain.source), {})[gain.target] = _text(gain.comparison)
    targets = sorted({target for _, target in found.scratch})
    shown = pd.DataFrame(
        [
            {"core": core, "before": source, **{target: own.get(target, MISSING) for target in targets}}
            for (core, source), own in sorted(
                rows.items(), key=lambda item: (item[0][0], item[0][1] != SCRATCH, item[0])
            )
        ]
    )
    data = pd.DataFrame(
        [{"core": gain.core, "source": gain.source, "target": gain.target, **_figures(gain)} for gain in found.gains]
    )
    return Table("transfer", "Gain from earlier training", shown, data, (NOTE,))


def transfer_plots(found: Transfer) -> list[Plot]:
    """A heat map for each core: sources down, targets across, the colour of a cell by its target's largest change."""
    return [_heat_map(core, [gain for gain in found.gains if gain.core == core]) for core in _cores(found)]


def _heat_map(core: str, gains: Sequence[Gain]) -> Plot:
    sources = list(dict.fromkeys(sorted(gain.source for gain in gains)))
    targets = sorted({gain.target for gain in gains})
    values = np.full((len(sources), len(targets)), np.nan)
    figure, (axes,) = new_figure(1, (2.6 + 1.15 * len(targets), 1.2 + 0.5 * len(sources)))
    for gain in gains:
        place = sources.index(gain.source), targets.index(gain.target)
        spread = gain.comparison.spread.value
        values[place] = spread if gain.comparison.higher_is_better else -spread
        axes.text(place[1], place[0], f"{spread:+.2f}{_MARKS[gain.comparison.verdict]}", ha="center", va="center")
    # Metrics have scales of their own, so that a colour compares sources of one target.
    largest = np.nan_to_num(np.abs(values)).max(axis=0, initial=1e-9)
    axes.imshow(values / largest, cmap="PuOr_r", vmin=-1.6, vmax=1.6, aspect="auto")
    axes.set_xticks(range(len(targets)), targets, fontsize=8)
    axes.set_yticks(range(len(sources)), [f"after {short(name, 40)}" for name in plain_names(sources)], fontsize=8)
    axes.tick_params(length=0)
    title = f"{core}: change of the score against scratch (orange: better)"
    return finished(figure, f"transfer-{slug(core)}", title)


def plain_names(sources: Sequence[str]) -> list[str]:
    """Sources without what they were trained on and how, where their first words alone tell them apart.

    >>> plain_names(["lm (causal) on 96ec7b8d, settings 07246fad", "coref on 1f2e, settings 3d4c"])
    ['lm (causal)', 'coref']
    >>> plain_names(["coref on 5d606cd8", "coref on 7593ae9d"])
    ['coref on 5d606cd8', 'coref on 7593ae9d']
    """
    firsts = [source.partition(" on ")[0] for source in sources]
    return [first if firsts.count(first) == 1 else source for first, source in zip(firsts, sources, strict=True)]


def _cores(found: Transfer) -> list[str]:
    return sorted({gain.core for gain in found.gains})


def _figures(gain: Gain) -> dict[str, Any]:
    record = gain.comparison.record()
    return {name: value for name, value in record.items() if name not in ("task", "a", "b")}


def _text(comparison: Comparison) -> str:
    score = float(comparison.a.scores.observed.mean())
    change = comparison.spread.value
    shown = number(change, sign=True) if math.isfinite(change) else MISSING
    return f"{number(score)} ({shown}){_MARKS[comparison.verdict]}"
