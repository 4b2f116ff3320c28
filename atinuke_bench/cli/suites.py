"""Commands on many runs: `suite`, `verify`, `sync`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from atinuke_bench.cli.evaluate import evaluate_cells, open_test_sets
from atinuke_bench.cli.grids import columns_of_studies, foresee, print_grid, print_states
from atinuke_bench.cli.shared import (
    CheckpointMinutesOption,
    DataDirOption,
    DeviceBatchTokensOption,
    DevicesPerRunOption,
    DropOverlapOption,
    JsonOption,
    OnlyOption,
    OutOption,
    RerunOption,
    RetryFailedOption,
    StorageOption,
    SuiteArgument,
    TextsOption,
    TimeoutOption,
    UnlabelledOption,
    WandbOption,
    WorkersOption,
    app,
    execution_of_many,
    existing,
    on_device,
    print_code_note_of_cells,
    print_json,
    print_notes,
    print_parts,
    say,
    short,
    wandb_mode,
)
from atinuke_bench.errors import AtinukeBenchError, naming
from atinuke_bench.formatting import duration, one_short_line

if TYPE_CHECKING:
    from atinuke_bench.config import SourceConfig, SuiteConfig
    from atinuke_bench.runs.cells import CellState
    from atinuke_bench.runs.evaluation.opening import EvaluationData
    from atinuke_bench.runs.suite import Suite

#: Uploads in a row that W&B has not answered, after which `sync` waits for no more.
_MOST_SILENT = 3


@app.command(epilog="Example: atinuke-bench suite quick --data-dir data --workers 2 --only 'snli/*/0'")
def suite(
    name_or_file: SuiteArgument,
    source: Annotated[str | None, typer.Option("--source", help="Where the data comes from; else the suite's.")] = None,
    data_dir: DataDirOption = None,
    out: OutOption = Path("runs"),
    workers: WorkersOption = None,
    executor: Annotated[str, typer.Option("--executor", help="local, or ray.")] = "local",
    devices_per_run: DevicesPerRunOption = 1,
    device_tokens: DeviceBatchTokensOption = None,
    checkpoint_minutes: CheckpointMinutesOption = 30,
    only: OnlyOption = None,
    timeout: TimeoutOption = None,
    retry_failed: RetryFailedOption = False,
    rerun: RerunOption = False,
    drop_overlap: DropOverlapOption = False,
    predict_unlabelled: UnlabelledOption = False,
    texts: TextsOption = True,
    storage: StorageOption = None,
    wandb: WandbOption = "offline",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the grid with its forecast cost, and stop.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Carry out a grid of runs and print the table of means.

    Stop it in any way and start it again: finished runs are kept, interrupted ones resume from their last epoch.
    """
    from atinuke_bench.config.asked import suite_source
    from atinuke_bench.runs.grid import read_suite

    started = time.process_time()
    shared = {"training.drop_overlap": True} if drop_overlap else {}
    config = read_suite(name_or_file, shared, columns_of_studies(out, storage))
    with naming(name_or_file):
        test_sets = open_test_sets(config.evaluate, Path(name_or_file).parent, data_dir)
    how = GridOptions(
        out=out,
        only=tuple(only or ()),
        workers=workers,
        executor=executor,
        devices=devices_per_run,
        on_device=on_device(device_tokens, checkpoint_minutes, texts),
        timeout=timeout,
        retry_failed=retry_failed,
        rerun=rerun,
        predict_unlabelled=predict_unlabelled,
        wandb=wandb_mode(wandb),
        dry_run=dry_run,
        as_json=as_json,
        started=started,
    )
    found = grid_results(config, suite_source(config, source, data_dir), name_or_file, how)
    if found is not None:
        _show_results(config.name, out, *found, test_sets, as_json)


@dataclass(frozen=True)
class GridOptions:
    """How a grid is carried out, as the options of `suite` say it."""

    out: Path
    only: tuple[str, ...]
    workers: int | None
    executor: str
    devices: int
    #: Fields of `Execution` that options set.
    on_device: dict[str, Any]
    timeout: float | None
    retry_failed: bool
    rerun: bool
    predict_unlabelled: bool
    wandb: Any
    dry_run: bool
    as_json: bool
    #: Refuses to start where the model of a core is out of reach, in place of failing run by run; a dry run then has no
    #: forecast.
    needs_models: bool = False
    #: The processor's time at which the command began.
    started: float = 0.0
    #: Threads of each run.
    threads: int = 1
    #: The folder of the store that has the suite's record.
    room: str = "suites"


Results = list[tuple[str, dict[str, Any]]]


