"""The application object, the options that commands share, and how they print."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, get_type_hints

import typer
import typer.core

from atinuke_bench.cli import completion
from atinuke_bench.errors import ConfigError
from atinuke_bench.formatting import one_short_line, visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from atinuke_bench.training.execution import Execution


class _InOrderOfUse(typer.core.TyperGroup):
    """Lists commands as a user meets them, not as modules are imported."""

    order = (
        "run",
        "plan",
        "suite",
        "sweep",
        "predict",
        "evaluate",
        "heads",
        "export",
        "score",
        "submit",
        "report",
        "compare",
        "diagnose",
        "claim",
        "reproduce",
        "task",
        "tasks",
        "cores",
        "schema",
        "show",
        "doctor",
    )

    #: What other tools call our commands, too far from their names to be guessed by spelling.
    elsewhere: ClassVar[dict[str, str]] = {
        "train": "run",
        "fit": "run",
        "test": "evaluate",
        "infer": "predict",
        "models": "cores",
    }

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] in self.elsewhere and args[0] not in self.commands:
            ctx.fail(f"No such command {args[0]!r}. Did you mean {self.elsewhere[args[0]]!r}?")
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: Any) -> list[str]:
        return [name for name in self.order if name in self.commands] + sorted(set(self.commands) - set(self.order))


#: Where to begin, below the list of commands.
FIRST_STEPS = """First steps:

