"""The command that trains: `run`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from atinuke_bench.cli.shared import (
    CheckpointMinutesOption,
    CoreOption,
    DataDirOption,
    DeviceBatchTokensOption,
    DropOverlapOption,
    JsonOption,
    ModelOption,
    OutOption,
    PresetOption,
    RerunOption,
    SetOption,
    SourceOption,
    TaskOption,
    TextsOption,
    UnlabelledOption,
    WandbOption,
    app,
    model_override,
    on_device,
    print_code_note,
    print_json,
    print_notes,
    print_parts,
    say,
    source_config,
    wandb_mode,
)


@app.command(epilog="Example: atinuke-bench run --task snli --core atinuke --data-dir data --set core.causal=false")
def run(
    task: TaskOption,
    core: CoreOption,
    model: ModelOption = None,
    preset: PresetOption = "micro",
    source: SourceOption = "local",
    data_dir: DataDirOption = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of initialisation, order and dropout.")] = 0,
    overrides: SetOption = None,
    drop_overlap: DropOverlapOption = False,
    init_from: Annotated[
        Path | None,
        typer.Option("--init-from", metavar="RUN", help="Finished run whose core and tokenizer this one starts from."),
    ] = None,
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
    from atinuke_bench.config import find_task, make_run_config, parse_override
    from atinuke_bench.registry import require_core_name

    name, declaration = find_task(task)
    require_core_name(core)
    config = make_run_config(
        name,
        core,
        preset=preset,
        source=source_config(source, data_dir, declaration),
        seed=seed,
        overrides={
            **_asked_for(core, model, init_from, drop_overlap),
            **dict(map(parse_override, overrides or [])),
        },
        declaration=declaration,
    )
    from atinuke_bench.runs.execute import execute
    from atinuke_bench.training.execution import Execution

    execution = Execution(threads=threads, devices=devices, **on_device(device_tokens, checkpoint_minutes, texts))
    asked = {"rerun": rerun, "predicts_unlabelled": predict_unlabelled}
    folder, result = execute(config, out, wandb=wandb_mode(wandb), execution=execution, **asked)
    if execution.under_launcher().rank > 0:
        return
    print_code_note(folder.path, folder.manifest, result["task"], result["core"])
    if as_json:
        print_json({"folder": str(folder.path), **result})
        return
    from atinuke_bench.console import result_row

    print_parts(result_row([result]))
    print_notes(result)
    say(str(folder.path))


def _asked_for(core: str, model: str | None, init_from: Path | None, drop_overlap: bool) -> dict[str, Any]:
    """Fields of the config that have options."""
    origin = {} if init_from is None else {"init_from.run": str(init_from)}
    return {**model_override(core, model), **origin, **({"training.drop_overlap": True} if drop_overlap else {})}
