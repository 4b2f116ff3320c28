"""The command line. Commands parse, call, print; everything they need is imported when they run."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from atinuke_bench.errors import AtinukeBenchError, ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from atinuke_bench.config import SourceConfig

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Train, evaluate and compare encoder cores on SQuAD, GLUE, SNLI, coreference and semantic role labelling.",
)

INTERRUPTED = 130

TaskOption = Annotated[str, typer.Option("--task", help="Task to train and evaluate on; `tasks` lists all.")]
CoreOption = Annotated[str, typer.Option("--core", help="Encoder under test; `cores` lists all.")]
PresetOption = Annotated[str, typer.Option("--preset", help="Named dimensions: nano, micro, mini, small, base.")]
SourceOption = Annotated[str, typer.Option("--source", help="Where the data comes from: local or hub.")]
DataDirOption = Annotated[
    Path | None,
    typer.Option("--data-dir", envvar="ATINUKE_DATA", help="Folder of the official files (source local)."),
]
OutOption = Annotated[Path, typer.Option("--out", help="Store of run folders.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Override a field of the run's config.")
]
WandbOption = Annotated[str, typer.Option("--wandb", help="online, offline or disabled.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]


@app.command(epilog="Example: atinuke-bench run --task snli --core atinuke --data-dir data --set core.causal=false")
def run(
    task: TaskOption,
    core: CoreOption,
    preset: PresetOption = "micro",
    source: SourceOption = "local",
    data_dir: DataDirOption = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of initialisation, order and dropout.")] = 0,
    overrides: SetOption = None,
    out: OutOption = Path("runs"),
    wandb: WandbOption = "offline",
    threads: Annotated[int, typer.Option("--threads", min=1, help="CPU threads.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Train and evaluate one core on one task with one seed. A finished run is shown, not repeated."""
    from atinuke_bench.config import make_run_config, parse_override
    from atinuke_bench.registry import load_task, require_core_name, require_task_name

    require_task_name(task)
    require_core_name(core)
    config = make_run_config(
        task,
        core,
        preset=preset,
        source=_source(source, data_dir),
        seed=seed,
        overrides=dict(map(parse_override, overrides or [])),
        task_training=dict(load_task(task).training),
    )
    from atinuke_bench.runs.execute import execute
    from atinuke_bench.training.train import Execution

    folder, result = execute(config, out, wandb=_wandb(wandb), execution=Execution(threads=threads))
    if as_json:
        _print_json({"folder": str(folder.path), **result})
        return
    from atinuke_bench.console import result_row

    _stdout().print(result_row([result]))
    _print_notes(result)
    _stdout().print(str(folder.path), markup=False, highlight=False, soft_wrap=True)