\b
atinuke-bench suite smoke           seconds, on generated data; then `suite quick`
atinuke-bench task new FILES...     a task of your own data: docs/own-data.md
atinuke-bench tasks                 the benchmarks; where their data is: docs/data.md
"""

app = typer.Typer(
    cls=_InOrderOfUse,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Train, evaluate and compare encoder cores on SQuAD, GLUE, SNLI, coreference and semantic role labelling.",
    epilog=FIRST_STEPS,
)

TASK = typer.Option(
    "--task",
    help="Task to train and evaluate on; `tasks` lists all. Or a YAML file that declares one.",
    autocompletion=completion.tasks,
)
CORE = typer.Option("--core", help="Encoder under test; `cores` lists all.", autocompletion=completion.cores)
CoreOption = Annotated[str, CORE]
ModelOption = Annotated[
    str | None,
    typer.Option("--model", help="What --core pretrained starts from: a name on the Hub, or a folder."),
]
PRESET = typer.Option(
    "--preset",
    help="Named dimensions: nano, micro (default), mini, small, base.",
    autocompletion=completion.presets,
)
PresetOption = Annotated[str, PRESET]
SOURCE = typer.Option(
    "--source",
    help="Where the data comes from: local (the default), hub, or microworld (generated).",
    autocompletion=completion.one_of("local", "hub", "microworld"),
)
SourceOption = Annotated[str, SOURCE]
SuiteArgument = Annotated[
    str,
    typer.Argument(
        metavar="SUITE",
        help="A built-in suite, or a YAML file.",
        autocompletion=completion.files_of("suites"),
    ),
]
DataDirOption = Annotated[
    Path | None,
    typer.Option("--data-dir", envvar="ATINUKE_DATA", help="Folder of the official files (source local)."),
]
AcrossOption = Annotated[
    list[str] | None,
    typer.Option("--across", metavar="FIELD", help="Field of the protocol in which A and B may differ."),
]
WorkersOption = Annotated[int | None, typer.Option("--workers", min=1, help="Runs side by side.")]
DevicesPerRunOption = Annotated[int, typer.Option("--devices-per-run", min=1, help="Processes of each run (DDP).")]
OnlyOption = Annotated[
    list[str] | None, typer.Option("--only", metavar="TASK/CORE/SEED", help="Runs to take; * matches anything.")
]
TimeoutOption = Annotated[
    float | None, typer.Option("--timeout", min=1, help="Seconds after which a run counts as hanging.")
]
RetryFailedOption = Annotated[bool, typer.Option("--retry-failed", help="Run again what failed before.")]
OutOption = Annotated[Path, typer.Option("--out", help="Store of run folders.")]
StorageOption = Annotated[
    str | None,
    typer.Option(
        "--storage",
        envvar="ATINUKE_STORAGE",
        help="Database URL of studies, for several machines: postgresql://user@host/database or mysql://…. Else an "
        "SQLite file in the store.",
    ),
]
RerunOption = Annotated[
    bool, typer.Option("--rerun", help="Train again what is finished; the files that are there are set aside.")
]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Override a field of the run's config.")
]
DropOverlapOption = Annotated[
    bool,
    typer.Option("--drop-overlap", help="Leave out of train what evaluated splits have too; the protocol says so."),
]
UnlabelledOption = Annotated[
    bool,
    typer.Option(
        "--predict-unlabelled",
        help="Also predict splits without labels, such as GLUE's test sets, which `submit` needs.",
    ),
]
TextsOption = Annotated[
    bool,
    typer.Option(
        "--texts/--no-texts",
        envvar="ATINUKE_TEXTS",
        help="Keep the texts of evaluated examples in the store, once a data set, for reports to show.",
    ),
]
WandbOption = Annotated[
    str,
    typer.Option(
        "--wandb",
        help="online, offline or disabled.",
        autocompletion=completion.one_of("online", "offline", "disabled"),
    ),
]
DeviceBatchTokensOption = Annotated[
    str | None,
    typer.Option(
        "--device-batch-tokens",
        metavar="N|auto",
        help="Tokens of a batch that a device computes at once. [default: all; on GPUs auto: what fits]",
    ),
]
CheckpointMinutesOption = Annotated[
    float,
    typer.Option(
        "--checkpoint-minutes",
        min=0,
        help="An epoch that takes longer is saved on the way as often, so that a resumed run goes on from there.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]


def takes(group: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make the fields of a dataclass options of a command, in place of its parameter of that class."""

    def with_options(command: Callable[..., None]) -> Callable[..., None]:
        hints = get_type_hints(command, include_extras=True)
        own = [one.replace(annotation=hints[one.name]) for one in inspect.signature(command).parameters.values()]
        (place,) = [number for number, one in enumerate(own) if one.annotation is group]
        kinds = get_type_hints(group, include_extras=True)
        shared = [own[place].replace(name=one.name, default=one.default, annotation=kinds[one.name])
                  for one in fields(group)]  # fmt: skip

        @functools.wraps(command)
        def called(**given: Any) -> None:
            chosen = group(**{one.name: given.pop(one.name) for one in shared})
            command(**given, **{own[place].name: chosen})

        parameters = [*own[:place], *shared, *own[place + 1 :]]
        called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        called.__annotations__ = {one.name: one.annotation for one in parameters}
        return called

    return with_options


def wandb_mode(mode: str) -> Any:
    from atinuke_bench.config.asked import require_wandb_mode

    return require_wandb_mode(mode)


def on_device(device_tokens: str | None, checkpoint_minutes: float, keeps_texts: bool = False) -> dict[str, Any]:
    """Fields of `Execution` that commands which train have options for; of trials, reports show no examples."""
    from atinuke_bench.environment import unused_gpu

    if (line := unused_gpu()) is not None:
        say(f"warning: {line}", err=True)
    return {
        "device_batch_tokens": _device_batch_tokens(device_tokens),
        "checkpoint_minutes": checkpoint_minutes,
        "keeps_texts": keeps_texts,
    }


def execution_of_many(how: Mapping[str, Any], devices: int, threads: int = 1) -> Execution:
    """How each of many runs is carried out, whose progress is not shown; `how` is what `on_device` says."""
    from atinuke_bench.training.execution import Execution

    return Execution(threads=threads, devices=devices, show_progress=False, **how)


def _device_batch_tokens(text: str | None) -> int | Literal["auto"] | None:
    if text is None:
        return None
    if text == "auto":
        return "auto"
    if not (text.isascii() and text.isdecimal() and 0 < len(text) < 10 and int(text)):
        raise ConfigError(f"--device-batch-tokens is a number of tokens from 1 on, or 'auto'; found {text[:40]!r}")
    return int(text)


