"""Further seeds of runs that a store has: the same run again, but for its seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from atinuke_bench.errors import ConfigError, RunFailedError
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.runs.jobs.loop import carry_out
from atinuke_bench.runs.jobs.types import Executor, Failed, Finished, Job, WandbMode
from atinuke_bench.training.execution import Execution


def seeds_to_add(there: Mapping[int, Path], number: int) -> list[int]:
    """The smallest seeds that are not there, so that there are `number` in all.

    >>> seeds_to_add({0: Path(), 2: Path()}, 4)
    [1, 3]
    """
    free = [seed for seed in range(number + len(there)) if seed not in there]
    return free[: max(0, number - len(there))]


def add_seeds(
    sides: Mapping[tuple[str, str], Mapping[int, Path]],
    number: int,
    store: Path,
    executor: Executor,
    *,
    wandb: WandbMode = "offline",
    execution: Execution,
    say: Callable[[str], None] = lambda line: None,
) -> None:
    """Carry out runs until each side has `number` seeds; RunFailedError with the first failure.

    `sides` holds the run folders of each side on each task by seed, one of which is what the new runs copy.
    """
    jobs = []
    for (task, side), there in sides.items():
        run = RunFolder(next(iter(there.values()))).read_config()
        if run.init_from is not None:
            raise ConfigError(f"{side} on {task} starts from another run, of which further seeds are a suite's to make")
        for seed in seeds_to_add(there, number):
            key = f"{task} {side} seed {seed}"
            copy = run.model_copy(update={"seed": seed})
            jobs.append(Job(key, copy, store.absolute(), wandb, execution=execution))
    num_done = 0

    def on_end(end: Finished | Failed) -> None:
        nonlocal num_done
        num_done += 1
        shown = f"failed: {end.message}" if isinstance(end, Failed) else f"{end.result['score']}"[:6]
        say(f"[{num_done}/{len(jobs)}] {end.key}: {shown}")

    _, ends = carry_out(jobs, executor, on_end, awaits_others=True)
    for end in ends.values():
        if isinstance(end, Failed):
            raise RunFailedError(end.failure_class, f"{end.key}: {end.message}")
