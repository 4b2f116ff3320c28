"""Across the tasks of a table: averages with intervals, ranks, and what may be said of the differences."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from atinuke_bench.formatting import MISSING, number, p_value

from ..drawing.ranking import profile_figure, rank_diagram
from ..drawing.style import MOST_VARIANTS, Look, Plot
from ..reading.frame import Frame
from ..statistics.averages import (
    FEWEST_GROUPS,
    FEWEST_SHARED_SEEDS,
    Average,
    AverageDifference,
    average_of,
    differences,
    num_tests_of,
    without_each,
)
from ..statistics.cells import Cells
from ..statistics.comparison import Family, family_note
from ..statistics.panel import Panel, panel_of
from ..statistics.ranks import Ranking, rank
from ..statistics.spread import LEVEL, Spread
from ..statistics.verdict import NOT_TESTED, Judged, margin_note
from .headline import AVERAGE_RULE, Block
from .table import Table

#: Variants that the diagram of ranks names, the best ones; the table has all.
MOST_RANKED = 20
SECTION = "across"
RANDOM_NOTE = (
    "These tasks: the list of tasks is fixed; seeds and what is resampled are drawn again within each. Tasks like "
    "these: {noun} are drawn too{why} (Student's t over {count})."
)


@dataclass(frozen=True)
class ComparedAverages:
    """The differences of averages over the tasks of a table of scores, and each without any one task, by task."""

    name: str
    title: str
    panel: Panel
    reference: str | None
    margin: float | None
    differences: tuple[AverageDifference, ...]
    without: tuple[Mapping[str, Judged], ...]
    is_cut: bool

    def changing(self, place: int) -> list[str]:
        """The tasks without which the verdict of a difference would be another."""
        return _changing(self.differences[place], self.without[place])

    def why_untested(self, one: AverageDifference) -> str:
        """Why there is no test of a difference that has none."""
        return _why_untested(self.panel, one)


@dataclass(frozen=True)
class Across:
    """The tables and figures of the section, what they say, and why some tables of scores have none."""

    tables: tuple[Table, ...] = ()
    plots: tuple[Plot, ...] = ()
    notes: tuple[str, ...] = ()
    compared: tuple[ComparedAverages, ...] = ()


def across_tasks(
    frame: Frame, cells: Cells, blocks: Sequence[tuple[Block, Family]], look: Mapping[str, Look]
) -> Across:
    """What each table of scores says over all of its tasks."""
    tables: list[Table] = []
    plots: list[Plot] = []
    without: list[str] = []
    compared: list[ComparedAverages] = []
    for place, (block, family) in enumerate(blocks, start=1):
        if not any(column in cells for column in block.columns):
            continue
        panel = panel_of(frame, block.columns, cells)
        if panel is None:
            without.append(block.title)
            continue
        ranking = rank(panel.group_means())
        if panel.shares_seeds:
            ranking = replace(ranking, p=math.nan)
        tables.append(_averages(place, block, panel, ranking, _left_out(block, cells, panel)))
        if (own := _compared(place, block, panel, family)) is not None:
            compared.append(own)
            tables.append(_differences(own))
        plots += _plots(place, block, panel, ranking, look)
    rule = "An average over tasks needs two trained cores that share two tasks, scored in percent, in one table"
    notes = (f"{rule}; there is none of: {'; '.join(without)}.",) if without else ()
    return Across(tuple(tables), tuple(plots), notes, tuple(compared))


def _averages(place: int, block: Block, panel: Panel, ranking: Ranking, left_out: str) -> Table:
    found = {variant: average_of(panel, variant) for variant in panel.scores}
    ranks = dict(zip(panel.scores, ranking.mean_ranks.tolist(), strict=True))
    order = sorted(found, key=lambda variant: -found[variant].here.value)
    seeds = {variant: [len(own.observed) for own in panel.scores[variant]] for variant in order}
    shown = pd.DataFrame(
        [
            {
                "core": variant,
                "average on these tasks": _with_interval(found[variant].here),
                "on tasks like these": _interval(found[variant].elsewhere),
                "interquartile mean": _with_interval(found[variant].middle),
                "mean rank": number(ranks[variant]),
                "seeds": "–".join(map(str, sorted({min(seeds[variant]), max(seeds[variant])}))),
            }
            for variant in order
        ]
    )
    data = pd.DataFrame(
        [
            {**_figures(found[variant]), "mean rank": ranks[variant], "fewest seeds": min(seeds[variant]),
             "tasks": ", ".join(panel.tasks), "is_cut": block.is_cut, "block": block.title}
            for variant in order
        ]
    )  # fmt: skip
    notes = [
        f"Over {', '.join(panel.tasks)}. {AVERAGE_RULE}",
        left_out,
        *_random_notes(panel),
        "Interquartile mean: the middle half of all runs on all tasks. Both intervals beside a figure are of 95 %.",
        _rank_note(panel, ranking),
    ]
    if any(min(own) == 1 for own in seeds.values()):
        notes.append(
            "One seed on some task: the interval covers the choice of what is resampled alone, and no verdict follows."
        )
    kept = tuple(filter(None, notes))
    return Table(f"across-{place}", f"Averages: {block.title}", shown, data, kept, block.is_cut, SECTION)


def _figures(one: Average) -> dict[str, object]:
    record: dict[str, object] = {"core": one.variant, "average": one.here.value}
    for name, spread in (("", one.here), ("elsewhere ", one.elsewhere), ("interquartile ", one.middle)):
        low, high = spread.interval() or (math.nan, math.nan)
        record |= {f"{name}low": low, f"{name}high": high}
    return {**record, "interquartile mean": one.middle.value}


def _compared(place: int, block: Block, panel: Panel, family: Family) -> ComparedAverages | None:
    """The differences that a table's family asks for; None where the reference is not among what is averaged."""
    reference = None
    if family.reference:
        named = {one.b.variant for one in family.comparisons} & panel.scores.keys()
        if len(named) != 1:
            return None
        reference = named.pop()
    found = differences(panel, reference, family.margin)
    left = without_each(panel, found, num_tests_of(panel, reference), family.margin)
    without = tuple({task: own[row] for task, own in left.items()} for row in range(len(found)))
    name, title = f"across-differences-{place}", f"Differences of averages: {block.title}"
    return ComparedAverages(name, title, panel, reference, family.margin, tuple(found), without, block.is_cut)


