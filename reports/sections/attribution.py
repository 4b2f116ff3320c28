"""Why one core is better than another: what each factor of a suite's factorial is worth, alone and with each other.

A suite with `factors` has a column for each combination of their levels. On each of its tasks the means of these cells
are taken apart: effects and interactions, the means of the levels, and the difference of the
last corner from the first, shared out among the factors.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from atinuke_bench.formatting import MISSING, number, p_value

from ..drawing.forest import OTHER_MARK, ForestGroup, ForestRow, difference_text, forest
from ..drawing.style import INK, Plot, slug
from ..reading.column import Column
from ..reading.frame import Frame
from ..reading.suites import Suite
from ..statistics import attribution as worth
from ..statistics.attribution import Breakdown, Effect, LevelMean
from ..statistics.cells import Cell, Cells
from ..statistics.comparison import NOT_TESTED, family_note
from ..statistics.factorial import Factorial, Key
from ..statistics.pairing import resampled_note
from ..statistics.spread import Spread
from ..statistics.verdict import margin_note
from .table import Table

#: Rows that one figure shows, those with the largest effects; the table has all.
MOST_EFFECTS = 16
#: Missing cells that a note names.
_MOST_NAMED = 4
_SECTION = "attribution"
EFFECTS_NOTE = (
    "An effect is what the change adds, averaged over the settings of the other factors; of two factors (×) how much "
    "more the changes add together than each by itself. Variance: the share of that between the cell means, the luck "
    "of seeds and units included. Settings: of the other factors, those that have all cells of the effect."
)
SHARES_NOTE = (
    "Share: Shapley value, what the change adds averaged over all orders in which the factors may be changed; the "
    "shares add up to the difference. Changed first and changed last are the two ends of these orders."
)


@dataclass(frozen=True)
class Attribution:
    """A suite's factorial on one task, its cells by level, and what suites call them."""

    suite: str
    column: Column
    factorial: Factorial
    cells: Mapping[Key, Cell]
    names: Mapping[Key, str]
    #: In points, of percentages alone.
    margin: float | None = None

    @cached_property
    def effects(self) -> list[Effect]:
        return worth.effects(self.factorial, is_higher_better=self.one.higher_is_better, margin=self.margin)

    @cached_property
    def breakdown(self) -> Breakdown | None:
        return worth.break_down(self.factorial, is_higher_better=self.one.higher_is_better, margin=self.margin)

    @property
    def one(self) -> Cell:
        """A cell, for what all have in common."""
        return next(iter(self.cells.values()))

    @property
    def corners(self) -> tuple[str, str]:
        """What the suite calls the cell of all first levels, and that of all last ones."""
        return self.name_of(self.factorial.keys[0]), self.name_of(self.factorial.keys[-1])

    def name_of(self, key: Key) -> str:
        """What the suite calls a cell; its levels where its record lacks the column."""
        return self.names.get(key, ", ".join(key))

    @property
    def missing_note(self) -> str:
        """Which cells lack, and what that means; empty where none does."""
        missing = self.factorial.missing
        if not missing:
            return ""
        named = "; ".join(map(self.name_of, missing[:_MOST_NAMED]))
        more = f" and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
        return (
            f"{len(missing)} of {len(self.factorial.keys)} cells have no run here that can be compared: {named}{more}. "
            "Each figure is over the settings that have all of its cells; a difference is shared out where none of the "
            "cells between its corners lacks."
        )

    def why_untested(self, spread: Spread) -> str:
        """Why a contrast has no test; empty where it has one."""
        if spread.interval() is not None:
            return ""
        if math.isnan(spread.value):
            return f"{NOT_TESTED}: cells are missing"
        if self.one.drawn is not None and self.one.drawn.too_few:
            return f"{NOT_TESTED}: {self.one.drawn.too_few}"
        if any(cell.scores.resampled is None for cell in self.cells.values()):
            return f"{NOT_TESTED}: predictions cannot be paired"
        return f"{NOT_TESTED}: a test over seeds needs two or more seeds of each cell"


