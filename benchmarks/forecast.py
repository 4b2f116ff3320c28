"""How near `plan` comes to what a suite then takes: forecast / actual, by the wall's clock and by the processors'.

    OMP_NUM_THREADS=1 python benchmarks/forecast.py [SUITE] [--workers 2] [--only PATTERN] [--times 3] [--base]

Each time plans the suite and carries it out at once, from an empty cache. The ratio of seconds on the wall means much
only on a machine that nothing else uses; that of processor seconds, of all processes together, depends on others far
less. The load of the machine is printed beside both. `--base` compares steps of a base-size core instead, of full
batches, with those that a probe foresees from smaller ones.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from atinuke_bench.config import MicroworldConfig, RunConfig, SourceConfig, make_run_config
from atinuke_bench.runs.forecast.calibrate import Wish, calibrate
from atinuke_bench.training.execution import Execution

#: prctl's "orphans of my children are mine", so that processes of a server that has ended are counted too.
_SUBREAPER = 36
_COMMAND = [sys.executable, "-m", "atinuke_bench"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suite", nargs="?", default="quick")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--base", action="store_true")
    chosen = parser.parse_args()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    ratios = []
    for _ in range(chosen.times):
        with tempfile.TemporaryDirectory() as folder:
            ratios.append(base_ratio() if chosen.base else suite_ratio(chosen, Path(folder)))
    if len(ratios) > 1:
        wall, processor = (statistics.median(column) for column in zip(*ratios, strict=True))
        print(f"median: wall {wall:.2f}, processors {processor:.2f}")


def suite_ratio(chosen: Any, folder: Path) -> tuple[float, float]:
    """Forecast / actual of a suite: wall, processors."""
    only = [part for pattern in chosen.only for part in ("--only", pattern)]
    shared = [chosen.suite, "--out", str(folder / "runs"), "--workers", str(chosen.workers), *only]
    planned, wall, processor = timed([*_COMMAND, "plan", *shared, "--json"], folder)
    found = json.loads(planned)
    print(f"plan: {wall:.0f} s, {processor:.0f} s of processors; load {os.getloadavg()[0]:.1f}", flush=True)
    _, wall, processor = timed([*_COMMAND, "suite", *shared, "--wandb", "disabled"], folder)
    wall_ratio, ratio = found["seconds"] / wall, found["processor_seconds"] / processor
    print(
        f"suite: {wall:.0f} s, forecast {found['seconds']:.0f} s: {wall_ratio:.2f}; {processor:.0f} s of processors, "
        f"forecast {found['processor_seconds']:.0f} s: {ratio:.2f}; load {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    return wall_ratio, ratio


def timed(command: list[str], folder: Path) -> tuple[str, float, float]:
    """What a command prints, and its seconds on the wall and of processors, all processes that it starts included."""
    environment = {**os.environ, "ATINUKE_CACHE": str(folder / "cache")}
    started, before = time.perf_counter(), _spent()
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    wall = time.perf_counter() - started
    while True:  # its processes end moments later
        try:
            os.wait()
        except ChildProcessError:
            return done.stdout.decode(), wall, _spent() - before


def _spent() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def base_ratio() -> tuple[float, float]:
    """Forecast / actual of a step of a base-size core on SNLI's full batches."""
    run = make_run_config("snli", "atinuke", preset="base", source=SourceConfig(kind="microworld"))
    found = calibrate([Wish("base", run, True)], 1)
    core = found.probes["base"].core
    assert core is not None, found.failures
    actual = full_steps(run)
    ratios = core.step.wall / actual[0], core.step.processor / actual[1]
    print(
        f"base step: {actual[0]:.1f} s, forecast {core.step.wall:.1f} s: {ratios[0]:.2f}; {actual[1]:.1f} s of a "
        f"processor, forecast {core.step.processor:.1f} s: {ratios[1]:.2f}; load {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    return ratios


def full_steps(run: RunConfig) -> tuple[float, float]:
    """Seconds of a step, after the first, of a real training on a few full batches: wall, processor."""
    import torch

    from atinuke_bench.run_folder import folder_of
    from atinuke_bench.runs.forecast.probe import Stopwatch
    from atinuke_bench.training.prepare import prepare
    from atinuke_bench.training.train import train_and_evaluate

    torch.set_num_threads(1)
    few = SourceConfig(kind="microworld", microworld=MicroworldConfig(train=900, dev=8, test=8))
    run = run.model_copy(
        update={"source": few, "training": run.training.model_copy(update={"max_epochs": 1, "held_out_limit": 8})}
    )
    prepared, watch = prepare(run), Stopwatch(0.0)
    with tempfile.TemporaryDirectory() as folder:
        place = folder_of(folder, prepared.run, prepared.identity)
        train_and_evaluate(prepared, place, Execution(show_progress=False), callbacks=[watch])
    steps = [one + other for one, other in zip(watch.gradients, watch.updates, strict=True)][1:]
    return statistics.mean(step.wall for step in steps), statistics.mean(step.processor for step in steps)


if __name__ == "__main__":
    main()
