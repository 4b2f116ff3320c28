"""One run, from its config to its result, in the store."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from atinuke_bench.config import RunConfig
from atinuke_bench.errors import RunFailedError
from atinuke_bench.run_folder import RunFolder, folder_of
from atinuke_bench.runs.jobs.local import LocalExecutor
from atinuke_bench.runs.jobs.loop import carry_out
from atinuke_bench.runs.jobs.types import Failed, Job, WandbMode
from atinuke_bench.runs.tracking import make_tracker
from atinuke_bench.training.execution import Execution
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.tracker import NoTracker
from atinuke_bench.training.train import train_and_evaluate


def execute(
    run: RunConfig,
    store: Path,
    *,
    wandb: WandbMode = "offline",
    execution: Execution | None = None,
    rerun: bool = False,
    predicts_unlabelled: bool = False,
) -> tuple[RunFolder, dict[str, Any]]:
    """Carry out a run, or find it finished in the store unless it is to `rerun`; its folder and its result.

    With several devices it starts a process for each, unless torchrun or SLURM has done so: then this process does its
    own part.
    """
    asked = execution or Execution()
    part = asked.under_launcher()
    part.require_gpus()
    if asked.devices > 1 and part is asked:
        job = Job("run", run, store.absolute(), wandb, execution=asked)
        folder, result = _in_processes(replace(job, rerun=rerun, predicts_unlabelled=predicts_unlabelled))
        # As on one device: below the store as it was given.
        return RunFolder(store / folder.path.relative_to(job.store)), result
    prepared = prepare(run, predicts_unlabelled=predicts_unlabelled)
    folder = folder_of(store, prepared.run, prepared.identity)
    if part.rank > 0:
        part = replace(part, show_progress=False)
    tracker = make_tracker(wandb) if part.rank == 0 else NoTracker()
    return folder, train_and_evaluate(prepared, folder, part, tracker, rerun=rerun)


def _in_processes(job: Job) -> tuple[RunFolder, dict[str, Any]]:
    executor = LocalExecutor(1)
    try:
        folders, ends = carry_out([job], executor)
    finally:
        executor.close()
    end = ends[job.key]
    if isinstance(end, Failed):
        raise RunFailedError(end.failure_class, end.message)
    return RunFolder(folders[job.key]), end.result