def attributions(
    frame: Frame, cells: Cells, suites: Iterable[Suite], margin: float | None = None
) -> tuple[list[Attribution], list[str]]:
    """The factorial of each suite on each of its tasks, and what cannot be taken apart, in words."""
    here = frame.runs[~frame.runs["is_remote"].astype(bool)]
    cell_of_run = {run: cell for own in cells.values() for cell in own.values() for run in cell.runs}
    folders = {run: str(Path(frame.value(run, "folder")).resolve()) for run in here.index if run in cell_of_run}
    cell_of = {folder: cell_of_run[run] for run, folder in folders.items()}
    found, left_out = [], []
    for suite in suites:
        groups: dict[Column, dict[Key, Cell]] = {}
        for entry in suite.grid:
            cell = cell_of.get(str(suite.folder(entry)))
            if cell is not None and entry["variant"] in suite.levels:
                groups.setdefault(cell.column, {})[tuple(suite.levels[entry["variant"]].values())] = cell
        for column, own in groups.items():
            is_percentage = all(cell.is_percentage for cell in own.values())
            made = replace(_attribution(frame, suite, column, own), margin=margin if is_percentage else None)
            if any(one.num_settings for one in made.effects):
                found.append(made)
            else:
                left_out.append(f"{suite.name} on {frame.name_of(column)}: {made.missing_note}")
    return found, left_out


def _attribution(frame: Frame, suite: Suite, column: Column, cells: Mapping[Key, Cell]) -> Attribution:
    names = {tuple(levels.values()): name for name, levels in suite.levels.items()}
    factors = list(next(iter(suite.levels.values())))
    levels = {factor: tuple(dict.fromkeys(key[place] for key in names)) for place, factor in enumerate(factors)}
    seeds = {tuple(int(frame.value(run, "seed")) for run in cell.runs) for cell in cells.values()}
    scores = {key: cells[key].scores for key in names if key in cells}
    factorial = Factorial(levels, scores, shares_seeds=len(seeds) == 1)
    return Attribution(suite.name, column, factorial, cells, names)


def attribution_tables(frame: Frame, found: Sequence[Attribution]) -> list[Table]:
    """Effects, shares of the difference and level means of each factorial."""
    return [table for one in found for table in _tables(frame, one)]


def _tables(frame: Frame, one: Attribution) -> list[Table]:
    name, end = frame.name_of(one.column), _ending(frame, one)
    start, last = one.corners
    tables = [
        _table(f"attribution-effects{end}", f"{name}: what each factor is worth ({one.suite})", _effect_rows(one),
               (EFFECTS_NOTE, *_notes(frame, one, one.effects, "each effect and interaction of this table"))),
    ]  # fmt: skip
    if (breakdown := one.breakdown) is not None:
        notes = (SHARES_NOTE, *_notes(frame, one, breakdown.shares, "each factor of this table"))
        title = f"{name}: the difference from {start} to {last}, shared out ({one.suite})"
        tables.append(_table(f"attribution-shares{end}", title, _share_rows(one, breakdown), notes))
    levels = _table(f"attribution-levels{end}", f"{name}: means of the levels ({one.suite})", _level_rows(one), ())
    return [*tables, levels]


def _table(name: str, title: str, rows: list[tuple[dict[str, str], dict[str, Any]]], notes: tuple[str, ...]) -> Table:
    shown, data = (pd.DataFrame(list(part)) for part in zip(*rows, strict=True))
    is_folded = name.startswith("attribution-levels")
    return Table(name, title, shown, data, notes, section=_SECTION, is_folded=is_folded)


