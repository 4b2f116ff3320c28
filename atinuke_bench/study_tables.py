"""How studies look in a terminal: trials, what mattered, what to set, what to expect, and the best on fresh seeds."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from atinuke_bench.console import Record, escape, headed_table, named_table
from atinuke_bench.formatting import number
from atinuke_bench.study_records import trial_name


def study_tables(records: Sequence[Record]) -> list[Table]:
    """Studies in a row each; then, of each, its best trials, what mattered, what to set, and the best to expect."""
    overview = headed_table("study", "core", "metric")
    has_limits = any(trial["state"] == "infeasible" for record in records for trial in record["trials"])
    infeasible = ["infeasible"] if has_limits else []
    for heading in ("best", "trials", "pruned", "failed", *infeasible, "seconds", "training FLOPs", "parameters"):
        overview.add_column(heading, justify="right")
    for record in records:
        trials = {trial["number"]: trial for trial in record["trials"]}
        states = [trial["state"] for trial in record["trials"]]
        best = trials.get(record["best"])
        overview.add_row(
            *(escape(record[name]) for name in ("study", "core", "metric")),
            number(best and best["score"]),
            number(record["spent"]["trials"], 0),
            number(states.count("pruned"), 0),
            number(states.count("failed"), 0),
            *([number(states.count("infeasible"), 0)] if has_limits else []),
            number(record["spent"]["seconds"], 1),
            f"{record['spent']['training_flops']:.3g}",
            number(best and best["parameters"], 0),
        )
    of_each = (_best_trials, _finals, _advice, _expected_best)
    return [overview, *(table for record in records for make in of_each if (table := make(record)))]


def retrained_table(record: Record) -> list[Table]:
    """The best trials of a study on fresh seeds."""
    table = headed_table("trial")
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
    complete = [trial for trial in record["trials"] if trial["state"] == "complete" and trial.get("confirms") is None]
    if not complete:
        return None
    table = headed_table()
    table.title, table.title_justify = f"\n{escape(record['study'])}: best trials", "left"
    for heading in ("trial", f"selection {record['metric']}", "parameters", "training FLOPs"):
        table.add_column(escape(heading), justify="right")
    table.add_column("config")
    for trial in sorted(complete, key=lambda trial: (sign * trial["score"], trial["number"]))[:count]:
        table.add_row(
            escape(trial_name(trial)),
            number(trial["score"]),
            number(trial["parameters"], 0),
            f"{trial['training_flops']:.3g}",
            escape(_config(trial["config"])),
        )
    return table


def _finals(record: Record) -> Table | None:
    choice = record.get("choice")
    if choice is None or not choice["finalists"]:
        return None
    table = headed_table()
    table.title, table.title_justify = f"\n{escape(record['study'])}: finals", "left"
    for heading in ("trial", "mean", "seeds", "chance of being the best"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for one in choice["finalists"]:
        mean = sum(one["scores"]) / len(one["scores"])
        chance = "–" if one["chance"] is None else f"{100 * one['chance']:.0f} %"
        note = "chosen" if one["number"] == choice["number"] else "" if one["is_left"] else "shown worse"
        table.add_row(str(one["number"]), number(mean), str(len(one["scores"])), chance, note)
    return table


def _advice(record: Record) -> Table | None:
    """A sentence a parameter, and below them what a reader must know."""
    if record["best"] is None:
        return None
    title = f"\n{record['study']}: importance [95 % interval] and good values"
    if record["importance"] is None:
        return named_table(title, {"not computed": record["importance_note"]})
    table = named_table(title, {one["parameter"]: one["text"] for one in record["advice"]})
    table.caption, table.caption_justify = "\n".join(map(escape, record["notes"])), "left"
    return table


def _expected_best(record: Record) -> Table | None:
    """The best score to expect of 1, 2, 5, 10 ... trials; where that cannot be said, why."""
    if record["best"] is None:
        return None
    title, found = f"\n{record['study']}: best {record['metric']} to expect", record["expected_best"]
    if found is None:
        return named_table(title, {"not computed": record["expected_best_note"]})
    rows = {}
    for place, trials in enumerate(found["trials"]):
        if str(trials).rstrip("0") in ("1", "2", "5") or trials == found["trials"][-1]:
            low, high = found["low"][place], found["high"][place]
            known = "" if low is None else f" [{low:.2f}, {high:.2f}]"
            spent = f"{found['training_flops'][place]:.3g} training FLOPs"
            rows[f"{trials} trial{'s' * (trials > 1)}"] = f"{found['mean'][place]:.2f}{known}, {spent}"
    return named_table(title, rows)


def _config(values: Record) -> str:
    shown = ((path, f"{value:.4g}" if isinstance(value, float) else value) for path, value in values.items())
    return "  ".join(f"{path.split('.')[-1]}={value}" for path, value in shown)


def _mean_of(summary: Record) -> str:
    deviation = "" if summary["deviation"] is None else f" ± {summary['deviation']:.2f}"
    return f"{number(summary['mean'])}{deviation} (n={summary['count']})"
