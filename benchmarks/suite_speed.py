"""Suites: two runs side by side against one after the other, what the supervisor costs, and how soon a run starts.

    python benchmarks/suite_speed.py --data-dir DATA [--task snli]

Prints runs per minute with one and with two workers of one thread each, one after the other; the supervisor's processor
time as a share of the wall time; the time from starting a run (not the first) to the end of an epoch of a few examples,
which bounds the time to its first step from above; and how long a finished suite of 1,000 runs takes to answer.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from atinuke_bench.config import SourceConfig, SuiteConfig, make_run_config, parse
from atinuke_bench.registry import load_task
from atinuke_bench.runs.cells import cell_states
from atinuke_bench.runs.grid import expand
from atinuke_bench.runs.jobs.local import LocalExecutor
from atinuke_bench.runs.jobs.types import EpochDone, Failed, Finished, Job
from atinuke_bench.runs.suite import Suite, SuiteOptions
from atinuke_bench.runs.suite_record import open_record

NUM_RUNS = 6
NUM_FINISHED = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data-dir", type=Path, default=os.environ.get("ATINUKE_DATA"), required="ATINUKE_DATA" not in os.environ
    )
    parser.add_argument("--task", default="snli")
    chosen = parser.parse_args()
    source = SourceConfig(data_dir=chosen.data_dir)
    with tempfile.TemporaryDirectory() as place:
        rates = {}
        for num_workers in (1, 2):
            rates[num_workers], share = suite_rate(Path(place) / str(num_workers), chosen.task, source, num_workers)
            rate = f"{num_workers} worker(s): {rates[num_workers]:.2f} runs a minute"
            print(f"{rate}; supervisor {100 * share:.2f} % of a core")
        print(f"two side by side: {rates[2] / rates[1]:.2f} times the runs of one")
        print(
            f"start of a run to the end of its first tiny epoch: {start_seconds(Path(place) / 'start', source):.2f} s"
        )
        print(f"finished suite of {NUM_FINISHED} runs: {finished_seconds(Path(place) / 'many', source):.2f} s")


def suite_rate(store: Path, task: str, source: SourceConfig, num_workers: int) -> tuple[float, float]:
    """Runs a minute after the workers' first ones (they pay for imports), and the supervisor's share of a core."""
    suite = _suite(task, NUM_RUNS + num_workers)
    options = SuiteOptions(store, "disabled")
    record = open_record(store, suite.name)
    states = cell_states(expand(suite, source), suite, source, record)
    marks: list[tuple[float, float]] = []
    work = Suite(suite.name, states, record, LocalExecutor(num_workers), options)
    work.changed = lambda state: marks.append((time.perf_counter(), time.process_time())) if state.result else None
    work.run()
    first, last = marks[num_workers - 1], marks[-1]
    wall = last[0] - first[0]
    return 60 * (len(marks) - num_workers) / wall, (last[1] - first[1]) / wall


def start_seconds(store: Path, source: SourceConfig) -> float:
    """Median over runs after the first, of the smallest core on a few examples."""
    executor = LocalExecutor(1)
    times = []
    for seed in range(6):
        tiny = {"training.train_limit": 40, "training.max_epochs": 1}
        run = make_run_config("glue/wnli", "atinuke", preset="nano", source=source, seed=seed, overrides=tiny)
        started = time.perf_counter()
        executor.start(Job(str(seed), run, store, "disabled"))
        ended = False
        while not ended:
            for event in executor.events(1.0):
                if isinstance(event, EpochDone):
                    times.append(time.perf_counter() - started)
                if isinstance(event, Failed):
                    raise SystemExit(event.message)
                ended = ended or isinstance(event, Finished)
    executor.close()
    return sorted(times[1:])[len(times[1:]) // 2]


def finished_seconds(store: Path, source: SourceConfig) -> float:
    """Wall time of `atinuke-bench suite` on a suite whose runs are all there (one real run, copied)."""
    suite = _suite("glue/wnli", NUM_FINISHED)
    options = SuiteOptions(store, "disabled")
    record = open_record(store, suite.name)
    states = cell_states(expand(suite, source), suite, source, record)
    one = Suite(suite.name, states[:1], record, LocalExecutor(1), options)
    one.run()
    assert states[0].folder is not None
    original = states[0].folder.path
    for state, cell in zip(states[1:], record.cells[1:], strict=True):
        copy = original.parent / f"seed-{state.cell.run.seed}-{state.key[:10]}"
        shutil.copytree(original, copy)
        cell.folder = copy.relative_to(store).as_posix()
    record.write()
    file = store / "suite.yaml"
    file.write_text(yaml.safe_dump(suite.model_dump(mode="json")))
    command = [
        sys.executable,
        "-m",
        "atinuke_bench",
        "suite",
        str(file),
        "--data-dir",
        str(source.data_dir),
        "--out",
        str(store),
    ]
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


def _suite(task: str, num_seeds: int) -> SuiteConfig:
    overrides: dict[str, Any] = {"training.max_epochs": 1, "training.train_limit": 4000}
    cores = {"atinuke": {"core": "atinuke", "preset": "nano"}}
    record = {"name": "speed", "tasks": [task], "cores": cores, "seeds": list(range(num_seeds)), "overrides": overrides}
    assert load_task(task)
    return parse(SuiteConfig, record, "suite")


if __name__ == "__main__":
    main()