def _differences(own: ComparedAverages) -> Table:
    pairs = list(zip(own.differences, own.without, strict=True))
    data = pd.DataFrame([_record(one, others) for one, others in pairs])
    shown = pd.DataFrame([_shown(one, others, own.margin) for one, others in pairs])
    side = f"B is {own.reference}" if own.reference else "A has the highest average"
    rule = f"every other core against {own.reference}" if own.reference else "all pairs of cores of this table"
    notes = [
        f"{side}. Verdicts are of the average on these tasks, from the corrected p; intervals are not corrected.",
        f"{family_note(num_tests_of(own.panel, own.reference), rule)}.",
        *filter(None, [margin_note(own.margin)]),
        f"p signed rank: Wilcoxon's test over {own.panel.noun}, not corrected; of fewer than six never below 0.05.",
        *(_sentence(own.panel, one, others) for one, others in pairs),
    ]
    return Table(own.name, own.title, shown, data, tuple(notes), own.is_cut, SECTION)


def _record(one: AverageDifference, others: Mapping[str, Judged]) -> dict[str, object]:
    low, high = one.spread.interval() or (math.nan, math.nan)
    wide = one.elsewhere.interval() or (math.nan, math.nan)
    values = [other.spread.value for other in others.values()]
    return {
        "a": one.a,
        "b": one.b,
        "difference": one.spread.value,
        "low": low,
        "high": high,
        "p": one.spread.p_value,
        "p corrected": one.p_corrected,
        "verdict": one.verdict,
        "elsewhere low": wide[0],
        "elsewhere high": wide[1],
        "elsewhere p": one.elsewhere.p_value,
        "elsewhere p corrected": one.p_elsewhere_corrected,
        "p signed rank": one.p_signed_rank,
        "lowest without a task": min(values),
        "highest without a task": max(values),
        "verdict changes without": ", ".join(_changing(one, others)),
        **one.margin_record(),
    }


def _shown(one: AverageDifference, others: Mapping[str, Judged], margin: float | None) -> dict[str, str]:
    narrow = {} if margin is None else {"90 % interval": _interval(one.spread, 1 - 2 * LEVEL)}
    changing = _changing(one, others)
    stays = f"another verdict without {', '.join(changing)}" if changing else "the same verdict"
    return {
        "A": one.a,
        "B": one.b,
        "difference on these tasks": _with_interval(one.spread, sign=True),
        **narrow,
        "p corrected": p_value(one.p_corrected),
        "verdict": f"A is {one.finding}" if one.is_told_apart else one.finding,
        "without any one task": stays if one.is_tested else MISSING,
        "on tasks like these": _interval(one.elsewhere),
        "p there, corrected": p_value(one.p_elsewhere_corrected),
        "p signed rank": p_value(one.p_signed_rank),
    }


def _changing(one: AverageDifference, others: Mapping[str, Judged]) -> list[str]:
    """The tasks without which the verdict would be another."""
    return [task for task, other in others.items() if other.verdict != one.verdict] if one.is_tested else []


