"""What the runs show, in sentences: one for each task of a table, and one for its averages.

Everything that a sentence says is in its statements, which come from the tests themselves. A difference without a test
has no verdict here either, whatever its size.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from atinuke_bench.formatting import number, p_value

from ..drawing.forest import ForestGroup, ForestRow, difference_text, forest
from ..drawing.names import short
from ..drawing.style import Look, Plot
from ..reading.column import Column
from ..reading.frame import Frame
from ..statistics.cells import Cells
from ..statistics.comparison import Comparison, Family, is_with_floor
from ..statistics.verdict import NOT_TESTED, margin_note, points
from .averages import Across, ComparedAverages
from .elsewhere import TestSets
from .headline import Block
from .statements import MOST_NAMED, Statement, join, sentence

SECTION = "findings"
#: Differences that a figure draws; the table has all.
MOST_DRAWN = 40
HOW_TO_READ = (
    "Better and worse are findings of a paired test at 5 %, with Holm's correction over the tests of a table. Brackets "
    "hold 95 % intervals, which are not corrected. Tied: no difference was found. Detectable: a true difference of so "
    "much would have been found with 80 % probability; a smaller one may exist."
)


@dataclass(frozen=True)
class Finding:
    """A sentence, what it is about, the table that has its figures, and what it says as plain figures."""

    about: str
    text: str
    table: str
    statements: tuple[Statement, ...] = ()


@dataclass(frozen=True)
class TableFindings:
    """What the tests of one table show: what all of them say together, then each task; and what limits it."""

    table: str
    title: str
    overview: tuple[Finding, ...]
    tasks: tuple[Finding, ...] = ()
    limits: tuple[str, ...] = ()

    def record(self) -> dict[str, Any]:
        """The findings as plain data."""
        return asdict(self)


@dataclass(frozen=True)
class Findings:
    """All sentences of a report, the figures of their differences, and what these leave out."""

    tables: tuple[TableFindings, ...] = ()
    plots: tuple[Plot, ...] = ()
    notes: tuple[str, ...] = ()


def findings(
    frame: Frame,
    cells: Cells,
    blocks: Sequence[tuple[Block, Family]],
    across: Across,
    others: TestSets,
    look: Mapping[str, Look],
) -> Findings:
    """What the runs show: of each table of scores, of the averages over its tasks, and of other test sets."""
    found: list[TableFindings] = []
    plots: list[Plot] = []
    notes = [note for note in {margin_note(family.margin): None for _, family in blocks} if note]

    def add(
        table: str, title: str, family: Family, tests: str, names: Mapping[Column, str], limits: Sequence[str]
    ) -> None:
        found.append(findings_of_table(table, title, family, tests, names, limits))
        drawn, left_out = forest_plots(table, title, family, names, look)
        plots.extend(drawn)
        notes.extend(left_out)

    for place, (block, family) in enumerate(blocks, start=1):
        if names := {column: frame.name_of(column) for column in block.columns if column in cells}:
            add(f"headline-{place}", block.title, family, "comparisons", names, limits_of(block))
    found += [findings_of_averages(own) for own in across.compared]
    if others.family is not None and others.family.comparisons:
        add("test-sets", "Other test sets", others.family, "test-sets-comparisons", others.names, ())
    return Findings(tuple(found), tuple(plots), tuple(notes))


def findings_of_table(
    table: str, title: str, family: Family, tests: str, names: Mapping[Column, str], limits: Sequence[str]
) -> TableFindings:
    """The sentences of a family of comparisons: `table` has the scores, `tests` is the table of the comparisons."""
    by_column: dict[Column, list[Comparison]] = {}
    for one in family.comparisons:
        by_column.setdefault(one.column, []).append(one)
    tasks = tuple(_of_task(names[column], own, family, tests) for column, own in by_column.items())
    overview = _overview(tasks, family, table) if len(tasks) > 1 else ()
    if alone := [name for column, name in names.items() if column not in by_column]:
        needed = f"{family.reference} and another core" if family.reference else "two cores, one of them trained"
        limits = (*limits, f"Nothing is compared on {join(alone)}: that needs {needed}.")
    return TableFindings(table, title, overview, tasks, tuple(limits))


def limits_of(block: Block) -> list[str]:
    """What the scores of a table may not be used for."""
    found = []
    if block.is_cut:
        found.append("Cut, own or generated data: no score here may be set beside published ones.")
    if block.selection == "dev":
        found.append("Selected on the dev set: dev scores are optimistic.")
    return found


def _of_task(task: str, comparisons: Sequence[Comparison], family: Family, table: str) -> Finding:
    statements = tuple(
        Statement.of(
            task, one.a.variant, one.b.variant, one, "points" if one.a.is_percentage else one.a.metric,
            "" if one.is_tested else one.note, with_floor=is_with_floor(one),
        )
        for one in comparisons
    )  # fmt: skip
    pivot = comparisons[0].b if family.reference else comparisons[0].a
    return Finding(
        task, sentence(pivot.variant, f"{pivot.variant} ({number(pivot.mean)})", statements), table, statements
    )


def _overview(tasks: Sequence[Finding], family: Family, table: str) -> tuple[Finding, ...]:
    text = _against_reference(tasks, family.reference) if family.reference else _who_is_best(tasks)
    found = (Finding(f"{len(tasks)} tasks", text, table),) if text else ()
    floor = _above_the_floor([one for task in tasks for one in task.statements if one.with_floor], family)
    return (*found, Finding("floor", floor, table)) if floor else found


def _above_the_floor(statements: Sequence[Statement], family: Family) -> str:
    """On which tasks a trained core is shown to be above the floor."""
    core = family.reference or "The best core"
    by_verdict: dict[str, list[str]] = {}
    for one in statements:
        verdict = one.seen_from(_trained(one, family)).verdict
        kind = verdict if verdict in ("better", NOT_TESTED) else "not shown"
        by_verdict.setdefault(kind, []).append(one.task)
    above, unshown, untested = (by_verdict.get(kind, []) for kind in ("better", "not shown", NOT_TESTED))
    texts = [f"{core} is above the floor on {len(above)} of the {len(statements)} tasks that have one"]
    texts += [f"it is NOT shown to be on {join(unshown)}: nothing there shows that it learned"] if unshown else []
    texts += [f"not tested on {join(untested)}"] if untested else []
    return f"{'; '.join(texts)}." if statements else ""


def _trained(one: Statement, family: Family) -> str:
    """The side of a comparison with the floor that is not the floor."""
    return one.b if family.reference else one.a


def _who_is_best(tasks: Sequence[Finding]) -> str:
    """How many tasks each core wins by test, and on how many nobody does."""
    best: Counter[str] = Counter()
    open_tasks: Counter[str] = Counter()
    for task in tasks:
        own = [one for one in task.statements if not one.with_floor]
        verdicts = {one.verdict for one in own}
        if own and verdicts == {"better"}:
            best[own[0].a] += 1
        elif own:
            is_open = next((name for name in ("tie", "undecided", "equal") if name in verdicts), NOT_TESTED)
            open_tasks[is_open] += 1
    words = {
        "tie": "the highest mean is tied with another core's",
        "undecided": "the highest mean is neither told apart from another core's nor shown to be equal to it",
        "equal": "the highest mean is equal to another core's within the margin",
        NOT_TESTED: "not every core could be tested against the highest mean",
    }
    parts = [f"{name} is better than every other core on {count}" for name, count in best.most_common(MOST_NAMED)]
    if not parts and open_tasks:
        parts = ["no core is better than every other one"]
    parts += [f"on {count} {words[name]}" for name, count in open_tasks.items()]
    return f"Of {len(tasks)} tasks, {'; '.join(parts)}." if parts else ""


def _against_reference(tasks: Sequence[Finding], reference: str | None) -> str:
    """On how many tasks each other core is better or worse than the reference, or neither."""
    counts: dict[str, Counter[str]] = {}
    for one in (one for task in tasks for one in task.statements if not one.with_floor):
        counts.setdefault(one.a, Counter())[one.verdict] += 1
    words = {name: name for name in ("better", "worse", "equal", "undecided", NOT_TESTED)} | {"tie": "tied"}
    texts = []
    for core, own in list(counts.items())[: 2 * MOST_NAMED]:
        verdicts = [f"{word} on {own[name]}" for name, word in words.items() if own[name]]
        texts.append(f"{core} is {', '.join(verdicts)}")
    return f"Against {reference}, on {len(tasks)} tasks: {'; '.join(texts)}." if texts else ""


def findings_of_averages(own: ComparedAverages) -> TableFindings:
    """The sentence on the average over a table's tasks, how it depends on any one of these, and on tasks like these."""
    statements = tuple(
        Statement.of("average", one.a, one.b, one, "points", "" if one.is_tested else own.why_untested(one))
        for one in own.differences
    )
    pivot = own.reference or own.differences[0].a
    about = f"average over {len(own.panel.tasks)} tasks"
    found = [Finding(about, sentence(pivot, pivot, statements), own.name, statements)]
    if any(one.is_tested for one in own.differences):
        changing = [
            f"{one.a} against {one.b} without {' or without '.join(tasks)}"
            for place, one in enumerate(own.differences)
            if (tasks := own.changing(place))
        ]
        text = f"Another verdict follows for {join(changing)}." if changing else "Every verdict is the same."
        found.append(Finding("any one task left out", text, own.name))
    if wider := [one for one in own.differences if one.elsewhere.interval() is not None]:
        texts = [
            f"{one.a} less {one.b} {difference_text(one.elsewhere)} (p {p_value(one.p_elsewhere_corrected)})"
            for one in wider[:MOST_NAMED]
        ]
        found.append(
            Finding(
                "tasks like these", f"Differences where {own.panel.noun} are drawn too: {'; '.join(texts)}.", own.name
            )
        )
    return TableFindings(own.name, own.title, (), tuple(found))


