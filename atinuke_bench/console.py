"""How results look in a terminal. Functions make rich tables from records; only the command line prints them."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import markup
from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

from atinuke_bench.formatting import MISSING, figure, number, p_value, visible

Record = Mapping[str, Any]
#: What the scores in a row of a suite's table share: task, split and metric.
Row = tuple[str, str, str]
#: Letters that a line of a broken text has room for, and of the longest word, such as a setting, that is not broken.
_LEAST_TEXT, _LONGEST_WORD = 18, 36
#: Between two columns.
_GAP = 2


def escape(text: str) -> str:
    """A name or text from elsewhere for a cell: neither markup nor control characters act."""
    return markup.escape(visible(text))


def fitted(table: Table, width: int) -> RenderableType:
    """A table in a terminal of so many columns: where it has no room, a list of its rows. No figure is cut."""
    if _fit(table, width):
        return table
    parts: list[RenderableType] = [_text(part) for part in (table.title,) if part]
    for row in zip(*(column.cells for column in table.columns), strict=True):
        if table.show_header:
            listed = Table(show_header=False, box=None, pad_edge=False)
            for column, cell in zip(table.columns, row, strict=True):
                listed.add_row(column.header, cell)
            parts += [fitted(listed, width), ""]
        else:
            name, value = map(_text, row)
            parts += [name, Padding(value, (0, 0, 0, 2))]
    return Group(*parts, *(_text(part) for part in (table.caption,) if part))


def without_last_columns(table: Table, width: int) -> Table:
    """A table of what changes all the time, with as many of its first columns as there is room for."""
    while len(table.columns) > 1 and not _fit(table, width):
        table.columns.pop()
    return table


def _fit(table: Table, width: int) -> bool:
    """Give columns their widths, in which long texts are broken; whether there is room for every figure."""
    bounds = [_bounds(column) for column in table.columns]
    left = width - _GAP * (len(bounds) - 1) - sum(least for least, _ in bounds)
    for column, (least, most) in sorted(zip(table.columns, bounds, strict=True), key=lambda item: item[1][1]):
        more = max(0, min(left, most - least))
        column.width, column.overflow = least + more, "fold"
        left -= more
    return left >= 0


def _bounds(column: Column) -> tuple[int, int]:
    """The width that a column needs and the one that it would take."""
    header, *cells = (_text(cell).plain for cell in (column.header, *column.cells))
    longest = max((cell_len(line) for cell in cells for line in cell.splitlines()), default=0)
    most = max(longest, cell_len(header))
    if column.no_wrap:
        return most, most
    words = [min(cell_len(word), _LONGEST_WORD) for text in (header, *cells) for word in text.split()]
    return max(min(longest, _LEAST_TEXT), *words, 0), most


def _text(part: RenderableType) -> Text:
    return part if isinstance(part, Text) else Text.from_markup(str(part), overflow="fold")


def interval(bounds: Sequence[float] | None) -> str:
    """A 95 % interval.

    >>> interval([60.76, 62.66])
    '60.76–62.66'
    """
    return MISSING if bounds is None else f"{bounds[0]:.2f}–{bounds[1]:.2f}"


def result_row(results: Iterable[Record]) -> Table:
    """One row a run: score, interval, parameters, tokens per second, seconds."""
    table = _table("task", "core", "seed", "split", "metric")
    for heading in ("score", "95 % interval", "parameters", "tokens/s", "seconds"):
        table.add_column(heading, justify="right")
    for result in results:
        _note_source(table, result)
        cost = result["cost"]
        table.add_row(
            escape(result["task"]),
            escape(result["core_label"]),
            str(result["seed"]),
            escape(result["split"] or MISSING),
            escape(result["metric"]),
            number(result["score"]),
            _resampled(result),
            number(cost.get("parameters"), 0),
            number(cost.get("tokens_per_second"), 0),
            number(result["seconds"], 1),
        )
    return table


def listed_runs(rows: Iterable[Record]) -> Table:
    """One row a run of a store, finished or not."""
    table = _table("task", "core", "seed", "state", "split", "metric")
    table.add_column("score", justify="right")
    table.add_column("epochs", justify="right")
    table.add_column("seconds", justify="right")
    table.add_column("folder")
    for row in rows:
        names = (row[name] for name in ("task", "core", "seed", "state", "split", "metric"))
        figures = (number(row["score"]), number(row["epochs"], 0), number(row["seconds"], 1))
        table.add_row(
            *(MISSING if name is None else escape(str(name)) for name in names), *figures, escape(row["folder"])
        )
    return table


def _resampled(result: Record) -> str:
    """The interval of a result, and what was drawn for it; older results do not say."""
    drawn = result.get("resampled")
    shown = interval(result["interval"])
    return f"{shown} by {escape(drawn['unit'])} ({drawn['num_units']:,})" if drawn else shown


def evaluation_rows(found: Iterable[tuple[Record, Record]]) -> Table:
    """One row a run and split of a test set: score, interval, the run's own test score, and how far it drops.

    `found` are results of evaluations, each with its run's result.
    """
    table = _table("test set", "task", "core", "seed", "split", "metric")
    for heading in ("score", "95 % interval", "own test", "drop"):
        table.add_column(heading, justify="right")
    for evaluation, result in found:
        metric, run = evaluation["metric"], evaluation["run"]
        own = result["scores"].get(result["split"] or "", {}).get(metric)
        sign = 1 if evaluation["higher_is_better"] else -1
        for split, figures in evaluation["scores"].items():
            score = figures[metric]
            table.add_row(
                *map(escape, (evaluation["name"], run["task"], run["core_label"], str(run["seed"]), split, metric)),
                number(score),
                _resampled(evaluation) if split == evaluation["split"] else MISSING,
                number(own),
                number(None if own is None or score is None else sign * (own - score)),
            )
    return table


def suite_table(outcomes: Iterable[tuple[str, Record]]) -> Table:
    """Tasks by core variants: mean over seeds, with the standard deviation and the number of seeds."""
    cells: dict[Row, dict[str, list[float]]] = {}
    headings: dict[str, None] = {}
    note = Table()
    for variant, result in outcomes:
        _note_source(note, result)
        headings[variant] = None
        scores = cells.setdefault((result["task"], result["split"] or MISSING, result["metric"]), {})
        if result["score"] is not None:
            scores.setdefault(variant, []).append(result["score"])
    table = _table("task", "split", "metric")
    table.caption = note.caption
    for variant in headings:
        table.add_column(escape(variant), justify="right")
    for row, own in cells.items():
        table.add_row(*map(escape, row), *(_mean(own.get(variant, [])) for variant in headings))
    return table


def as_rows_of_suite(evaluations: Iterable[tuple[str, Record]]) -> list[tuple[str, Record]]:
    """Evaluations with the names of their runs' variants as outcomes of `suite_table`, each split of a test set one."""
    return [
        (
            variant,
            {**one, "task": f"{one['name']} ({one['run']['task']})", "split": split, "score": figures[one["metric"]]},
        )
        for variant, one in evaluations
        for split, figures in one["scores"].items()
    ]


