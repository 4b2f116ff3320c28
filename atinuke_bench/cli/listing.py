"""The command that lists a store: `runs`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from atinuke_bench.cli.shared import JsonOption, app, print_json, print_parts, say
from atinuke_bench.errors import AtinukeBenchError, FailureClass, RunFolderError, UnknownNameError, first_line

if TYPE_CHECKING:
    from atinuke_bench.run_folder import RunFolder

STATES = ("finished", "running", "unfinished", "failed", "damaged")
FIELDS = ("task", "core", "seed", "state", "epochs", "split", "metric", "score", "seconds", "folder", "reason")

PlacesArgument = Annotated[list[Path] | None, typer.Argument(metavar="[STORE]...", help="Stores or folders in them.")]


@app.command(
    name="runs",
    epilog="Example: atinuke-bench runs --task 'glue/*' --state failed; atinuke-bench runs --sort=-score --json",
)
def list_runs(
    places: PlacesArgument = None,
    task: Annotated[str, typer.Option("--task", metavar="PATTERN", help="Only these, such as 'glue/*'.")] = "*",
    core: Annotated[str, typer.Option("--core", metavar="PATTERN", help="Only these, such as 'atinuke*'.")] = "*",
    state: Annotated[str | None, typer.Option("--state", help=f"Only these: {', '.join(STATES)}.")] = None,
    sort: Annotated[
        str,
        typer.Option("--sort", metavar="FIELD", help="Order by a column, from its largest value for --sort=-FIELD."),
    ] = "folder",
    as_json: JsonOption = False,
) -> None:
    """List the runs of a store: what is finished, with its score, what is under way, what failed."""
    from atinuke_bench.run_folder import find_runs

    _require("state", state, STATES)
    _require("field", sort.removeprefix("-"), FIELDS)
    stores = places or [Path("runs")]
    for place in stores:
        if not place.is_dir():
            raise RunFolderError(f"{place}: no such folder; `runs` lists stores, such as the --out of a suite")
    rows = list(_chosen(find_runs(*stores), task, core, state))
    rows = _in_order(rows, sort.removeprefix("-"), is_reversed=sort.startswith("-"))
    if as_json:
        print_json(rows)
        return
    from atinuke_bench.console import listed_runs

    if rows:
        print_parts(listed_runs(rows))
    for row in rows:
        if row["state"] in ("failed", "damaged"):
            say(f"{row['state']}: {row['folder']}: {row['reason']}", err=True)
    counts = ", ".join(f"{number} {name}" for name in STATES if (number := sum(row["state"] == name for row in rows)))
    say(counts or "no such run", err=True)


def _require(kind: str, name: str | None, known: tuple[str, ...]) -> None:
    if name is not None and name not in known:
        raise UnknownNameError(kind, name, known, f"it is one of {', '.join(known)}")


def _chosen(folders: Iterable[RunFolder], task: str, core: str, state: str | None) -> Iterator[dict[str, Any]]:
    for folder in folders:
        row = describe(folder)
        # What cannot be read is of any task, so that it is never passed over.
        matches = row["task"] is None or (fnmatchcase(row["task"], task) and fnmatchcase(row["core"], core))
        if matches and state in (None, row["state"]):
            yield row


def describe(folder: RunFolder) -> dict[str, Any]:
    """A run in one row of `FIELDS`; None for what its folder does not say."""
    row: dict[str, Any] = dict.fromkeys(FIELDS) | {"folder": str(folder.path)}
    # Whether somebody is at it is asked first: a run that ends meanwhile is then called running, not unfinished.
    is_locked = folder.is_locked()
    try:
        if os.path.lexists(folder.result):
            result = folder.read_result()
            known = {name: result[name] for name in ("task", "seed", "split", "metric", "score", "seconds")}
            epochs = (result["selection"] or {}).get("num_epochs")
            return row | known | {"core": result["core_label"], "state": "finished", "epochs": epochs}
        run, failure = folder.read_config(), folder.read_failure()
        row |= {"task": run.task, "core": run.core.label(), "seed": run.seed, "epochs": len(folder.read_history())}
        if is_locked:
            return row | {"state": "running"}
        has_failed = failure is not None and failure.failure_class is not FailureClass.KILLED
        return row | {"state": "failed" if has_failed else "unfinished", "reason": failure and failure.message}
    except AtinukeBenchError as error:
        return row | {"state": "damaged", "reason": first_line(error)}


def _in_order(rows: list[dict[str, Any]], field: str, *, is_reversed: bool) -> list[dict[str, Any]]:
    """Rows by a field, in either order those last that have none."""
    having = sorted((row for row in rows if row[field] is not None), key=lambda row: row[field], reverse=is_reversed)
    return [*having, *(row for row in rows if row[field] is None)]