def forest_plots(
    table: str, title: str, family: Family, names: Mapping[Column, str], look: Mapping[str, Look]
) -> tuple[list[Plot], list[str]]:
    """The differences of a table with their intervals, one figure a unit; and what is not drawn."""
    units: dict[str, list[Comparison]] = {}
    # The floor is far from every core: beside it, differences between cores would be too small to see.
    cores = [one for one in family.comparisons if not is_with_floor(one)]
    for one in cores or family.comparisons:
        units.setdefault("points" if one.a.is_percentage else one.a.metric, []).append(one)
    plots, notes = [], []
    for place, (unit, comparisons) in enumerate(units.items()):
        kept = comparisons[:MOST_DRAWN]
        if len(kept) < len(comparisons):
            notes.append(f"The figure has the first {len(kept)} of {len(comparisons)} differences; the table has all.")
        groups: dict[Column, list[Comparison]] = {}
        for one in kept:
            groups.setdefault(one.column, []).append(one)
        drawn = [_group(names[column], own, family, look) for column, own in groups.items()]
        side = f"less {family.reference}" if family.reference else "of the highest mean less each other core"
        is_points = unit == "points"
        margin = f", shaded: within {points(family.margin)}" if family.margin and is_points else ""
        what = f"Differences {side} (95 % interval; filled: told apart{margin}): {title}"
        name = f"differences-{table}" + (f"-{place + 1}" if place else "")
        plot = forest(name, what, SECTION, drawn, f"difference, {unit}", family.margin if is_points else None)
        plots.append(replace(plot, of_table=table))
    return plots, notes


def _group(task: str, comparisons: Sequence[Comparison], family: Family, look: Mapping[str, Look]) -> ForestGroup:
    def name(variant: str) -> str:
        return look[variant].name if variant in look else short(variant)

    rows = tuple(
        ForestRow.of(name(family.other(one).variant), f"{task}, {one.a.variant} less {one.b.variant}", one)
        for one in comparisons
    )
    return ForestGroup(task if family.reference else f"{task}: {name(comparisons[0].a.variant)} less", rows)