def comparison_rows(records: Iterable[Record]) -> Table:
    """One row a comparison: both means, their difference with interval, corrected p, and what follows for A.

    With a margin also the 90 % interval, which its test is about.
    """
    records = list(records)
    narrow = ["90 % interval"] if any("margin" in record for record in records) else []
    table = _table("task", "A", "B")
    for heading in ("score A", "score B", "difference", "95 % interval", *narrow, "p corrected"):
        table.add_column(heading, justify="right")
    table.add_column("A is")
    for record in records:
        known = record["low"] == record["low"]  # NaN where there was no test
        table.add_row(
            *(escape(record[name]) for name in ("task", "a", "b")),
            *(f"{record[f'score_{side}']:.2f} (n={record[f'seeds_{side}']})" for side in "ab"),
            f"{record['absolute difference']:+.2f}",
            interval((record["low"], record["high"]) if known else None),
            *(interval((record["low 90"], record["high 90"]) if known else None) for _ in narrow),
            p_value(record["p corrected"]),
            _said(record),
        )
    return table


def _said(record: Record) -> str:
    """The verdict and its note; one of what was not tested says so itself."""
    verdict, note = record["verdict"], record["note"]
    return note if note.startswith(verdict) else "; ".join(filter(None, (verdict, note)))


def seed_rows(records: Iterable[Record]) -> Table:
    """Two sides seed by seed: the difference and p values of tests of two models; last, the interval over all seeds."""
    table = _table("task", "A", "B", "seed")
    for heading in ("difference", "McNemar p", "randomisation p", "bootstrap p", "hierarchical 95 % interval"):
        table.add_column(heading, justify="right")
    for record in records:
        figures = (record[f"p {name}"] for name in ("mcnemar", "randomisation", "bootstrap"))
        table.add_row(
            *(escape(str(record[name])) for name in ("task", "a", "b", "seed")),
            f"{record['difference']:+.2f}",
            *map(p_value, figures),
            interval((record["low"], record["high"]) if record["low"] == record["low"] else None),
        )
    return table


def score_tables(title: str, record: Record) -> list[Table]:
    """Tables of a record of scores: single figures by name, and figures of parts (metrics, roles) one part a row."""
    parts = {name: value for name, value in record.items() if isinstance(value, Mapping)}
    single = {name: value for name, value in record.items() if name not in parts}
    tables = [named_table(title, single)] if single else []
    if parts:
        columns = list(next(iter(parts.values())))
        table = _table("" if single else title, *columns)
        for column in table.columns[1:]:
            column.justify = "right"
        for name, values in parts.items():
            shown = (number(value) if isinstance(value, float) else str(value) for value in values.values())
            table.add_row(escape(name), *shown)
        tables.append(table)
    return tables


def named_table(title: str, record: Record) -> Table:
    """A two-column table of a flat record."""
    # A title may begin with an empty line.
    title = "\n" * title.startswith("\n") + escape(title.removeprefix("\n"))
    table = Table(title=title, title_justify="left", show_header=False, box=None, pad_edge=False)
    for name, value in record.items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        table.add_row(escape(str(name)), escape(figure(value) if is_number else str(value)))
    return table


