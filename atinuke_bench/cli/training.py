"""The command that trains: `run`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from atinuke_bench.cli import completion
from atinuke_bench.cli.shared import (
    CORE,
    PRESET,
    SOURCE,
    TASK,
    CheckpointMinutesOption,
    DataDirOption,
    DeviceBatchTokensOption,
    DropOverlapOption,
    JsonOption,
    ModelOption,
    OutOption,
    RerunOption,
    SetOption,
    TextsOption,
    UnlabelledOption,
    WandbOption,
    app,
    on_device,
    print_code_note,
    print_json,
    print_notes,
    print_parts,
    say,
    wandb_mode,
)
from atinuke_bench.errors import ConfigError, naming

if TYPE_CHECKING:
    from atinuke_bench.config import RunConfig
    from atinuke_bench.run_folder import RunFolder

INIT_FROM = typer.Option(
    "--init-from",
    metavar="RUN",
    help="Finished run whose core and tokenizer this one starts from.",
    autocompletion=completion.runs,
)


@app.command(
    epilog="Example: atinuke-bench run --task snli --core atinuke --data-dir data --set core.causal=false; "
    "or, another seed of it: atinuke-bench run --config runs/snli/atinuke/seed-0-4909b0c4ad/config.yaml --seed 1"
)
def run(
    task: Annotated[str | None, TASK] = None,
    core: Annotated[str | None, CORE] = None,
    written: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="config.yaml of a run, in place of --task, --core and --preset."),
    ] = None,
    model: ModelOption = None,
    preset: Annotated[str | None, PRESET] = None,
    source: Annotated[str | None, SOURCE] = None,
    data_dir: DataDirOption = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Seed of initialisation, order and dropout.", show_default="0")
    ] = None,
    overrides: SetOption = None,
    drop_overlap: DropOverlapOption = False,
    init_from: Annotated[Path | None, INIT_FROM] = None,
    predict_unlabelled: UnlabelledOption = False,
    texts: TextsOption = True,
    out: OutOption = Path("runs"),
    wandb: WandbOption = "offline",
    threads: Annotated[int, typer.Option("--threads", min=1, help="CPU threads.")] = 1,
    devices: Annotated[int, typer.Option("--devices", min=1, help="Processes that share the run (DDP).")] = 1,
    rerun: RerunOption = False,
    device_tokens: DeviceBatchTokensOption = None,
    checkpoint_minutes: CheckpointMinutesOption = 30,
    as_json: JsonOption = False,
) -> None:
    """Train and evaluate one core on one task with one seed. A finished run is shown; --rerun repeats it."""
    from atinuke_bench.config import parse_override
    from atinuke_bench.config.asked import named_run, run_overrides

    changes = {**run_overrides(init_from, drop_overlap=drop_overlap), **dict(map(parse_override, overrides or []))}
    if written is not None:
        given = {"--task": task, "--core": core, "--model": model, "--preset": preset, "--source": source}
        config = _of_file(written, given, {} if seed is None else {"seed": seed}, data_dir, changes)
    elif task is None or core is None:
        raise ConfigError("a run needs --task and --core, or --config with the config.yaml of another run")
    else:
        config = named_run(
            task,
            core,
            model=model,
            preset=preset or "micro",
            source=source or "local",
            data_dir=data_dir,
            seed=seed or 0,
            overrides=changes,
        )
    from atinuke_bench.runs.execute import execute
    from atinuke_bench.training.execution import Execution

    execution = Execution(threads=threads, devices=devices, **on_device(device_tokens, checkpoint_minutes, texts))
    asked = {"rerun": rerun, "predicts_unlabelled": predict_unlabelled}
    folder, result = execute(config, out, wandb=wandb_mode(wandb), execution=execution, **asked)
    if execution.under_launcher().rank == 0:
        _show(folder, result, as_json)


def _show(folder: RunFolder, result: dict[str, Any], as_json: bool) -> None:
    print_code_note(folder.path, folder.manifest, result["task"], result["core"])
    if as_json:
        print_json({"folder": str(folder.path), **result})
        return
    from atinuke_bench.console import result_row

    print_parts(result_row([result]))
    print_notes(result)
    say(str(folder.path))


def _of_file(
    path: Path,
    given: dict[str, Any],
    seed: dict[str, Any],
    data_dir: Path | None,
    changes: dict[str, Any],
) -> RunConfig:
    """The run that a file describes, on this machine's data and with what is asked for changed."""
    from atinuke_bench.config import RunConfig, changed_run, parse, read_yaml
    from atinuke_bench.training.task import task_of

    if doubled := [option for option, value in given.items() if value is not None]:
        raise ConfigError(f"--config says what {', '.join(doubled)} would say; leave out the one or the other")
    with naming(str(path)):
        run = parse(RunConfig, read_yaml(path), str(path))
        task_of(run).options(run)
    is_official = run.source.kind == "local" and run.declaration is None
    moved = {"source.data_dir": str(data_dir)} if is_official and data_dir is not None else {}
    return changed_run(run, {**seed, **moved, **changes})
