"""What the commands share that train for a study."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from atinuke_bench.cli.shared import (
    CheckpointMinutesOption,
    DataDirOption,
    DeviceBatchTokensOption,
    JsonOption,
    OutOption,
    StorageOption,
    WandbOption,
    execution_of_many,
    on_device,
)

if TYPE_CHECKING:
    from atinuke_bench.training.execution import Execution

WorkersOption = Annotated[int | None, typer.Option("--workers", min=1, help="Trials side by side; else on all cores.")]
ExecutorOption = Annotated[str, typer.Option("--executor", help="local, or ray to spread trials over a cluster.")]
ThreadsOption = Annotated[int, typer.Option("--threads", min=1, help="CPU threads of a trial.")]
DevicesOption = Annotated[int, typer.Option("--devices", min=1, help="Processes (DDP) of a trial.")]


@dataclass(frozen=True)
class TrialOptions:
    """Where a study lies and how its runs are carried out: options of a command (`takes`)."""

    storage: StorageOption = None
    workers: WorkersOption = None
    executor: ExecutorOption = "local"
    data_dir: DataDirOption = None
    out: OutOption = Path("runs")
    wandb: WandbOption = "offline"
    threads: ThreadsOption = 1
    devices: DevicesOption = 1
    device_tokens: DeviceBatchTokensOption = None
    checkpoint_minutes: CheckpointMinutesOption = 30
    as_json: JsonOption = False

    def on_device(self) -> dict[str, Any]:
        return on_device(self.device_tokens, self.checkpoint_minutes)

    def execution(self) -> Execution:
        return execution_of_many(self.on_device(), self.devices, self.threads)