def study_tables(records: Sequence[Record]) -> list[Table]:
    """Studies in a row each; then, of each, its best trials, and what mattered."""
    overview = _table("study", "core", "metric")
    for heading in ("best", "trials", "pruned", "failed", "seconds", "training FLOPs", "parameters"):
        overview.add_column(heading, justify="right")
    for record in records:
        trials = {trial["number"]: trial for trial in record["trials"]}
        states = [trial["state"] for trial in record["trials"] if trial["state"] != "failed"]
        best = trials.get(record["best"])
        overview.add_row(
            *(escape(record[name]) for name in ("study", "core", "metric")),
            number(best and best["score"]),
            number(record["spent"]["trials"], 0),
            number(states.count("pruned"), 0),
            number(len(trials) - len(states), 0),
            number(record["spent"]["seconds"], 1),
            f"{record['spent']['training_flops']:.3g}",
            number(best and best["parameters"], 0),
        )
    return [overview, *(table for record in records for table in (_best_trials(record), _importance(record)) if table)]


def retrained_table(record: Record) -> list[Table]:
    """The best trials of a study on fresh seeds."""
    table = _table("trial")
    for heading in ("score in the study", "fresh seeds", "evaluated"):
        table.add_column(heading, justify="right")
    table.add_column("on", no_wrap=True)
    table.add_column("config")
    for entry in record["trials"]:
        table.add_row(
            str(entry["number"]),
            number(entry["score_in_study"]),
            *(_mean_of(entry[name]) for name in ("selection", "evaluated")),
            escape(f"{entry['split']} {entry['metric']}" if entry["split"] else ""),
            escape(_config(entry["config"])),
        )
        for task, own in entry.get("tasks", {}).items():
            means = (_mean_of(own[name]) for name in ("selection", "evaluated"))
            table.add_row("", "", *means, escape(f"{own['split']} {own['metric']} of {task}"), "")
    return [table]


def _best_trials(record: Record, count: int = 5) -> Table | None:
    sign = -1 if record["higher_is_better"] else 1
    complete = [trial for trial in record["trials"] if trial["state"] == "complete"]
    if not complete:
        return None
    table = _table()
    table.title, table.title_justify = f"\n{escape(record['study'])}: best trials", "left"
    for heading in ("trial", f"selection {record['metric']}", "parameters", "training FLOPs"):
        table.add_column(escape(heading), justify="right")
    table.add_column("config")
    for trial in sorted(complete, key=lambda trial: (sign * trial["score"], trial["number"]))[:count]:
        table.add_row(
            str(trial["number"]),
            number(trial["score"]),
            number(trial["parameters"], 0),
            f"{trial['training_flops']:.3g}",
            escape(_config(trial["config"])),
        )
    return table


def _importance(record: Record) -> Table | None:
    if record["importance"] is None:
        return None
    shares = record["importance"]["values"]
    return named_table(f"\n{record['study']}: importance", shares)


def _config(values: Record) -> str:
    shown = ((path, f"{value:.4g}" if isinstance(value, float) else value) for path, value in values.items())
    return "  ".join(f"{path.split('.')[-1]}={value}" for path, value in shown)


def _mean_of(summary: Record) -> str:
    deviation = "" if summary["deviation"] is None else f" ± {summary['deviation']:.2f}"
    return f"{number(summary['mean'])}{deviation} (n={summary['count']})"


def _note_source(table: Table, result: Record) -> None:
    """Caption a table that holds a score on generated data."""
    if result.get("protocol", {}).get("source") == "microworld":
        table.caption = "microworld, generated; not comparable with published scores"


def _mean(scores: list[float]) -> str:
    if not scores:
        return MISSING
    deviation = f" ± {statistics.stdev(scores):.2f}" if len(scores) > 1 else ""
    return f"{statistics.mean(scores):.2f}{deviation} (n={len(scores)})"


def diagnosis_rows(found: Iterable[tuple[Any, Sequence[Any]]]) -> Table:
    """One row a run: what its findings are called, by how much they matter."""
    table = _table("task", "core", "seed")
    for heading in ("serious", "warning", "note"):
        table.add_column(heading)
    for run, findings in found:
        by_severity = [
            ", ".join(one.name for one in findings if one.severity == name) for name in ("serious", "warning", "note")
        ]
        seed = MISSING if run.seed is None else str(run.seed)
        table.add_row(
            escape(run.task or run.folder), escape(run.core), seed, *(names or MISSING for names in by_severity)
        )
    return table


def rate_rows(rates: Iterable[Any]) -> Table:
    """One row a learning rate: the loss at the begin and at the end of a short training."""
    table = _table("learning rate")
    for heading in ("first loss", "last loss"):
        table.add_column(heading, justify="right")
    for one in rates:
        table.add_row(f"{one.rate:.2g}", number(one.first, 4), number(one.last, 4))
    return table


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, no_wrap=True)
    return table