def _notes(frame: Frame, one: Attribution, tested: Sequence[Effect], rule: str) -> tuple[str, ...]:
    seeds = (
        "All cells have the same seeds, so that luck which a seed has in all of them counts nothing."
        if one.factorial.shares_seeds
        else "Cells have different seeds, which are taken as independent."
    )
    drawn = resampled_note([(frame.name_of(one.column), one.one.drawn)])
    tests = f"{family_note(sum(effect.is_tested for effect in tested), rule)}; the intervals are not."
    # The same of all, as the fewest seeds of all cells decide.
    no_margin = next((effect.why_no_margin for effect in tested if one.margin is not None), "")
    untested = f"{no_margin[:1].upper()}{no_margin[1:]}." if no_margin else ""
    return tuple(filter(None, [one.missing_note, seeds, drawn, margin_note(one.margin), untested, tests]))


def _effect_rows(one: Attribution) -> list[tuple[dict[str, str], dict[str, Any]]]:
    shares, rows = worth.shares_of_variance(one.factorial), []
    told: set[tuple[str, ...]] = set()
    for effect in one.effects:
        share = shares.get(effect.factors)
        shown = {
            "change": change_of(effect),
            "effect": _with_interval(effect.spread),
            # A factor of several levels has its share once.
            "variance": MISSING if effect.factors in told else number(share, 1, unit=" %"),
            "settings": f"{effect.num_settings} of {effect.all_settings}",
            "p corrected": p_value(effect.p_corrected),
            "the change is": effect.finding if effect.is_tested else one.why_untested(effect.spread),
        }
        told.add(effect.factors)
        record = {
            "suite": one.suite,
            "task": one.column.task,
            "factors": " × ".join(effect.factors),
            "change": change_of(effect),
            **_figures("effect", effect.spread),
            "p": effect.spread.p_value,
            "p corrected": effect.p_corrected,
            "variance %": share,
            "settings": effect.num_settings,
            "all settings": effect.all_settings,
            "verdict": effect.verdict,
            **effect.margin_record(),
            "finding": shown["the change is"],
        }
        rows.append((shown, record))
    return rows


def _share_rows(one: Attribution, found: Breakdown) -> list[tuple[dict[str, str], dict[str, Any]]]:
    rows = []
    is_known = (interval := found.total.interval()) is not None and (interval[0] > 0 or interval[1] < 0)
    for effect, alone, at_last in zip(found.shares, found.alone, found.at_last, strict=True):
        percent = 100 * effect.spread.value / found.total.value if found.total.value else math.nan
        shown = {
            "change": change_of(effect),
            "share": _with_interval(effect.spread),
            # Percentages of what may be nothing say nothing.
            "in percent": number(percent, 0, unit=" %") if is_known else MISSING,
            "changed first": number(alone, sign=True),
            "changed last": number(at_last, sign=True),
            "p corrected": p_value(effect.p_corrected),
            "the change is": effect.finding if effect.is_tested else one.why_untested(effect.spread),
        }
        record = {
            "suite": one.suite,
            "task": one.column.task,
            "factor": effect.factors[0],
            "change": change_of(effect),
            **_figures("share", effect.spread),
            "percent": percent,
            "changed first": alone,
            "changed last": at_last,
            "p": effect.spread.p_value,
            "p corrected": effect.p_corrected,
            "verdict": effect.verdict,
            **effect.margin_record(),
        }
        rows.append((shown, record))
    total = {"change": "the whole difference", "share": _with_interval(found.total), "in percent": MISSING}
    blank = {name: "" for name in rows[0][0] if name not in total}
    record = {"suite": one.suite, "task": one.column.task, "factor": "total", "change": " → ".join(one.corners)}
    record |= {**_figures("share", found.total), "p": found.total.p_value}
    return [*rows, (total | blank, record)]


def _level_rows(one: Attribution) -> list[tuple[dict[str, str], dict[str, Any]]]:
    return [_level_row(one, own) for own in worth.level_means(one.factorial)]


def _level_row(one: Attribution, own: LevelMean) -> tuple[dict[str, str], dict[str, Any]]:
    shown = {
        "factor": own.factor,
        "level": own.level,
        f"mean {one.one.metric}": number(own.mean),
        "from the mean of its levels": _with_interval(own.distance),
    }
    record = {"suite": one.suite, "task": one.column.task, "factor": own.factor, "level": own.level, "mean": own.mean}
    return shown, {**record, **_figures("distance", own.distance)}


