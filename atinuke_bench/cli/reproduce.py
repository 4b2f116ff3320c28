"""The command that repeats a published protocol and says whether its figures come out: `reproduce`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from atinuke_bench.cli import completion
from atinuke_bench.cli.shared import (
    CheckpointMinutesOption,
    DataDirOption,
    DeviceBatchTokensOption,
    DevicesPerRunOption,
    JsonOption,
    OnlyOption,
    OutOption,
    RerunOption,
    RetryFailedOption,
    TimeoutOption,
    WandbOption,
    WorkersOption,
    app,
    on_device,
    print_json,
    say,
    wandb_mode,
)
from atinuke_bench.cli.suites import GridOptions, grid_results, show_failed
from atinuke_bench.errors import ConfigError

if TYPE_CHECKING:
    from atinuke_bench.config import Recipe
    from atinuke_bench.reports.reproduction import Outcome, Result

NameArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="A built-in recipe, a YAML file, or `list`.",
        autocompletion=completion.files_of("recipes"),
    ),
]
_LIST = "list"
_HELP = """Carry out a published protocol and hold its scores against the published. `reproduce list` names all.

\b
within the published spread: z = 0.4      reproduced, if nothing keeps the two apart (cut data, another checkpoint …)
outside: z = -3.1                         |z| is over 1.96; of 2 seeds that is chance in 22 % of cases, of 5 in 9 %
no spread published                       both are shown; there is no verdict

What is finished counts, so that the command may be stopped and started again. Exit status 1: a figure lies outside, or
a run failed.
"""


@app.command(help=_HELP, epilog="Example: atinuke-bench reproduce bert-base-uncased-20-seeds --data-dir data --dry-run")
def reproduce(
    name_or_file: NameArgument,
    source: Annotated[str | None, typer.Option("--source", help="Where the data comes from: local or hub.")] = None,
    data_dir: DataDirOption = None,
    out: OutOption = Path("runs"),
    seeds: Annotated[
        str | None, typer.Option("--seeds", metavar="N,N,…", help="Seeds in place of the recipe's own.")
    ] = None,
    workers: WorkersOption = None,
    executor: Annotated[str, typer.Option("--executor", help="local, or ray.")] = "local",
    devices_per_run: DevicesPerRunOption = 1,
    device_tokens: DeviceBatchTokensOption = None,
    checkpoint_minutes: CheckpointMinutesOption = 30,
    only: OnlyOption = None,
    timeout: TimeoutOption = None,
    retry_failed: RetryFailedOption = False,
    rerun: RerunOption = False,
    wandb: WandbOption = "offline",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the runs and stop; nothing is written.")] = False,
    as_json: JsonOption = False,
) -> None:
    from atinuke_bench.config.asked import suite_source
    from atinuke_bench.runs.recipes import built_in_recipes, read_recipe

    if name_or_file == _LIST:
        _show_list([read_recipe(name) for name in built_in_recipes()], as_json)
        return
    started = time.process_time()
    recipe = read_recipe(name_or_file, _seeds(seeds))
    how = GridOptions(
        out=out,
        only=tuple(only or ()),
        workers=workers,
        executor=executor,
        devices=devices_per_run,
        on_device=on_device(device_tokens, checkpoint_minutes, keeps_texts=True),
        timeout=timeout,
        retry_failed=retry_failed,
        rerun=rerun,
        predict_unlabelled=False,
        wandb=wandb_mode(wandb),
        dry_run=dry_run,
        as_json=as_json,
        needs_models=True,
        started=started,
    )
    found = grid_results(recipe.suite, suite_source(recipe.suite, source, data_dir), name_or_file, how)
    if found is None:
        return
    results, failed = found
    outcomes = _judge(recipe, results)
    _show(recipe, outcomes, as_json)
    show_failed(failed)
    if failed or any(one.finding == "outside" for one in outcomes):
        raise typer.Exit(1)


def _seeds(text: str | None) -> list[int]:
    """The seeds in `0,1,2`; ConfigError."""
    if text is None:
        return []
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise ConfigError(f"--seeds is whole numbers with commas between, such as 0,1,2; found {text!r:.80}")
    return [int(part) for part in parts]


def _judge(recipe: Recipe, results: Sequence[Result]) -> list[Outcome]:
    from atinuke_bench.reports.reading.published import read_published
    from atinuke_bench.reports.reproduction import judge

    return judge(recipe, results, read_published())


def _show_list(recipes: list[Recipe], as_json: bool) -> None:
    rows = [_row(recipe) for recipe in recipes]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        say(f"{row['name']}: {row['summary']}; {row['runs']} runs, {row['figures']} published figures")


def _row(recipe: Recipe) -> dict[str, Any]:
    suite = recipe.suite
    columns = sum(len(suite.tasks_of(name)) for name in suite.cores)
    return {
        "name": recipe.name,
        "summary": recipe.summary,
        "source": recipe.source,
        "place": recipe.place,
        "tasks": suite.tasks,
        "runs": columns * len(suite.seeds),
        "figures": len(recipe.rows),
    }


def _show(recipe: Recipe, outcomes: list[Outcome], as_json: bool) -> None:
    from atinuke_bench.reports.reproduction import summary

    if as_json:
        about = {"recipe": recipe.name, "source": recipe.source, "place": recipe.place, "differs": recipe.differs}
        print_json({**about, "rule": recipe.rule, "outcomes": [one.record() for one in outcomes]})
        return
    say(f"{recipe.summary} ({recipe.source}, {recipe.place})")
    for one in outcomes:
        say(one.sentence)
        if recipe.rule and one.ours is not None:
            say(f"  chosen: {one.ours.name}, {recipe.rule}")
    if recipe.suite.select_on == "dev":
        say("selected on dev, as published")
    for difference in recipe.differs:
        say(f"differs from the protocol: {difference}")
    say(summary(recipe, outcomes))
