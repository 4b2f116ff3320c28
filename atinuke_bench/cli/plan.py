"""The command that looks ahead: `plan`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from atinuke_bench.cli.grids import columns_of_studies, foresee
from atinuke_bench.cli.shared import (
    DataDirOption,
    JsonOption,
    OnlyOption,
    OutOption,
    StorageOption,
    SuiteArgument,
    WorkersOption,
    app,
    print_json,
    print_parts,
    say,
)
from atinuke_bench.errors import ConfigError, RunFolderError, UnknownNameError
from atinuke_bench.formatting import MISSING, duration, num_bytes, number

if TYPE_CHECKING:
    from rich.table import Table

    from atinuke_bench.reports.statistics.detectable import Detectable, PlannedColumn
    from atinuke_bench.runs.cells import CellState
    from atinuke_bench.runs.forecast.forecast import Forecast

#: Watts of a busy core and of a GPU of any kind, as Green Algorithms counts them (Lannelongue et al. 2021; its data).
_CORE_WATTS, _GPU_WATTS = 12.0, 200.0

_HELP = """Say what a suite will cost, and which differences it can show, before anything runs.

Time, energy, disk and money come from a calibration of about ten seconds: real steps of each core on each task, side by
side as the suite's runs will be. What is finished in the store costs nothing more. Nothing is written to the store.

