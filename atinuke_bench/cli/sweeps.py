"""Commands that carry out studies and show them: `sweep TASK`, and `sweep resume|show|dashboard STUDY`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.core

from atinuke_bench.cli import completion
from atinuke_bench.cli.shared import (
    JsonOption,
    OutOption,
    PresetOption,
    SetOption,
    SourceOption,
    StorageOption,
    app,
    print_json,
    print_parts,
    say,
    takes,
    wandb_mode,
)
from atinuke_bench.cli.trials import TrialOptions
from atinuke_bench.errors import ConfigError, RunFolderError

if TYPE_CHECKING:
    from atinuke_bench.training.execution import Execution

SEARCH = "TASK"


class _TaskOrCommand(typer.core.TyperGroup):
    """`sweep snli` searches on a task; `sweep resume STUDY` and its sisters are commands."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        is_help = bool(args) and args[0] in ctx.help_option_names
        if args and args[0] not in self.commands and not is_help:
            args = [SEARCH, *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.commands)


sweeps = typer.Typer(
    cls=_TaskOrCommand,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Search depth, heads, sizes, dropout and training settings of a core: `sweep TASK`, where TASK is a task's "
    "name. `sweep TASK --help` shows the search's options.",
    epilog="Example: atinuke-bench sweep snli --core atinuke --trials 40",
)
app.add_typer(sweeps, name="sweep")

StudyArgument = Annotated[
    str,
    typer.Argument(metavar="STUDY", help="Name of a study in the store.", autocompletion=completion.studies),
]
TrialsOption = Annotated[
    int | None,
    typer.Option("--trials", min=1, help="Trials of the study, over all restarts. [default: as before]"),
]
SearchTrialsOption = Annotated[
    int | None,
    typer.Option("--trials", min=1, help="Trials over all restarts. [default, without limits: 40, or a whole grid]"),
]
PrunerOption = Annotated[
    str | None, typer.Option("--pruner", help="race, asha, hyperband, median or none. [default: race]")
]
SearchSeedsOption = Annotated[
    int | None,
    typer.Option("--seeds", min=1, help="Most seeds of the best trials in the end; 1 for no finals. [default: 5]"),
]
AggregateOption = Annotated[
    str,
    typer.Option(
        "--aggregate",
        help="Of several tasks: normalised (each between its floor and its best) or mean (scores as they are).",
    ),
]
SharesOption = Annotated[
    str | None,
    typer.Option("--shares", help="Parts of the train data on which a trial is tried first, such as 0.1,0.3."),
]
SecondsOption = Annotated[float | None, typer.Option("--seconds", min=0, help="Seconds of trials, added over workers.")]
SearchTaskArgument = Annotated[
    str,
    typer.Argument(
        metavar="TASK",
        help="Task to search on; `tasks` lists all. Or a YAML file. Several by commas: one configuration for all.",
        autocompletion=completion.tasks,
    ),
]
SearchCoreOption = Annotated[
    str, typer.Option("--core", help="Encoder under search; `cores` lists all.", autocompletion=completion.cores)
]
SearchCoresOption = Annotated[
    str | None, typer.Option("--cores", help="Several, by commas: a study each, with the same budget.")
]
SpaceOption = Annotated[
    str,
    typer.Option(
        "--space",
        help="encoder, dimensions, optimisation, components, or a YAML file.",
        autocompletion=completion.files_of("sweeps"),
    ),
]
AgainstOption = Annotated[
    str | None, typer.Option("--against", help="Weigh the score against parameters or flops (no pruning).")
]
AtMostOption = Annotated[
    list[str] | None,
    typer.Option(
        "--at-most",
        metavar="NAME=NUMBER",
        help="What a trial may cost: parameters, flops (a token), memory (bytes) or latency (seconds). Repeatable.",
    ),
]
FromOption = Annotated[
    list[str] | None,
    typer.Option(
        "--from",
        metavar="STUDY",
        help="Begin from a study of the store: its trials count as known where they are runs of this study; else its "
        "best points are tried first. Repeatable.",
        autocompletion=completion.studies,
    ),
]
FlopsOption = Annotated[
    float | None, typer.Option("--flops", min=0, help="Training operations of all trials, such as 1e15.")
]


