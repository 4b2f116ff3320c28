"""What `suite` and `plan` share: what a grid has from studies, its forecast, and its lines."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atinuke_bench.cli.shared import print_json, say
from atinuke_bench.formatting import duration

if TYPE_CHECKING:
    from atinuke_bench.config import StudyRank
    from atinuke_bench.runs.cells import CellState
    from atinuke_bench.runs.forecast.forecast import Forecast
    from atinuke_bench.runs.study_columns import FindColumn
    from atinuke_bench.training.execution import Execution


def columns_of_studies(store: Path, storage: str | None) -> FindColumn:
    """What looks up the columns of a suite that are trials of studies in a store; Optuna is loaded for the first."""

    def find(suite: str, column: str, asked: StudyRank) -> Mapping[str, Any]:
        from atinuke_bench.sweeps.columns import find_column

        return find_column(store, storage, lambda line: say(line, err=True), suite, column, asked)

    return find


def foresee(
    states: list[CellState],
    store: Path | None,
    slots: int,
    started: float,
    execution: Execution | None = None,
    seconds: float = 10.0,
) -> Forecast:
    """The forecast of a grid, of what its store lacks where one is given.

    `started` is the processor's time at which the command began.
    """
    from atinuke_bench.runs.forecast.forecast import forecast
    from atinuke_bench.runs.forecast.known import find_finished
    from atinuke_bench.runs.forecast.seconds import Seconds

    spent = time.process_time() - started
    if store is not None:
        find_finished(states, store)
    if any(state.status == "waiting" for state in states):
        alone = "" if execution is None or execution.devices == 1 else ", on one device where a run will have several"
        say(f"measuring steps of each core on this machine{alone} …", err=True)
    return forecast(states, slots, Seconds(spent, spent), execution, seconds)


def print_states(states: list[CellState], as_json: bool) -> None:
    """A line for each run and what the store has of it, without a forecast: its model may be out of reach."""
    rows = [
        {"task": one.cell.run.task, "variant": one.cell.variant, "seed": one.cell.run.seed, "status": one.status}
        for one in states
    ]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        say(f"{row['task']}  {row['variant']}  seed {row['seed']}: {row['status']}")
    say(f"{len(rows)} runs, {sum(row['status'] == 'waiting' for row in rows)} to do", err=True)


def print_grid(found: Forecast, as_json: bool) -> None:
    """A line for each run, and the whole on standard error."""
    rows = [one.record() for one in found.runs]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        if row["status"] != "waiting":
            cost = []
        elif row["seconds"] is None:
            cost = [f"time unknown ({row['basis']})"]
        else:
            cost = [f"about {row['seconds']:,.0f} s"]
        if row["parameters"] is not None:
            cost.append(f"{row['parameters']:,} parameters")
            cost.append(f"{row['training_flops_per_token'] / 1e6:,.1f} MFLOP to train a token")
        shown = ", ".join([row["status"], *cost])
        say(f"{row['task']}  {row['variant']}  seed {row['seed']}: {shown}")
    known = len(found.waiting) - len(found.unknown)
    of_them = "" if not found.unknown else f" for {known} of them"
    workers = "one worker" if found.slots == 1 else f"{found.slots} workers"
    total = f"; about {duration(found.seconds.wall)} of {workers}{of_them}" if known else ""
    say(f"{len(rows)} runs, {len(found.waiting)} to do{total}", err=True)
