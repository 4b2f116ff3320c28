"""A page for each task: what the declaration, the page of data sets and the published record know of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from atinuke_bench.registry import load_task, task_names
from atinuke_bench.reports.reading.published import Published, read_published
from site_tools.comments import field_comments
from site_tools.markdown import as_text, code, facts, table, tables_of

DATA_PAGE = Path(__file__).resolve().parents[2] / "data.md"
#: Groups that have one task a language, and one card.
BY_LANGUAGE = ("xnli", "pawsx", "mlqa")
#: Published figures that a card shows of each split and part, of either kind of pretraining.
MOST_ROWS = 6
#: Columns of the data page as a card calls them.
COLUMNS = {
    "source": "Source",
    "licence": "Licence",
    "train / dev / test": "Size (train / dev / test)",
    "below `--data-dir`": "Files below `--data-dir`",
    "folder": "Folder below `glue/`",
    "on the Hub": "On the Hub",
}


@dataclass(frozen=True)
class Card:
    """A task, or the tasks of a group that differ in language alone; the first one's declaration counts."""

    title: str
    tasks: tuple[str, ...]

    @property
    def file(self) -> str:
        return self.title.replace("/<language>", "").replace("/", "-") + ".md"

    @cached_property
    def task(self) -> Any:
        return load_task(self.tasks[0])


def cards() -> list[Card]:
    groups: dict[str, list[str]] = {}
    for name in task_names():
        group = name.partition("/")[0]
        groups.setdefault(f"{group}/<language>" if group in BY_LANGUAGE else name, []).append(name)
    return [Card(title, tuple(names)) for title, names in groups.items()]


def card_page(card: Card) -> str:
    """The whole card as Markdown."""
    task = card.task
    lines = [f"# {code(card.title)}", "", _sentence(task.summary), ""]
    if len(card.tasks) > 1:
        lines += [f"One task a language: {', '.join(map(code, card.tasks))}.", ""]
    for number, source in enumerate(_sources(card.title), start=1):
        lines += [f"## Data{'' if number == 1 else f', {number}'}", "", *facts(source)]
    lines += ["## How it is scored", "", *facts(_scoring(card))]
    if traps := [row["what to know"] for row in rows_of(card.title, "what to know")]:
        lines += ["## Traps", "", *(f"- {trap}" for trap in traps), ""]
    lines += ["## Settings", "", *_settings(task)]
    lines += _known(card)
    return "\n".join(lines)


def rows_of(title: str, column: str | None = None) -> list[dict[str, str]]:
    """The rows of the data page that name a task in their first cell, or its whole group (`glue/*`)."""
    group = f"`{title.partition('/')[0]}/*`" if "/" in title else ""
    found = []
    for rows in tables_of(DATA_PAGE.read_text(encoding="utf-8")):
        for row in rows:
            names = row.get("task", "")
            if (code(title) in names or (group and group in names)) and (column is None or column in row):
                found.append(row)
    return found


def _sources(title: str) -> Iterator[list[tuple[str, str]]]:
    """What the page says of each source of the task's data; rows of a group and of its task are put together."""
    rows = [row for row in rows_of(title) if "licence" in row]
    own = [row for row in rows if code(title) in row["task"]]
    shared = [row for row in rows if row not in own]
    for row in own or shared:
        whole = {**(shared[0] if shared else {}), **row}
        source = whole.get("source", "")
        if source.startswith("the same"):
            whole["source"] = _source_above(title)
        yield [(shown, whole[name]) for name, shown in COLUMNS.items() if whole.get(name, "–") not in ("–", "below")]


def _source_above(title: str) -> str:
    """The source of the row above that is not `the same`."""
    for rows in tables_of(DATA_PAGE.read_text(encoding="utf-8")):
        source = ""
        for row in rows:
            if not row.get("source", "").startswith("the same"):
                source = row.get("source", "")
            if code(title) in row.get("task", "") and "source" in row:
                return source
    raise LookupError(title)