@sweeps.command(SEARCH, epilog="Example: atinuke-bench sweep snli --core atinuke --preset nano --trials 40 --workers 2")
@takes(TrialOptions)
def search(
    task: SearchTaskArgument,
    core: SearchCoreOption = "atinuke",
    cores: SearchCoresOption = None,
    preset: PresetOption = "micro",
    space: SpaceOption = "encoder",
    trials: SearchTrialsOption = None,
    seconds: SecondsOption = None,
    flops: FlopsOption = None,
    sampler: Annotated[str, typer.Option("--sampler", help="tpe, random, grid, cmaes or nsga2.")] = "tpe",
    pruner: PrunerOption = None,
    against: AgainstOption = None,
    at_most: AtMostOption = None,
    from_: FromOption = None,
    num_seeds: SearchSeedsOption = None,
    aggregate: AggregateOption = "normalised",
    shares: SharesOption = None,
    name: Annotated[str | None, typer.Option("--name", help="Name of the study. [default: from task and core]")] = None,
    source: SourceOption = "local",
    seed: Annotated[int, typer.Option("--seed", help="Seed of the trials' runs and of the sampler.")] = 0,
    overrides: SetOption = None,
    *,
    how: TrialOptions,
) -> None:
    """Search a space of core dimensions and training settings with Optuna. The same command joins or resumes it.

    Trials are chosen by the slice held out from train; dev and test play no part. With several tasks a trial is one
    configuration on all of them. Once the search is over, its best trials get further seeds (--seeds).
    """
    from atinuke_bench.sweeps.planning import plan_studies

    configs = plan_studies(
        **_tasks_and_source(task, source, how.data_dir),
        **_limits_and_overrides(at_most, overrides),
        cores=[part.strip() for part in cores.split(",")] if cores else [core],
        name=name,
        space=space,
        budget={"trials": trials, "seconds": seconds, "training_flops": flops},
        sampler=sampler,
        pruner=pruner,
        against=against,
        warm_start=tuple(from_ or ()),
        num_seeds=num_seeds,
        aggregate=aggregate,
        shares=_shares(shares),
        preset=preset,
        seed=seed,
    )
    execution = how.execution()
    studies = _made_or_joined(configs, how.out, how.storage)
    _print_studies(studies, _carry_out(studies, how, execution), how.as_json)


@sweeps.command(epilog="Example: atinuke-bench sweep resume snli-atinuke --trials 80")
@takes(TrialOptions)
def resume(
    study: StudyArgument,
    trials: TrialsOption = None,
    seconds: SecondsOption = None,
    flops: FlopsOption = None,
    *,
    how: TrialOptions,
) -> None:
    """Go on with a study, or join it from another process or machine; its budget may be raised."""
    from atinuke_bench.config import parse
    from atinuke_bench.sweeps.definition import Budget
    from atinuke_bench.sweeps.opening import open_study, require_current

    execution = how.execution()
    opened = open_study(study, how.out, how.storage, how.data_dir)
    require_current(opened)
    granted = {"trials": trials, "seconds": seconds, "training_flops": flops}
    _begin([opened], how.storage)
    changes = {kind: limit for kind, limit in granted.items() if limit is not None}
    if changes:
        opened.set_budget(parse(Budget, {**opened.config.budget.model_dump(), **changes}, "budget"))
    _print_studies([opened], _carry_out([opened], how, execution), how.as_json)


@sweeps.command(epilog="Example: atinuke-bench sweep show snli-atinuke snli-bilstm")
def show(
    studies: Annotated[
        list[str],
        typer.Argument(metavar="STUDY...", help="Names of studies in the store.", autocompletion=completion.studies),
    ],
    storage: StorageOption = None,
    out: OutOption = Path("runs"),
    as_json: JsonOption = False,
) -> None:
    """Show what studies found: trials, the best, importance.

    Writes insight.json and figures beside each study, where that can be written.
    """
    from atinuke_bench.sweeps.opening import open_study

    opened = [open_study(name, out, storage) for name in studies]
    _print_studies(opened, [_learned(study) for study in opened], as_json)