def grid_results(
    config: SuiteConfig, place: SourceConfig, where: str, how: GridOptions
) -> tuple[Results, list[CellState]] | None:
    """Carry out what is left of a grid: column and result of every finished run, and the failed ones.

    None for a dry run, which prints the grid and writes nothing. `where` names the grid in messages.
    """
    from atinuke_bench.runs.suite_record import finished_results, open_record

    record = open_record(how.out, config.name, how.room, is_written=not how.dry_run)
    must_look = bool(how.only) or how.dry_run or how.rerun or how.predict_unlabelled
    finished = None if must_look else finished_results(record, config, place, how.out)
    if finished is not None:  # nothing of torch, tasks and data is needed to show it
        return finished, []
    from atinuke_bench.runs.cells import chosen_states
    from atinuke_bench.runs.jobs.factory import make_executor
    from atinuke_bench.runs.recipes import require_models
    from atinuke_bench.runs.suite import Suite, SuiteOptions

    execution = execution_of_many(how.on_device, how.devices, how.threads)
    options = SuiteOptions(how.out, how.wandb, execution, how.timeout, how.rerun, how.predict_unlabelled)
    looks = {"retry_failed": how.retry_failed, "rerun": how.rerun, "look_again": how.predict_unlabelled}
    is_carried_out = not how.dry_run
    states = chosen_states(
        config, place, record, where, list(how.only), needs_data=is_carried_out, is_written=is_carried_out, **looks
    )
    if how.dry_run and how.needs_models:
        print_states(states, how.as_json)
        return None
    carrier = make_executor(how.executor, how.workers, how.devices, how.threads)
    if how.dry_run:
        carrier.close()
        store = None if how.rerun else how.out
        print_grid(foresee(states, store, carrier.slots, how.started, execution), how.as_json)
        return None
    if how.needs_models:
        require_models(states)
    work = Suite(config.name, states, record, carrier, options)
    _carry_out(work)
    return work.results(), work.failed()