@app.command(epilog="Example: atinuke-bench suite quick --data-dir data --workers 2")
def suite(
    name_or_file: Annotated[str, typer.Argument(help="A built-in suite, or a YAML file.")],
    source: SourceOption = "local",
    data_dir: DataDirOption = None,
    out: OutOption = Path("runs"),
    workers: Annotated[int | None, typer.Option("--workers", min=1, help="Runs side by side; all cores.")] = None,
    wandb: WandbOption = "offline",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the grid and stop.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Carry out a grid of runs and print the table of means. Finished runs are not repeated."""
    from atinuke_bench.runs.suite import expand, read_suite

    config = read_suite(name_or_file)
    cells = expand(config, _source(source, data_dir))
    if dry_run:
        for cell in cells:
            typer.echo(f"{cell.run.task}  {cell.variant}  seed {cell.run.seed}")
        typer.echo(f"{len(cells)} runs", err=True)
        return
    outcomes = _carry_out_suite(config.name, cells, out, workers or os.cpu_count() or 1, _wandb(wandb))
    finished = [(outcome.cell.variant, outcome.result) for outcome in outcomes if outcome.result is not None]
    if as_json:
        _print_json({"suite": config.name, "results": [{"variant": name, **result} for name, result in finished]})
    elif finished:
        from atinuke_bench.console import suite_table

        _stdout().print(suite_table(finished))
        _print_notes(finished[0][1])
    if len(finished) < len(cells):
        raise typer.Exit(1)


@app.command(epilog="Example: atinuke-bench score snli --gold snli_1.0_dev.jsonl --predictions predictions.jsonl")
def score(
    task: Annotated[str, typer.Argument(help="Task whose official metrics are computed.")],
    gold: Annotated[Path, typer.Option("--gold", help="Official gold file.")],
    predictions: Annotated[Path, typer.Option("--predictions", help="Predictions in the official format.")],
    null_odds: Annotated[
        Path | None, typer.Option("--null-odds", help="How likely each question is unanswerable (squad-v2.0).")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compute the official metrics of a predictions file. Nothing is trained."""
    from atinuke_bench.registry import load_task

    scorer = load_task(task)
    extra = {} if null_odds is None else {"null_odds": null_odds}
    if unknown := extra.keys() - set(scorer.score_options):
        raise ConfigError(f"task {task!r} takes no --{unknown.pop().replace('_', '-')}")
    scores = scorer.score_files(gold, predictions, **extra)
    if as_json:
        _print_json(scores)
        return
    from atinuke_bench.console import score_tables

    _stdout().print(*score_tables(task, scores), sep="\n")


@app.command(epilog="Example: atinuke-bench submit runs/glue --out submission.zip")
def submit(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, or folders that hold some.")],
    out: Annotated[Path, typer.Option("--out", help="Zip file to write.")] = Path("submission.zip"),
    seed: Annotated[int | None, typer.Option("--seed", help="Take only runs of this seed.")] = None,
    core: Annotated[str | None, typer.Option("--core", help="Take only runs of this core.")] = None,
    partial: Annotated[bool, typer.Option("--partial", help="Write the files there are.")] = False,
) -> None:
    """Write the official GLUE submission from finished runs, one a task."""
    from atinuke_bench.runs.submission import write_glue_submission

    found = [
        (folder, result)
        for folder, result in _finished(runs)
        if (seed is None or result["seed"] == seed) and (core is None or result["core"] == core)
    ]
    written = write_glue_submission([folder for folder, _ in found], out, partial=partial)
    typer.echo(f"{written.path}: {', '.join(written.files)}")
    for name, average in (
        ("with WNLI", written.dev_average_with_wnli),
        ("without WNLI", written.dev_average_without_wnli),
    ):
        shown = f"{average.score:.1f}" if average.score is not None else f"missing: {', '.join(average.missing)}"
        typer.echo(f"GLUE average of the dev sets, {name}: {shown}")


@app.command(epilog="Example: atinuke-bench report runs --out report")
def report(
    runs: Annotated[list[Path], typer.Argument(help="Folders that hold runs, or patterns of such.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the report.")],
    as_json: JsonOption = False,
) -> None:
    """Write report.html, tables and figures of finished runs. What cannot be read is listed in it."""
    from atinuke_bench.reports.render import write_report

    written = write_report(runs, out)
    if as_json:
        _print_json({"report": str(out / "report.html"), **written.summary()})
        return
    typer.echo(f"{len(written.frame.runs)} finished runs, {len(written.gaps)} gaps", err=True)
    _stdout().print(str(out / "report.html"), markup=False, highlight=False, soft_wrap=True)


@app.command(epilog="Example: atinuke-bench compare atinuke transformer --runs runs")
def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="A core, or a folder or pattern of runs.")],
    b: Annotated[str, typer.Argument(metavar="B", help="What it is compared with, likewise.")],
    runs: Annotated[Path, typer.Option("--runs", help="Store of the runs, where A and B are cores.")] = Path("runs"),
    as_json: JsonOption = False,
) -> None:
    """Say whether A is better than B on each task they share: a paired test over examples and seeds."""
    from atinuke_bench.reports.sides import compare_sides

    comparisons, gaps = compare_sides(a, b, runs)
    records = [comparison.record() for comparison in comparisons]
    if as_json:
        _print_json({"comparisons": records, "gaps": [vars(gap) for gap in gaps]})
        return
    from atinuke_bench.console import comparison_rows

    _stdout().print(comparison_rows(records))
    for gap in gaps:
        typer.echo(f"not compared: {gap.where}: {gap.reason}", err=True)


@app.command(epilog="Example: atinuke-bench tasks --json")
def tasks(as_json: JsonOption = False) -> None:
    """List the tasks."""
    from atinuke_bench.registry import load_task, task_names

    rows = []
    for name in task_names():
        task = load_task(name)
        rows.append(
            {
                "task": name,
                "metric": task.primary_metric,
                "splits": ", ".join(task.evaluation_splits),
                "summary": task.summary,
            }
        )
    _print_rows(rows, as_json)


@app.command(epilog="Example: atinuke-bench cores")
def cores(as_json: JsonOption = False) -> None:
    """List the cores and their presets, with parameters at the default vocabulary."""
    from atinuke_bench.core.catalogue import describe_cores

    _print_rows(describe_cores(), as_json)


@app.command(epilog="Example: atinuke-bench show runs/snli/atinuke/seed-0-4909b0c4ad")
def show(run: Annotated[Path, typer.Argument(help="A run folder.")], as_json: JsonOption = False) -> None:
    """Show one run: result, scores of every split, slices, cost, protocol; or where it stands."""
    from atinuke_bench.run_folder import RunFolder

    folder = RunFolder(run)
    config = folder.read_config()
    if not folder.is_finished():
        _show_unfinished(folder, config, as_json)
        return
    result = folder.read_result()
    if as_json:
        _print_json(result)
        return
    from atinuke_bench.console import named_table, result_row

    console = _stdout()
    console.print(result_row([result]))
    for split, metrics in result["scores"].items():
        console.print(named_table(f"\n{split}", metrics))
        for slice_name, groups in result["slices"].get(split, {}).items():
            for label, values in groups.items():
                shown = "  ".join(f"{name} {_short(value)}" for name, value in values.items())
                console.print(f"  {slice_name} {label}: {shown}", markup=False, highlight=False)
    for title in ("selection", "cost", "protocol"):
        console.print(named_table(f"\n{title}", result[title]))