@sweeps.command(epilog="Example: atinuke-bench sweep dashboard snli-atinuke --port 8080")
def dashboard(
    study: StudyArgument,
    storage: StorageOption = None,
    out: OutOption = Path("runs"),
    host: Annotated[str, typer.Option("--host", help="Address to serve on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="Port to serve on.")] = 8080,
) -> None:
    """Serve Optuna's dashboard on a study's database until interrupted (needs the extra `dashboard`)."""
    from atinuke_bench.sweeps.opening import open_study, serve_dashboard

    opened = open_study(study, out, storage)
    say(f"http://{host}:{port}/  (Ctrl-C ends it)", err=True)
    serve_dashboard(opened, host, port)


def _tasks_and_source(task: str, source: str, data_dir: Path | None) -> dict[str, Any]:
    from atinuke_bench.config import find_task
    from atinuke_bench.config.asked import source_config

    # A file may have a comma in its name.
    names = [task] if Path(task).exists() else [part.strip() for part in task.split(",")]
    tasks = [find_task(name) for name in names]
    declarations = [declaration for _, declaration in tasks]
    sources = [source_config(source, data_dir, declaration) for declaration in declarations]
    return {"tasks": tasks, "source": sources[0]}


def _limits_and_overrides(at_most: list[str] | None, overrides: list[str] | None) -> dict[str, Any]:
    from atinuke_bench.config import parse_override
    from atinuke_bench.sweeps.limits import parse_limits

    return {"at_most": parse_limits(at_most or []), "overrides": dict(map(parse_override, overrides or []))}


def _shares(text: str | None) -> list[float]:
    try:
        return [float(part) for part in text.split(",")] if text is not None else []
    except ValueError:
        raise ConfigError(f"--shares is numbers with commas between, such as 0.1,0.3; found {text!r:.80}") from None


def _template(study: Any, wandb: str, execution: Execution) -> Any:
    from atinuke_bench.runs.jobs.types import Job

    return Job(
        key="",
        run=study.config.make_run({}),
        store=study.store,
        wandb=wandb_mode(wandb),
        group=study.config.name,
        execution=execution,
    )


def _made_or_joined(configs: list[Any], out: Path, storage: str | None) -> list[Any]:
    from atinuke_bench.sweeps.opening import create_or_join
    from atinuke_bench.sweeps.warm_start import require_sources

    for config in configs:
        require_sources(config, out, storage)
    studies = [create_or_join(config, out, storage) for config in configs]
    _begin(studies, storage)
    return studies


def _begin(studies: list[Any], storage: str | None) -> None:
    """Give studies what those that they begin from found, unless they have it."""
    from atinuke_bench.sweeps.warm_start import warm_start

    for study in studies:
        for taken in warm_start(study, storage):
            say(f"study {study.config.name}: {taken}", err=True)


def _carry_out(studies: list[Any], how: TrialOptions, execution: Execution) -> list[Any]:
    """Serve the studies one after the other, each on the whole machine; what each learned."""
    from atinuke_bench.runs.jobs.factory import make_executor
    from atinuke_bench.sweeps.insight import insight, write_insight
    from atinuke_bench.sweeps.progress import Progress
    from atinuke_bench.sweeps.sweep import Sweep

    runner = make_executor(how.executor, how.workers, execution.devices, execution.threads)
    learned = []
    try:
        for study in studies:
            progress = Progress(study, lambda line: say(line, err=True))
            try:
                Sweep(study, runner, _template(study, how.wandb, execution), progress).run()
            except BaseException:
                write_insight(study, insight(study))  # after an interrupt nobody waits for figures
                raise
            learned.append(_learned(study))
    finally:
        runner.close()
    return learned


def _learned(study: Any) -> Any:
    """What a study learned, written and drawn beside it; where that cannot be written, it is shown all the same."""
    from atinuke_bench.reports.sections import studies as drawing
    from atinuke_bench.sweeps.insight import insight, write_insight

    record = insight(study)
    try:
        write_insight(study, record)
        drawing.write_figures(record, study.folder / "figures")
    except RunFolderError as error:
        say(f"shown, not kept: {error}", err=True)
    return record


def _print_studies(studies: list[Any], records: list[Any], as_json: bool) -> None:
    """Print what studies learned, and close them."""
    try:
        _show(studies, records, as_json)
    finally:
        for study in studies:
            study.close()


def _show(studies: list[Any], records: list[Any], as_json: bool) -> None:
    if as_json:
        print_json(records[0] if len(records) == 1 else {"studies": records})
        return
    from atinuke_bench.study_tables import study_tables

    print_parts(*study_tables(records))
    for study in studies:
        say(str(study.folder))
    if all(record["best"] is None for record in records):
        raise ConfigError("no trial is complete and within its limits; `sweep show --json` gives each trial's reason")