def existing(places: list[Path]) -> list[Path]:
    """The places themselves; ConfigError where one is not there."""
    if missing := [str(place) for place in places if not place.exists()]:
        raise ConfigError(f"no such folder: {', '.join(missing)}")
    return places


def finished_runs(places: list[Path]) -> list[tuple[Any, dict[str, Any]]]:
    from atinuke_bench.run_folder import find_runs

    found = [(folder, folder.read_result()) for folder in find_runs(*places) if folder.is_finished()]
    if not found:
        raise ConfigError(f"no finished run at or below {', '.join(map(str, places))}")
    return found


def print_notes(result: dict[str, Any]) -> None:
    """Print caveats (cut or own data, selected on dev) below the table; a caption says that data is generated."""
    from atinuke_bench.records import cut_or_own

    protocol = result["protocol"]
    if protocol["is_cut"] and protocol["source"] != "microworld":
        say(f"{cut_or_own(protocol)}: not comparable with published scores", err=True)
    if protocol["selection"] == "dev":
        say("selected on dev: the dev score is optimistic", err=True)


def print_code_note(place: Path, file: Path, task: str, core: str) -> None:
    """Say so where the code of a run, as `file` records it, has changed since."""
    from atinuke_bench.source_code import code_note

    if note := code_note(file, task, core):
        say(f"warning: {place}: {note}", err=True)


def print_code_note_of_cells(store: Path, results: list[tuple[str, dict[str, Any]]]) -> None:
    """Say once which cells have runs whose code has changed since; results with the names of their variants."""
    from atinuke_bench.run_folder import folder_of_result
    from atinuke_bench.source_code import changed_modules, names_of, recorded_code

    seeds: dict[str, list[str]] = {}
    modules: dict[str, None] = {}
    for variant, result in results:
        code = recorded_code(folder_of_result(store, result).manifest)
        if changed := changed_modules(code, result["task"], result["core"]):
            seeds.setdefault(f"{result['task']}/{variant}", []).append(str(result["seed"]))
            modules |= dict.fromkeys(changed)
    if seeds:
        cells = "; ".join(f"{cell} seed{'s' * (len(found) > 1)} {', '.join(found)}" for cell, found in seeds.items())
        count = f"{sum(map(len, seeds.values()))} of {len(results)} runs"
        note = f"{count} finished earlier with other code ({names_of(list(modules))}): {cells}"
        say(f"warning: {note}; --rerun trains the grid again, or what --only names", err=True)


def print_rows(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json(rows)
        return
    from rich.table import Table

    from atinuke_bench.console import escape

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in rows[0]:
        table.add_column(heading)
    for row in rows:
        table.add_row(*(escape(str(value)) for value in row.values()))
    print_parts(table)


def say(text: str, err: bool = False) -> None:
    """Print a line; names and texts in it, which may come from anywhere, neither end it nor steer the terminal.

    What is said on standard error is a message, and as short as one.
    """
    typer.echo(one_short_line(text) if err else visible(" ".join(text.splitlines())), err=err)


def print_json(record: Any) -> None:
    from atinuke_bench.files import finite

    typer.echo(json.dumps(finite(record), indent=1))


def print_parts(*parts: Table | str) -> None:
    """Print tables, as the terminal has room for them, and lines of text."""
    from atinuke_bench.console import fitted

    console = stdout()
    console.print(*(part if isinstance(part, str) else fitted(part, console.width) for part in parts), sep="\n")


def stdout() -> Console:
    from rich.console import Console

    console = Console(highlight=False)
    # A pipe has no width; a table cut to 80 columns would lose figures.
    return console if console.is_terminal else Console(highlight=False, width=200)


def short(value: Any) -> str:
    return "–" if value is None else f"{value:.2f}" if isinstance(value, float) else str(value)