@app.command(epilog="Example: atinuke-bench doctor")
def doctor(as_json: JsonOption = False) -> None:
    """Show versions, devices, threads, caches and which services can be reached."""
    from atinuke_bench.runs.doctor import examine

    record = examine()
    if as_json:
        _print_json(record)
        return
    from atinuke_bench.console import named_table

    for title, part in record.items():
        _stdout().print(named_table(title, part if isinstance(part, dict) else {"": part}))


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    if version:
        from atinuke_bench import __version__

        typer.echo(f"atinuke-bench {__version__}")
        raise typer.Exit


def main() -> None:
    """Entry point: users' mistakes end in one line on standard error and status 2."""
    try:
        app()
    except AtinukeBenchError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
    except SystemExit as end:
        if end.code == INTERRUPTED:  # typer's own answer to Ctrl-C, without a word
            typer.echo("interrupted; the same command goes on where it stopped", err=True)
        raise


# --- helpers ----------------------------------------------------------------------------------------------------------


def _source(kind: str, data_dir: Path | None) -> SourceConfig:
    from atinuke_bench.config import SourceConfig, parse

    return parse(SourceConfig, {"kind": kind, "data_dir": data_dir}, "source")


def _wandb(mode: str) -> Any:
    from atinuke_bench.errors import UnknownNameError

    if mode not in (modes := ("online", "offline", "disabled")):
        raise UnknownNameError("W&B mode", mode, modes, f"it is one of {', '.join(modes)}")
    return mode


def _carry_out_suite(name: str, cells: list[Any], out: Path, workers: int, wandb: Any) -> list[Any]:
    from functools import partial

    from atinuke_bench.runs.execute import execute_quietly
    from atinuke_bench.runs.suite import run_suite

    outcomes = []
    for outcome in run_suite(cells, out, workers, partial(execute_quietly, wandb=wandb, group=name)):
        outcomes.append(outcome)
        run, result = outcome.cell.run, outcome.result
        shown = f"failed: {outcome.error}" if result is None else f"{_short(result['score'])} {result['metric']}"
        typer.echo(
            f"[{len(outcomes)}/{len(cells)}] {run.task}  {outcome.cell.variant}  seed {run.seed}: {shown}", err=True
        )
    order = {id(cell): place for place, cell in enumerate(cells)}
    return sorted(outcomes, key=lambda outcome: order[id(outcome.cell)])


def _finished(places: list[Path]) -> list[tuple[Any, dict[str, Any]]]:
    from atinuke_bench.run_folder import find_runs

    found = [(folder, folder.read_result()) for folder in find_runs(*places) if folder.is_finished()]
    if not found:
        raise ConfigError(f"no finished run at or below {', '.join(map(str, places))}")
    return found


def _show_unfinished(folder: Any, config: Any, as_json: bool) -> None:
    from atinuke_bench.files import read_json

    failure = read_json(folder.failure) if folder.failure.exists() else None
    record = {
        "task": config.task,
        "core": config.core.label(),
        "seed": config.seed,
        "finished_epochs": len(folder.read_history()),
        "failure": failure,
    }
    if as_json:
        _print_json(record)
        return
    state = f"failed ({failure['class']}): {failure['message']}" if failure else "not finished"
    typer.echo(f"{config.task} {config.core.label()} seed {config.seed}: {state}")
    typer.echo(f"{record['finished_epochs']} of at most {config.training.max_epochs} epochs are done")


def _print_notes(result: dict[str, Any]) -> None:
    protocol = result["protocol"]
    if protocol["is_cut"]:
        typer.echo("cut data: not comparable with published scores", err=True)
    if protocol["selection"] == "dev":
        typer.echo("selected on dev: the dev score is optimistic", err=True)


def _print_rows(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        _print_json(rows)
        return
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in rows[0]:
        table.add_column(heading)
    for row in rows:
        table.add_row(*(escape(str(value)) for value in row.values()))
    _stdout().print(table)


def _print_json(record: Any) -> None:
    from atinuke_bench.files import finite

    typer.echo(json.dumps(finite(record), indent=1))


def _stdout() -> Console:
    from rich.console import Console

    console = Console(highlight=False)
    # A pipe has no width; a table cut to 80 columns would lose figures.
    return console if console.is_terminal else Console(highlight=False, width=200)


def _short(value: Any) -> str:
    return "–" if value is None else f"{value:.2f}" if isinstance(value, float) else str(value)
