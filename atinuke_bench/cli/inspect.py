"""Commands that show what is there: `tasks`, `cores`, `show`, `doctor`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from atinuke_bench.cli import completion
from atinuke_bench.cli.shared import (
    JsonOption,
    app,
    print_code_note,
    print_json,
    print_parts,
    print_rows,
    say,
    short,
    stdout,
)


@app.command(epilog="Example: atinuke-bench tasks --json")
def tasks(as_json: JsonOption = False) -> None:
    """List the tasks; a YAML file declares others (`task new`)."""
    from atinuke_bench.errors import MissingDependencyError, PluginError
    from atinuke_bench.registry import load_task, plugin_errors, task_names

    rows, broken = [], []
    for name in task_names():
        try:
            with plugin_errors("tasks", name):
                task = load_task(name)
                figures = {"metric": task.metric.name, "splits": ", ".join(task.splits.evaluated)}
                rows.append({"task": name, **figures, "summary": task.summary})
        except (PluginError, MissingDependencyError) as error:
            broken.append(str(error))
    _print_listed(rows, broken, as_json)


@app.command(epilog="Example: atinuke-bench cores")
def cores(as_json: JsonOption = False) -> None:
    """List the cores and their presets, with parameters at the default vocabulary."""
    from atinuke_bench.core.catalogue import describe_cores

    _print_listed(*describe_cores(), as_json)


@app.command(epilog="Example: atinuke-bench show runs/snli/atinuke/seed-0-4909b0c4ad")
def show(
    run: Annotated[Path, typer.Argument(help="A run folder.", autocompletion=completion.runs)],
    as_json: JsonOption = False,
) -> None:
    """Show one run: result, scores of every split, slices, cost, protocol; or how far it is."""
    from atinuke_bench.evaluation_folder import finished_evaluations
    from atinuke_bench.run_folder import RunFolder

    folder = RunFolder(run)
    if not os.path.lexists(folder.result):
        _show_unfinished(folder, folder.read_config(), as_json)
        return
    # Its config is not read: that of a plug-in's core is found by importing it, and torch.
    result = folder.read_result()
    print_code_note(run, folder.manifest, result["task"], result["core"])
    evaluations = [evaluation for _, evaluation in finished_evaluations(folder)]
    if as_json:
        print_json({**result, **({"evaluations": evaluations} if evaluations else {})})
        return
    from atinuke_bench.config import Pretraining
    from atinuke_bench.console import evaluation_rows, named_table, result_row
    from atinuke_bench.formatting import visible

    print_parts(result_row([result]))
    for split, metrics in result["scores"].items():
        print_parts(named_table(f"\n{split}", metrics))
        for slice_name, groups in result["slices"].get(split, {}).items():
            for label, values in groups.items():
                shown = "  ".join(f"{name} {short(value)}" for name, value in values.items())
                stdout().print(visible(f"  {slice_name} {label}: {shown}"), markup=False)
    protocol = result["protocol"]
    protocol = {**protocol, "pretraining": Pretraining.read(protocol["pretraining"]).label}
    # Epochs are counted from 0 in files, and from 1 wherever they are shown.
    selection = dict(result["selection"])
    if "best_epoch" in selection:
        selection["best_epoch"] += 1
    for title, record in (("selection", selection), ("cost", result["cost"]), ("protocol", protocol)):
        print_parts(named_table(f"\n{title}", record))
    if evaluations:
        print_parts("\nother test sets", evaluation_rows((one, result) for one in evaluations))


@app.command(epilog="Example: atinuke-bench doctor")
def doctor(as_json: JsonOption = False) -> None:
    """Show versions, devices, threads, caches and which services can be reached."""
    from atinuke_bench.runs.doctor import examine

    record = examine()
    if as_json:
        print_json(record)
        return
    from atinuke_bench.console import named_table

    for title, part in record.items():
        if isinstance(part, list):
            print_parts(named_table(title, {f"{number}.": line for number, line in enumerate(part, start=1)}))
            continue
        print_parts(named_table(title, part if isinstance(part, dict) else {"": part}))


def _print_listed(rows: list[dict[str, Any]], broken: list[str], as_json: bool) -> None:
    """What there is, and what a broken plug-in lacks, which hinders nothing else."""
    from atinuke_bench.environment import misplaced_plugins

    print_rows(rows, as_json)
    for line in [*broken, *misplaced_plugins()]:
        say(f"not listed: {line}", err=True)


def _show_unfinished(folder: Any, config: Any, as_json: bool) -> None:
    from atinuke_bench.formatting import one_short_line

    failure = folder.read_failure()
    record = {
        "task": config.task,
        "core": config.core.label(),
        "seed": config.seed,
        "finished_epochs": len(folder.read_history()),
        "failure": failure and failure.model_dump(mode="json", by_alias=True),
    }
    if as_json:
        print_json(record)
        return
    state = f"failed ({failure.failure_class}): {one_short_line(failure.message)}" if failure else "not finished"
    say(f"{config.task} {config.core.label()} seed {config.seed}: {state}")
    say(f"{record['finished_epochs']} of at most {config.training.max_epochs} epochs are done")
