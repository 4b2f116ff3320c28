"""One run, from its config to its result, in the store."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from atinuke_bench.config import RunConfig
from atinuke_bench.errors import RunFailedError
from atinuke_bench.run_folder import RunFolder, folder_of
from atinuke_bench.runs.executor import Failed, Finished, Job, Started
from atinuke_bench.runs.tracking import WandbMode, make_tracker
from atinuke_bench.training.execution import Execution
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.tracker import NoTracker
from atinuke_bench.training.train import train_and_evaluate


def execute(
    run: RunConfig, store: Path, *, wandb: WandbMode = "offline", execution: Execution | None = None
) -> tuple[RunFolder, dict[str, Any]]:
    """Carry out a run, or find it finished in the store; its folder and its result.

    With several devices it starts a process for each, unless torchrun or SLURM has done so: then this process does its
    own part.
    """
    asked = execution or Execution()
    joined = asked.joined()
    if asked.devices > 1 and joined is asked:
        return _in_processes(run, store, wandb, asked)
    prepared = prepare(run)
    folder = folder_of(store, prepared.run, prepared.identity)
    if joined.rank > 0:
        joined = replace(joined, show_progress=False)
    tracker = make_tracker(wandb) if joined.rank == 0 else NoTracker()
    return folder, train_and_evaluate(prepared, folder, joined, tracker)


def _in_processes(
    run: RunConfig, store: Path, wandb: WandbMode, execution: Execution
) -> tuple[RunFolder, dict[str, Any]]:
    from atinuke_bench.runs.local import LocalExecutor

    executor = LocalExecutor(1)
    folder = None
    try:
        executor.start(Job("run", run, store.absolute(), wandb, execution=execution))
        while True:
            for event in executor.events(1.0):
                match event:
                    case Started(folder=path):
                        folder = RunFolder(path)
                    case Failed(failure_class=failure_class, message=message):
                        raise RunFailedError(f"the run failed ({failure_class}): {message}")
                    case Finished(result=result):
                        assert folder is not None, "a job names its folder before it ends"
                        return folder, result
    except KeyboardInterrupt:
        executor.stop("run")
        while not any(isinstance(event, Finished | Failed) for event in executor.events(1.0)):
            pass
        raise
    finally:
        executor.close()