def _sentence(panel: Panel, one: AverageDifference, others: Mapping[str, Judged]) -> str:
    """How much a verdict depends on the choice of tasks."""
    if not one.is_tested:
        return f"{one.a} against {one.b}: {NOT_TESTED}, since {_why_untested(panel, one)}."
    values = {task: other.spread.value for task, other in others.items()}
    low, high = min(values, key=lambda task: values[task]), max(values, key=lambda task: values[task])
    between = (
        f"the difference is {number(one.spread.value, sign=True)}, and between {number(values[low], sign=True)} "
        f"(without {low}) and {number(values[high], sign=True)} (without {high}) when one task is left out"
    )
    changing = _changing(one, others)
    if not changing:
        return f"{one.a} against {one.b}: {one.verdict}, whichever task is left out; {between}."
    changes = ", ".join(f"{others[task].verdict} without {task}" for task in changing)
    return f"{one.a} against {one.b}: {one.verdict} on all tasks, but {changes}; {between}."


def _why_untested(panel: Panel, one: AverageDifference) -> str:
    scores = list(zip(panel.tasks, panel.scores[one.a], panel.scores[one.b], strict=True))
    if single := [task for task, *both in scores if min(len(own.observed) for own in both) < 2]:
        return f"a test needs two or more seeds of both on each task, and there is one on {', '.join(single)}"
    if unpaired := [task for task, *both in scores if any(own.resampled is None for own in both)]:
        return f"predictions cannot be paired on {', '.join(unpaired)}"
    if panel.shares_seeds:
        return f"runs that may have begun with one earlier run need the same {FEWEST_SHARED_SEEDS} seeds on each task"
    return "a metric is undefined on most resamples"


def _plots(place: int, block: Block, panel: Panel, ranking: Ranking, look: Mapping[str, Look]) -> Iterable[Plot]:
    variants = list(panel.scores)
    if len(variants) <= MOST_RANKED:
        groups = f"{len(panel.group_names)} {panel.noun}"
        title = f"Mean ranks over {groups} (1: best); a bar joins cores that Nemenyi's test does not tell apart"
        yield rank_diagram(f"ranks-{place}", f"{title}: {block.title}", variants, ranking, look)
    order = [variants[number] for number in np.argsort(ranking.mean_ranks, kind="stable")]
    runs = {variant: own for variant in order if (own := panel.runs(variant)) is not None}
    drawn = dict(list(runs.items())[:MOST_VARIANTS])
    if len(drawn) > 1:
        title = f"Performance profile over {len(panel.tasks)} tasks"
        yield profile_figure(f"profile-{place}", f"{title}: {block.title}", drawn, look)


def _rank_note(panel: Panel, ranking: Ranking) -> str:
    test = "Friedman's test" if len(panel.scores) > 2 else "Sign test"
    return (
        f"Mean rank over {panel.noun} (1: best). {test}: p {p_value(ranking.p)}. Below 0.05, mean ranks that "
        f"differ by more than {number(ranking.critical_difference)} are told apart (Nemenyi, 5 %)."
    )


def _random_notes(panel: Panel) -> list[str]:
    count = f"{len(panel.group_names)} {panel.noun}"
    why = ", since tasks of one family resemble each other" if panel.noun == "families" else ""
    notes = [RANDOM_NOTE.format(noun=panel.noun, why=why, count=count)]
    if len(panel.group_names) < FEWEST_GROUPS:
        notes.append(f"Nothing is said of tasks like these: that needs {FEWEST_GROUPS} {panel.noun}, found {count}.")
    if panel.shares_seeds:
        notes.append(
            "Runs of a seed may have begun with one earlier run, whose luck is in all tasks: the average of each seed "
            f"is one observation; {FEWEST_SHARED_SEEDS} are needed, and neither ranks nor tasks like these are tested."
        )
    return notes


def _left_out(block: Block, cells: Cells, panel: Panel) -> str:
    """Which tasks and trained cores of the table of scores are not averaged."""
    own = {column.task: cells[column] for column in block.columns if column in cells}
    tasks = [task for task in own if task not in panel.tasks]
    trained = {name for by_core in own.values() for name, cell in by_core.items() if not cell.scores.is_fixed}
    cores = sorted(trained - panel.scores.keys())
    parts = [f"{what} {', '.join(names)}" for what, names in (("tasks", tasks), ("cores", cores)) if names]
    rule = "an average has the tasks that its cores share, scored in percent"
    return f"Left out, since {rule}: {'; '.join(parts)}." if parts else ""


def _with_interval(spread: Spread, *, sign: bool = False) -> str:
    interval = _interval(spread)
    return number(spread.value, sign=sign) + (f" {interval}" if interval != MISSING else "")


def _interval(spread: Spread, confidence: float = 1 - LEVEL) -> str:
    interval = spread.interval(confidence)
    return MISSING if interval is None else f"[{number(interval[0])}, {number(interval[1])}]"
