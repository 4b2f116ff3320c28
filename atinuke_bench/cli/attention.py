"""The command `heads`: how much each attention head of finished runs matters, and what it looks at."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from atinuke_bench.cli.shared import (
    DataDirOption,
    JsonOption,
    app,
    existing,
    print_code_note,
    print_json,
    print_parts,
    say,
)
from atinuke_bench.errors import ConfigError
from atinuke_bench.formatting import number, p_value

if TYPE_CHECKING:
    from rich.table import Table

    from atinuke_bench.run_folder import RunFolder

#: Seconds between two lines of progress.
_SECONDS = 30.0
#: Heads that are listed: all, or those that matter most.
_MOST_ROWS = 24
#: Below this, a corrected p marks what it belongs to.
_LEVEL = 0.05


@app.command(epilog="Example: atinuke-bench heads runs/snli/atinuke --on test --limit 2000")
def heads(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, or folders that hold some.")],
    on: Annotated[
        str | None, typer.Option("--on", metavar="SPLIT", help="Labelled split; by default that of the run's score.")
    ] = None,
    data_dir: DataDirOption = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=8, help="Look at so many examples, drawn from all over the split.")
    ] = None,
    num_orders: Annotated[
        int, typer.Option("--orders", min=1, help="Random orders that the pruning curve is held against.")
    ] = 5,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the records; by default attention/ of each run.")
    ] = None,
    rerun: Annotated[bool, typer.Option("--rerun", help="Look again at what is there.")] = False,
    threads: Annotated[int, typer.Option("--threads", min=1, help="CPU threads.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Look at the attention heads of finished runs: importance, pruning curve, patterns, slices.

    Importance is what the score loses without a head, and the loss's gradient in the head's gate; intervals are over
    the units of the split, p is Holm's over the heads of a run. The curve prunes by what the score of the run's
    selection slice loses without each head. A pass over the examples is taken for every head and for every point of
    the curve. What was found is kept in RUN/attention/SPLIT.json, which `report` shows.
    """
    import torch

    from atinuke_bench.run_folder import find_runs
    from atinuke_bench.runs.attention.carry_out import Wish, look_at_heads

    torch.set_num_threads(threads)
    folders = find_runs(*existing(runs))
    if not folders:
        raise ConfigError(f"no run at or below {', '.join(map(str, runs))}")
    progress = _Progress(len(folders))
    found, errors = [], []
    for outcome in look_at_heads(folders, Wish(on, data_dir, limit, num_orders, out, rerun), progress.told):
        progress.num_over += 1
        if outcome.record is None:
            errors.append(outcome.error)
            if len(folders) > 1:
                say(f"left out: {outcome.error}", err=True)
            continue
        found.append((outcome.run, outcome.record))
        say(f"{outcome.path}{'' if outcome.is_new else ': it was there'}", err=True)
        print_code_note(outcome.run.path, outcome.run.manifest, outcome.record["task"], outcome.record["core"])
    if not found:
        raise next(error for error in errors if error is not None)
    if as_json:
        print_json([{"folder": str(run.path), **record} for run, record in found])
        return
    for _, record in found:
        print_parts(*record_parts(record), "")


class _Progress:
    """A line now and then, while a run takes long."""

    def __init__(self, num_runs: int) -> None:
        self.num_runs, self.num_over = num_runs, 0
        self.due = time.monotonic() + _SECONDS

    def told(self, run: RunFolder, num_done: int, num_passes: int) -> None:
        if time.monotonic() >= self.due:
            self.due = time.monotonic() + _SECONDS
            place = f"[{self.num_over}/{self.num_runs}] {run.path}"
            say(f"{place}: {num_done:,} of {num_passes:,} passes over the examples", err=True)


def record_parts(record: Mapping[str, Any]) -> list[Table | str]:
    """A record as a table of heads and lines of text."""
    ranked = sorted(record["heads"], key=lambda head: (-(head["drop"] or 0), -(head["gradient"] or 0)))
    shown = ranked[:_MOST_ROWS]
    title = (
        f"{record['task']}, {record['core_label']}, seed {record['seed']}: {record['split']} "
        f"({record['num_examples']:,} examples, {record['num_units']:,} units: {record['unit']}), "
        f"{record['metric']} {number(record['score'])}"
    )
    parts: list[Table | str] = [title, _table(record, shown)]
    if len(shown) < len(ranked):
        parts.append(f"the {len(shown)} of {len(ranked)} heads without which the score loses most; --json has all")
    if any(head["p_corrected"] is not None for head in ranked):
        matter = sum(_is_found(head) and head["drop"] > 0 for head in ranked)
        parts.append(f"{matter} of {len(ranked)} heads matter (*: p corrected < {_LEVEL}); layers and heads from 1")
    parts += [
        *_curve_lines(record["curve"]),
        *_slice_lines(record["slices"]),
        *(f"note: {note}" for note in record["notes"]),
    ]
    return parts


def _table(record: Mapping[str, Any], heads: Sequence[Mapping[str, Any]]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("layer", "head", "drop", "95 % interval", "p corrected", "gradient", "entropy", "distance"):
        table.add_column(heading, justify="right")
    table.add_column("looks at")
    for head in heads:
        bounds = "–" if head["low"] is None else f"{number(head['low'])} to {number(head['high'])}"
        table.add_row(
            str(head["layer"] + 1),
            str(head["head"] + 1),
            f"{number(head['drop'], sign=True)}{'*' if _is_found(head) else ' '}",
            bounds,
            p_value(head["p_corrected"]),
            f"{head['gradient']:.3g}" if head["gradient"] is not None else "–",
            number(head["entropy"]),
            number(head["distance"], 1),
            looks_at(record["patterns"], head["layer"], head["head"]),
        )
    return table


def looks_at(patterns: Sequence[Mapping[str, Any]], layer: int, head: int) -> str:
    """The relations that a head looks at more than by chance, the largest share of its attention first."""
    own = [one for one in patterns if (one["layer"], one["head"]) == (layer, head) and _is_found(one)]
    own.sort(key=lambda one: -one["mass"])
    return ", ".join(f"{one['relation']} {100 * one['mass']:.0f} %" for one in own[:3])


def _curve_lines(curve: Mapping[str, Any] | None) -> list[str]:
    if curve is None:
        return []
    points = curve["points"]
    some = points if len(points) <= 6 else [points[round(place * (len(points) - 1) / 5)] for place in range(6)]
    told = ", ".join(f"{point['kept']}: {number(point['score'])} ({number(point['random'])})" for point in some)
    lines = [f"score with ever fewer heads, by importance (in {curve['num_orders']} random orders): {told}"]
    if curve["gain"] is not None:
        bounds = "" if curve["gain_low"] is None else f" [{number(curve['gain_low'])}, {number(curve['gain_high'])}]"
        lines.append(
            f"importance against random orders, mean over the curve: {number(curve['gain'], sign=True)}{bounds}"
        )
    return lines


def _slice_lines(slices: Sequence[Mapping[str, Any]]) -> list[str]:
    found = sorted((one for one in slices if _is_found(one) and one["drop"] > 0), key=lambda one: -one["drop"])
    if not found:
        return []
    told = ", ".join(
        f"{one['slice']} {one['label']} by {one['layer'] + 1}.{one['head'] + 1} ({number(-one['drop'], sign=True)})"
        for one in found[:5]
    )
    return [f"slices that a head carries (layer.head, what is lost without it): {told}"]


def _is_found(record: Mapping[str, Any]) -> bool:
    return record["p_corrected"] is not None and record["p_corrected"] < _LEVEL