def change_of(effect: Effect) -> str:
    """The changes of an effect for readers.

    >>> changes = {"norm": ("pre", "post"), "causal": ("true", "false")}
    >>> change_of(Effect(spread=Spread(1.0, 0.5, 10.0), p_corrected=0.1, changes=changes))
    'norm: pre → post × causal: true → false'
    """
    return " × ".join(f"{factor}: {old} → {new}" for factor, (old, new) in effect.changes.items())


def _with_interval(spread: Spread) -> str:
    low, high = spread.interval() or (None, None)
    return f"{number(spread.value, sign=True)} [{number(low)}, {number(high)}]"


def _figures(name: str, spread: Spread) -> dict[str, float]:
    low, high = spread.interval() or (math.nan, math.nan)
    return {name: spread.value, "low": low, "high": high}


def _ending(frame: Frame, one: Attribution) -> str:
    return f"-{slug(one.suite)}-{slug(frame.name_of(one.column))}"


def attribution_plots(frame: Frame, found: Sequence[Attribution]) -> list[Plot]:
    """Two figures a factorial: its effects and interactions, and the shares of its difference."""
    return [plot for one in found for plot in _plots(frame, one)]


def _plots(frame: Frame, one: Attribution) -> list[Plot]:
    name, end, metric = frame.name_of(one.column), _ending(frame, one), one.one.metric
    known = [effect for effect in one.effects if effect.num_settings]
    kept = sorted(known, key=lambda effect: -abs(effect.spread.value))[:MOST_EFFECTS]
    # Interactions below, the largest of each kind at the top.
    kept.sort(key=lambda effect: (len(effect.changes), -abs(effect.spread.value)))
    rows = [_row(effect, _short_name(one, effect)) for effect in kept]
    some = f"; the {len(kept)} largest of {len(known)}" if len(kept) < len(known) else ""
    title = f"{name}: effects of the factors, and below them their interactions ({one.suite}{some})"
    groups, label = [ForestGroup("", tuple(rows))], f"effect on {metric}"
    plots = [forest(f"attribution-effects{end}", title, _SECTION, groups, label, one.margin)]
    if (breakdown := one.breakdown) is None:
        return plots
    shares = sorted(breakdown.shares, key=lambda effect: -abs(effect.spread.value))
    total = breakdown.total.interval()
    is_told_apart = total is not None and (total[0] > 0 or total[1] < 0)
    whole = "the whole difference"
    rows = [
        *(_row(effect, change_of(effect), is_bar=True) for effect in shares),
        ForestRow(
            whole, breakdown.total, is_told_apart, f"{whole}: {difference_text(breakdown.total)}", INK, is_bar=True
        ),
    ]
    groups, label = [ForestGroup("", tuple(rows))], f"share of the difference in {metric}"
    title = (
        f"{name}: the difference from {one.corners[0]} to {one.corners[1]}, shared out by Shapley values ({one.suite})"
    )
    return [*plots, forest(f"attribution-shares{end}", title, _SECTION, groups, label, one.margin)]


def _short_name(one: Attribution, effect: Effect) -> str:
    """An effect for a figure, where two changes have no room: the factors, and of several levels which one."""
    if len(effect.changes) == 1:
        return change_of(effect)
    has_several = any(len(one.factorial.factors[factor]) > 2 for factor in effect.changes)
    return " × ".join(f"{factor}={new}" if has_several else factor for factor, (_, new) in effect.changes.items())


def _row(effect: Effect, name: str, *, is_bar: bool = False) -> ForestRow:
    told = f"{name}: {difference_text(effect.spread)}, p {p_value(effect.p_corrected)}"
    row = ForestRow(name, effect.spread, effect.is_told_apart, told, is_bar=is_bar)
    return row if len(effect.changes) == 1 else replace(row, colour=OTHER_MARK)
