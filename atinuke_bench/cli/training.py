"""Commands that train: `run`, `suite`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from atinuke_bench.cli.shared import (
    CoreOption,
    DataDirOption,
    JsonOption,
    OutOption,
    PresetOption,
    SetOption,
    SourceOption,
    TaskOption,
    WandbOption,
    app,
    print_json,
    print_notes,
    short,
    source_config,
    stdout,
    wandb_mode,
)


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
        source=source_config(source, data_dir),
        seed=seed,
        overrides=dict(map(parse_override, overrides or [])),
        task_training=dict(load_task(task).training),
    )
    from atinuke_bench.runs.execute import execute
    from atinuke_bench.training.train import Execution

    folder, result = execute(config, out, wandb=wandb_mode(wandb), execution=Execution(threads=threads))
    if as_json:
        print_json({"folder": str(folder.path), **result})
        return
    from atinuke_bench.console import result_row

    stdout().print(result_row([result]))
    print_notes(result)
    stdout().print(str(folder.path), markup=False, highlight=False, soft_wrap=True)


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
    cells = expand(config, source_config(source, data_dir))
    if dry_run:
        for cell in cells:
            typer.echo(f"{cell.run.task}  {cell.variant}  seed {cell.run.seed}")
        typer.echo(f"{len(cells)} runs", err=True)
        return
    outcomes = _carry_out_suite(config.name, cells, out, workers or os.cpu_count() or 1, wandb_mode(wandb))
    finished = [(outcome.cell.variant, outcome.result) for outcome in outcomes if outcome.result is not None]
    if as_json:
        print_json({"suite": config.name, "results": [{"variant": name, **result} for name, result in finished]})
    elif finished:
        from atinuke_bench.console import suite_table

        stdout().print(suite_table(finished))
        print_notes(finished[0][1])
    if len(finished) < len(cells):
        raise typer.Exit(1)


def _carry_out_suite(name: str, cells: list[Any], out: Path, workers: int, wandb: Any) -> list[Any]:
    from functools import partial

    from atinuke_bench.runs.execute import execute_quietly
    from atinuke_bench.runs.suite import run_suite

    outcomes = []
    for outcome in run_suite(cells, out, workers, partial(execute_quietly, wandb=wandb, group=name)):
        outcomes.append(outcome)
        run, result = outcome.cell.run, outcome.result
        shown = f"failed: {outcome.error}" if result is None else f"{short(result['score'])} {result['metric']}"
        typer.echo(
            f"[{len(outcomes)}/{len(cells)}] {run.task}  {outcome.cell.variant}  seed {run.seed}: {shown}", err=True
        )
    order = {id(cell): place for place, cell in enumerate(cells)}
    return sorted(outcomes, key=lambda outcome: order[id(outcome.cell)])