def _scoring(card: Card) -> list[tuple[str, str]]:
    task, splits = card.task, card.task.splits
    sizes = [", ".join(f"{split} {num:,}" for split, num in release.items()) for release in task.official_sizes]
    metric = task.metric.name if len(card.tasks) == 1 else task.metric.name.partition("(")[0]
    return [
        ("Metric", code(metric)),
        ("Evaluated splits", ", ".join(map(code, splits.evaluated))),
        ("The score is of", ", else ".join(map(code, splits.headline))),
        ("Official sizes, with a label", "; or ".join(sizes) if len(card.tasks) == 1 else ""),
        ("Floor", _floor(task.floor)),
        ("Drawn together", "" if task.unit is None else f"examples with the same {task.unit.noun}"),
        ("A causal core", _sentence(task.causal_view)),
        ("Labels", ", ".join(map(code, task.data.label_names or ()))),
    ]


def _floor(floor: Any) -> str:
    """The first sentence that the floor's own function says of itself."""
    function = getattr(floor, "func", floor)
    text = " ".join((function.__doc__ or "").split())
    return f"{text.partition('. ')[0].rstrip('.')}." if text else ""


def _settings(task: Any) -> list[str]:
    rows = [(code(f"training.{name}"), code(value), "set by the task") for name, value in task.training.items()]
    comments = field_comments(task.options_class)
    for name, field in task.options_class.model_fields.items():
        if name not in task.options_class.from_data:
            default = "" if field.default is None or field.is_required() else code(field.default)
            rows.append((code(f"options.{name}"), default, comments.get(name, "")))
    found = table(("setting", "default", "means"), rows)
    return found or ["It has no settings of its own; those of training are as in every run.", ""]


def _known(card: Card) -> list[str]:
    """Figures of the published record by the task's own metric, apart by split, part and pretraining."""
    rows = [row for row in read_published() if row.task in card.tasks and row.kind != "claim"]
    own = [row for row in rows if row.metric == card.task.metric.name]
    if not rows:
        return []
    lines = [
        "## Known scores",
        "",
        f"The published record has {len(rows):,} figures of this task, each with its source. Here are the highest by "
        f"{code(card.task.metric.name)}, as their sources give them; whether one may be held against a run of yours "
        "is decided field by field, by `report`.",
        "",
    ]
    if not own:
        return [*lines[:2], f"The published record has {len(rows):,} figures of this task, none by its own metric.", ""]
    for where in dict.fromkeys(row.where for row in sorted(own, key=lambda row: row.split != "test")):
        lines += [f"### {where}", "", *_known_table([row for row in own if row.where == where])]
    return lines


def _known_table(rows: Sequence[Published]) -> list[str]:
    ordered = sorted(rows, key=lambda row: -(row.value or 0.0))
    plain = ("none", "static vectors", "contextual vectors")
    shown = [row for row in ordered if row.kind != "result"]
    for is_plain in (False, True):
        shown += [row for row in ordered if row.kind == "result" and (row.pretraining in plain) == is_plain][:MOST_ROWS]
    shown.sort(key=lambda row: -(row.value or 0.0))
    head = ("system", "score", "pretraining", "runs", "source")
    body = table(head, [_known_row(row) for row in shown])
    rest = len(rows) - len(shown)
    return [*body, *([f"{rest:,} more are in the record.", ""] if rest else [])]


def _known_row(row: Published) -> tuple[object, ...]:
    spread = "" if row.spread is None else f" ± {row.spread:g} ({row.spread_kind or 'not stated'})"
    runs = " of ".join(filter(None, (row.statistic, str(row.seeds or ""))))
    name = f"*{as_text(row.system)}*" if row.kind != "result" else as_text(row.system)
    # A source's own words may break no link.
    place = f"[{as_text(row.source.partition(': ')[0])}]({row.link}), {as_text(row.place)}"
    return name, f"{row.value:g}{spread}", row.pretraining or "not stated", runs, place


def _sentence(text: str) -> str:
    """A line of a declaration as a sentence, or as the question that it is.

    >>> _sentence("is a sentence English"), _sentence("which of two is meant, 3 classes"), _sentence("")
    ('Is a sentence English?', 'Which of two is meant, 3 classes?', '')
    """
    is_question = text.partition(" ")[0] in ("is", "are", "does", "do", "which", "what")
    end = "?" if is_question else "" if text.endswith(".") else "."
    return f"{text[:1].upper()}{text[1:]}{end}" if text else ""
