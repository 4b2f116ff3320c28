"""How fast several processes serve one study whose trials cost nothing, and whether the study comes out whole.

    python benchmarks/sweep_storage.py --out /tmp/sweep-storage --trials 200 --workers 4 [--storage postgresql://…]

The processes begin at the same instant on a fresh database. What is measured is the database and our locks alone:
real trials take seconds to hours.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

from atinuke_bench.config import AttentionConfig
from atinuke_bench.files import sha256_json
from atinuke_bench.runs.jobs.types import Event, Finished, Job, Started
from atinuke_bench.sweeps.definition import StudyConfig
from atinuke_bench.sweeps.opening import create_or_join
from atinuke_bench.sweeps.planning import make_study_config
from atinuke_bench.sweeps.sweep import Sweep

SPACE = {"training.learning_rate": {"float": [1e-4, 1e-2], "log": True}, "core.num_layers": {"int": [1, 4]}}


class InstantExecutor:
    """Every run is finished as soon as it is started."""

    slots = 1

    def __init__(self) -> None:
        self._events: list[Event] = []

    def start(self, job: Job) -> None:
        folder = job.store / sha256_json(job.run.determinants())[:10]
        assert isinstance(job.run.core, AttentionConfig)
        result: dict[str, Any] = {"selection": {"score": 50 + job.run.core.num_layers}}
        result["cost"] = {"parameters": 1, "training_flops": 1, "forward_flops_per_token": 1.0}
        self._events += [Started(job.key, folder), Finished(job.key, result)]

    def events(self, timeout: float) -> list[Event]:
        events, self._events = self._events, []
        if not events:
            time.sleep(timeout)
        return events

    def answer(self, key: str, should_continue: bool) -> None: ...

    def stop(self, key: str, *, at_once: bool = False) -> None: ...

    def close(self) -> None: ...


def work(config: StudyConfig, store: Path, url: str | None, barrier: Any) -> None:
    status = 1
    try:
        barrier.wait()
        study = create_or_join(config, store, url)
        Sweep(study, InstantExecutor(), Job("", config.make_run({}), store)).run()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--storage", help="database URL; an SQLite file in --out else")
    parser.add_argument("--sampler", default="random")
    options = parser.parse_args()
    config = make_study_config(
        name=f"storage-{os.getpid()}",
        tasks=[("snli", None)],
        core="atinuke",
        preset="nano",
        space=SPACE,
        budget={"trials": options.trials},
        sampler=options.sampler,
        pruner="none",
    )
    # Forked, so that what is measured begins after the imports.
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(options.workers + 1)
    processes = [
        context.Process(target=work, args=(config, options.out, options.storage, barrier))
        for _ in range(options.workers)
    ]
    for process in processes:
        process.start()
    barrier.wait()
    started = time.monotonic()
    for process in processes:
        process.join()
    seconds = time.monotonic() - started
    study = create_or_join(config, options.out, options.storage)
    states = Counter(trial.state.name for trial in study.trials())
    owners = Counter(trial.user_attrs["owner"]["worker"] for trial in study.trials())
    print(f"{dict(states)} by {sorted(owners.values())} in {seconds:.1f} s: {options.trials / seconds:.1f} trials/s")
    whole = states == {"COMPLETE": options.trials} and all(process.exitcode == 0 for process in processes)
    sys.exit(not whole)


if __name__ == "__main__":
    main()