@app.command(epilog="Example: atinuke-bench verify runs --reset")
def verify(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, or folders that hold some.")],
    reset: Annotated[bool, typer.Option("--reset", help="Set damaged runs to run again.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Check every artefact against its checksum and every score against its predictions. Exit status 1: damage.

    Evaluations on other data are checked with the runs that they are of.
    """
    from atinuke_bench.run_folder import RunFolder
    from atinuke_bench.runs.verify import reset as reset_run
    from atinuke_bench.runs.verify import verify_runs

    counts = {"finished": 0, "unfinished": 0, "evaluations": 0}
    damaged, not_checked = [], []
    for verdict in verify_runs(existing(runs)):
        is_run = isinstance(verdict.folder, RunFolder)
        counts[("finished" if verdict.is_finished else "unfinished") if is_run else "evaluations"] += 1
        if verdict.not_checked:
            not_checked.append({"folder": str(verdict.folder.path), "reason": verdict.not_checked})
            say(f"{verdict.folder.path}: score not checked: {verdict.not_checked}", err=True)
        if verdict.note:
            say(f"{verdict.folder.path}: {verdict.note}", err=True)
        if not verdict.problems:
            continue
        damaged.append({"folder": str(verdict.folder.path), "problems": verdict.problems})
        if not as_json:
            say(f"{verdict.folder.path}: {'; '.join(verdict.problems)}")
        if reset:
            reset_run(verdict)
    if as_json:
        print_json({**counts, "damaged": damaged, "not_checked": not_checked})
    state = "set to run again" if reset else "damaged"
    evaluations = f", {counts['evaluations']} evaluations" if counts["evaluations"] else ""
    said = f"{counts['finished']} finished runs{evaluations}, {len(damaged)} {state}"
    say(f"{said}; {counts['unfinished']} not finished", err=True)
    if damaged and not reset:
        raise typer.Exit(1)


@app.command(epilog="Example: atinuke-bench sync runs")
def sync(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, or folders that hold some.")],
    timeout: Annotated[float, typer.Option("--timeout", min=1, help="Seconds to wait for the upload of a run.")] = 120,
) -> None:
    """Upload to W&B what runs have to tell, also while they are under way. What is uploaded already is left alone."""
    from atinuke_bench.run_folder import find_runs
    from atinuke_bench.runs.wandb_record import is_tracked
    from atinuke_bench.runs.wandb_upload import needs_upload
    from atinuke_bench.runs.wandb_upload import sync as sync_run

    num_uploaded = num_left = num_silent = 0
    for folder in filter(is_tracked, find_runs(*existing(runs))):
        try:
            if not needs_upload(folder):
                continue
            sync_run(folder, timeout)
        except (AtinukeBenchError, TimeoutError) as error:
            num_left += 1
            num_silent = num_silent + 1 if isinstance(error, TimeoutError) else 0
            say(f"{folder.path}: not uploaded: {error}", err=True)
            if num_silent == _MOST_SILENT:
                say(f"W&B has not answered {num_silent} times in a row; the rest waits", err=True)
                break
            continue
        num_uploaded, num_silent = num_uploaded + 1, 0
        say(f"{folder.path}: uploaded", err=True)
    if num_left:
        say(f"{num_uploaded} runs uploaded, {num_left} not; the same command goes on", err=True)
        raise typer.Exit(1)
    say(f"{num_uploaded} runs uploaded" if num_uploaded else "nothing to upload", err=True)


def _carry_out(work: Suite) -> None:
    """Run the suite under a live table on a terminal, with a line for each run elsewhere; always on standard error."""
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True, highlight=False)
    counts = work.counts()
    if counts["finished"] or counts["failed"]:
        console.print(f"{counts['finished']} runs are finished, {counts['failed']} failed before", soft_wrap=True)
    if earlier := sum(not cell.in_grid for cell in work.record.cells):
        console.print(f"{earlier} runs of an earlier version of the suite are kept, and are not part of its grid now")
    if console.is_terminal:
        with Live(console=console, auto_refresh=False, transient=True) as live:
            work.run(lambda: live.update(_live_table(work, console.width), refresh=True))
        return
    work.changed = lambda state: _print_change(work, state)
    work.run()


def _print_change(work: Suite, state: CellState) -> None:
    if state.status == "running":
        return
    counts = work.counts()
    done = counts["finished"] + counts["failed"]
    if state.result is not None:
        shown = f"{short(state.result['score'])} {state.result['metric']}"
    elif state.failure is not None:
        shown = f"failed ({state.failure[0]}): {state.failure[1]}"
    else:
        shown = "another process is carrying it out"
    left = work.seconds_left()
    remaining = f"  about {duration(left)} left" if left else ""
    run = state.cell.run
    say(f"[{done}/{len(work.states)}] {run.task}  {state.cell.variant}  seed {run.seed}: {shown}{remaining}", err=True)


def _live_table(work: Suite, width: int) -> Any:
    from rich.console import Group
    from rich.table import Table

    from atinuke_bench.console import escape, without_last_columns

    counts, left = work.counts(), work.seconds_left()
    parts = [f"{counts[status]} {status}" for status in ("finished", "running", "waiting", "failed", "elsewhere")]
    title = f"{work.name}: {', '.join(parts)}; {duration(left) + ' left' if left is not None else 'time left unknown'}"
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("task", "core", "seed", "epoch", "loss", "selection", "seconds"):
        table.add_column(heading, no_wrap=True)
    for state in work.states:
        run, epoch = state.cell.run, state.epoch
        if state.status == "running":
            progress = ("starting", "", "")
            if epoch is not None:
                done = f"{epoch['epoch'] + 1}/{run.training.max_epochs}"
                progress = (done, f"{epoch['loss']:.3f}", short(epoch["score"]))
            spent = f"{time.monotonic() - state.started:.0f}"
            table.add_row(escape(run.task), escape(state.cell.variant), str(run.seed), *progress, spent)
    for state in [state for state in work.states if state.status == "failed"][-5:]:
        run, (failure_class, message) = state.cell.run, state.failure or ("internal", "")
        table.add_row(escape(run.task), escape(state.cell.variant), str(run.seed), failure_class, escape(message[:60]))
    return Group(escape(title), without_last_columns(table, width))


def _show_results(
    name: str,
    store: Path,
    results: Results,
    failed: list[CellState],
    test_sets: list[EvaluationData],
    as_json: bool,
) -> None:
    elsewhere = evaluate_cells(store, results, test_sets)
    if as_json:
        record = {"suite": name, "results": [{"variant": variant, **result} for variant, result in results]}
        if test_sets:
            record["evaluations"] = [{"variant": variant, **result} for variant, result in elsewhere]
        print_json(record)
    elif results:
        from atinuke_bench.console import as_rows_of_suite, suite_table

        print_parts(suite_table(results))
        if elsewhere:
            print_parts("\nother test sets", suite_table(as_rows_of_suite(elsewhere)))
        print_notes(results[0][1])
    print_code_note_of_cells(store, results)
    show_failed(failed)
    scored = {result["name"] for _, result in elsewhere}
    unfit = [test_set.name for test_set in test_sets if results and test_set.name not in scored]
    for name_of_set in unfit:
        say(f"test set {name_of_set}: no run could be scored on it", err=True)
    if unfit and not failed:
        raise typer.Exit(1)
    if failed:
        raise typer.Exit(1)


def show_failed(failed: list[CellState]) -> None:
    """A line for each failed run, and what runs them again; nothing where none has failed."""
    for state in failed:
        failure_class, message = state.failure or ("internal", "")
        where = f": {state.folder.path}" if state.folder is not None else ""
        say(f"failed ({failure_class}) {state.cell.path}: {one_short_line(message)}{where}", err=True)
    if failed:
        say(f"{len(failed)} runs failed; --retry-failed runs them again", err=True)
