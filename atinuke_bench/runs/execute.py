"""One run, from its config to its result, in the store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from atinuke_bench.config import RunConfig
from atinuke_bench.run_folder import RunFolder, folder_of
from atinuke_bench.runs.tracking import WandbMode, make_tracker
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.train import Execution, train_and_evaluate


def execute(
    run: RunConfig,
    store: Path,
    *,
    wandb: WandbMode = "offline",
    group: str | None = None,
    execution: Execution | None = None,
) -> tuple[RunFolder, dict[str, Any]]:
    """Carry out a run, or find it finished in the store; its folder and its result."""
    prepared = prepare(run)
    folder = folder_of(store, prepared.run, prepared.identity)
    return folder, train_and_evaluate(prepared, folder, execution, make_tracker(wandb, group=group))


def execute_quietly(run: RunConfig, store: Path, wandb: WandbMode = "offline", group: str | None = None) -> Any:
    """`execute` for a worker process: one thread, no progress, the result alone."""
    return execute(run, store, wandb=wandb, group=group, execution=Execution(show_progress=False))[1]