The smallest difference that the report would find in 4 of 5 cases (80 % power, 5 % level, Holm's correction) is from
the variances of runs in the store, or else from published ones. --detect POINTS says how many seeds a difference needs.
"""


@app.command(
    help=_HELP,
    epilog="Examples: atinuke-bench plan quick --workers 2; "
    "atinuke-bench plan heads.yaml --data-dir data --detect 0.7 --price 2.5",
)
def plan(
    name_or_file: SuiteArgument,
    source: Annotated[str | None, typer.Option("--source", help="Where the data comes from; else the suite's.")] = None,
    data_dir: DataDirOption = None,
    out: OutOption = Path("runs"),
    workers: WorkersOption = None,
    only: OnlyOption = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Count what failed before as to do.")] = False,
    detect: Annotated[
        float | None, typer.Option("--detect", metavar="POINTS", help="Say how many seeds show such a difference.")
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option("--reference", metavar="COLUMN", help="The report will compare with this column alone."),
    ] = None,
    watts: Annotated[
        float | None,
        typer.Option("--watts", help="Power of the machine. [default: 12 for each busy core, 200 for each GPU]"),
    ] = None,
    price: Annotated[float | None, typer.Option("--price", help="What an hour of the machine costs.")] = None,
    calibration: Annotated[
        float, typer.Option("--calibration", metavar="SECONDS", min=0, help="Time to measure steps for.")
    ] = 10,
    storage: StorageOption = None,
    as_json: JsonOption = False,
) -> None:
    from atinuke_bench.config.asked import suite_source
    from atinuke_bench.reports.statistics.detectable import detectable, require_difference
    from atinuke_bench.runs.cells import chosen_states
    from atinuke_bench.runs.grid import read_suite
    from atinuke_bench.runs.jobs.factory import make_executor
    from atinuke_bench.runs.suite_record import open_record

    started = time.process_time()
    require_difference(detect)
    for name, value in (("--watts", watts), ("--price", price)):
        if value is not None and not 0 <= value < float("inf"):
            raise ConfigError(f"{name} is a number of at least 0; found {value:g}")
    config = read_suite(name_or_file, find_column=columns_of_studies(out, storage))
    if reference is not None and reference not in config.cores:
        raise UnknownNameError("column", reference, config.cores, "the suite's `cores` name them")
    place, record = suite_source(config, source, data_dir), open_record(out, config.name, is_written=False)
    looks = {"retry_failed": retry_failed, "is_written": False}
    states = chosen_states(config, place, record, name_or_file, only, **looks)
    executor = make_executor("local", workers)
    executor.close()
    found = foresee(states, out, executor.slots, started, seconds=calibration)
    columns = _columns(states, found)
    label = next((state.cell.run.core.label() for state in states if state.cell.variant == reference), None)
    shown = detectable(columns, _frame(out), detect, label)
    power = _watts(executor.slots) if watts is None else watts
    if as_json:
        print_json(_record(config.name, found, shown, power, price))
    else:
        _print(config.name, found, shown, power, watts is None, price)


def _columns(states: list[CellState], found: Forecast) -> list[PlannedColumn]:
    """What will be compared: of each task its trained cores, their seeds, and how large its test set is."""
    from atinuke_bench.reports.statistics.detectable import PlannedColumn
    from atinuke_bench.training.task import task_of

    columns = []
    for name in dict.fromkeys(state.cell.run.task for state in states):
        runs = [state.cell.run for state in states if state.cell.run.task == name]
        seeds: dict[str, set[int]] = {}
        for run in runs:
            if not run.core.is_floor:
                seeds.setdefault(run.core.label(), set()).add(run.seed)
        task, data = task_of(runs[0]), found.data.get(name)
        official = [
            release[split] for release in task.official_sizes for split in task.splits.headline if split in release
        ]
        is_official = runs[0].source.kind != "microworld"
        units = data.num_units if data is not None else official[0] if official and is_official else None
        noun = task.unit.noun if task.unit is not None else "example"
        fewest = min(map(len, seeds.values()), default=0)
        columns.append(
            PlannedColumn(name, task.metric.name, tuple(seeds), fewest, runs[0].source.kind, units or None, noun)
        )
    return columns


def _frame(store: Path) -> Any:
    """The finished runs of the store; None where it has none."""
    from atinuke_bench.reports.reading.collect import read_frame

    try:
        return read_frame([store])
    except (RunFolderError, ConfigError):
        return None


def _watts(slots: int) -> float:
    from atinuke_bench.training.launchers import own_gpus

    return slots * _CORE_WATTS + min(slots, len(own_gpus())) * _GPU_WATTS


def _record(name: str, found: Forecast, shown: list[Detectable], watts: float, price: float | None) -> dict[str, Any]:
    hours = found.seconds.wall / 3600
    return {
        "suite": name,
        "workers": found.slots,
        "runs": len(found.runs),
        "to_do": len(found.waiting),
        "unknown": len(found.unknown),
        "seconds": found.seconds.wall,
        "seconds_on_a_quiet_machine": found.quiet_seconds,
        "processor_seconds": found.seconds.processor,
        "training_flops": found.flops,
        "watts": watts,
        "kilowatt_hours": hours * watts / 1000,
        "bytes": found.num_bytes,
        "price": price,
        "cost": None if price is None else hours * price,
        "calibration_seconds": found.calibration.seconds,
        "cells": [one.record() for one in found.runs],
        "detectable": [one.record() for one in shown],
    }


def _print(
    name: str, found: Forecast, shown: list[Detectable], watts: float, is_assumed: bool, price: float | None
) -> None:
    print_parts(_table(name, found, shown))
    for line in [*_cost_lines(found, watts, is_assumed, price), *_detectable_lines(shown)]:
        say(line)


def _table(name: str, found: Forecast, shown: list[Detectable]) -> Table:
    """A row a task: the time of each column's runs that are to do, and what the task's test set can show."""
    from rich.table import Table

    from atinuke_bench.console import escape

    table = Table(box=None, pad_edge=False, header_style="bold", title=f"{escape(name)}: runs to do, and time of each")
    table.title_justify = "left"
    table.add_column("task")
    variants = list(dict.fromkeys(one.state.cell.variant for one in found.runs))
    asked = next((one.asked for one in shown if one.asked is not None), None)
    seeds = [] if asked is None else [f"seeds for {asked:g}"]
    for heading in (*map(escape, variants), "test units", "detects", *seeds):
        table.add_column(heading, justify="right")
    for one in shown:
        task = one.column.task
        own = [run for run in found.runs if run.state.cell.run.task == task]
        cells = [_cell_text([run for run in own if run.state.cell.variant == variant]) for variant in variants]
        units = MISSING if one.num_units is None else f"{one.num_units:,}"
        needed = [] if asked is None else [_seeds_text(one)]
        table.add_row(escape(task), *cells, units, number(one.difference), *needed)
    return table


def _cell_text(runs: list[Any]) -> str:
    """The runs of a cell of the table that are to do, such as `3 x 12 s`."""
    waiting = [run for run in runs if run.is_waiting]
    if not runs:
        return ""
    if not waiting:
        return "failed" if any(run.status == "failed" for run in runs) else "done"
    known = [run.planned.seconds.wall for run in waiting if run.planned is not None]
    each = duration(sum(known) / len(known)) if known else "?"
    return f"{len(waiting)} x {each}{'' if waiting[0].basis == 'measured' or not known else ' *'}"


def _seeds_text(one: Detectable) -> str:
    if not one.is_known:
        return MISSING
    return "never" if one.seeds_needed is None else str(one.seeds_needed)


def _cost_lines(found: Forecast, watts: float, is_assumed: bool, price: float | None) -> list[str]:
    if not found.waiting:
        return [f"{len(found.runs)} runs, none to do"]
    seconds, hours = found.seconds, found.seconds.wall / 3600
    count = f"{len(found.runs)} runs, {len(found.waiting)} to do"
    if len(found.unknown) == len(found.waiting):
        return [f"{count}; their time cannot be foreseen: {found.unknown[0].basis}"]
    workers = "1 worker" if found.slots == 1 else f"{found.slots} workers"
    lines = [f"{count}: about {duration(seconds.wall)} with {workers}, {duration(seconds.processor)} of processors"]
    if seconds.wall > 1.3 * found.quiet_seconds and seconds.processor > 1:
        quiet = duration(found.quiet_seconds)
        lines[0] += f" (other programs keep this machine busy; about {quiet} without them)"
    why = ", 12 W assumed for each busy core and 200 W for each GPU" if is_assumed else ""
    lines.append(f"energy: {hours * watts / 1000:.3g} kWh at {watts:g} W{why}")
    lines.append(f"disk: {num_bytes(found.num_bytes)}; training: {found.flops:.2g} operations of the cores")
    if price is not None:
        lines.append(f"money: {hours * price:.2f} at {price:g} an hour")
    lines.append(_basis_line(found))
    if found.unknown:
        lines.append(f"not foreseen: {len(found.unknown)} runs: {found.unknown[0].basis}")
    return lines


def _basis_line(found: Forecast) -> str:
    """What the forecast rests on."""
    measured = sum(one.basis == "measured" for one in found.waiting)
    others = "" if measured == len(found.waiting) else " (* others by operations, from those)"
    return (
        f"measured in {duration(found.calibration.seconds)}: {measured} of {len(found.waiting)} runs by steps of their "
        f"own{others}; assumed: all epochs, no early stopping; no features cached yet; W&B's record not counted"
    )


def _detectable_lines(shown: list[Detectable]) -> list[str]:
    """Where the variances are from, task by task with the same origin, and what no number of seeds shows."""
    origins: dict[str, list[str]] = {}
    for one in shown:
        origins.setdefault(one.basis, []).append(one.column.task)
    level = 100 * shown[0].level if shown else 5.0
    lines = [
        f"detects: the difference of two cores, in points, that a test at {level:.2g} % (5 % after Holm's correction "
        "over all tests) finds in 80 % of cases; of a task's pairs the worst"
    ]
    lines += [f"variances of {', '.join(tasks)}: {basis}" for basis, tasks in origins.items()]
    for one in shown:
        if one.asked is not None and one.is_known and one.seeds_needed is None:
            why = f"its {one.num_units:,} units tell no less than {number(one.floor)} points apart"
            lines.append(f"{one.column.task}: {one.asked:g} points cannot be shown with any number of seeds: {why}")
    return lines
