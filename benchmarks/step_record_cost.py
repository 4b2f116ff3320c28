"""What the record of steps costs: the time in the recorder's hooks, and steps with it beside steps without it.

    python benchmarks/step_record_cost.py [--presets nano mini] [--core atinuke] [--epochs 4]

Within one run blocks of 32 steps are recorded and not recorded in turn, so that a busy machine slows both equally.
Printed are the median step, the share of it that the hooks take (in processor time, what is measured at every 16th step
included), and the ratio of the means of the two kinds of blocks, those above the upper quartile left out.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from atinuke_bench.config import MicroworldConfig, SourceConfig, make_run_config
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.training import train
from atinuke_bench.training.execution import Execution
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.steps import StepRecorder

BLOCK = 32
#: Steps at the start, in which memory is taken and more is measured.
WARM_UP = 32


class Timed(StepRecorder):
    """A recorder that rests in every other block, and takes the time of its hooks and of steps."""

    hooks: list[float]
    steps: list[tuple[bool, float, float]]

    def __init__(self, folder: RunFolder) -> None:
        super().__init__(folder)
        Timed.hooks, Timed.steps = [], []
        self._own, self._started = 0.0, (time.perf_counter(), time.process_time())

    def _is_on(self, step: int) -> bool:
        return step < WARM_UP or (step // BLOCK) % 2 == 0

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, index: int) -> None:
        self._started, self._own = (time.perf_counter(), time.process_time()), 0.0
        if self._is_on(trainer.global_step):
            self._timed(super().on_train_batch_start, trainer, module, batch, index)

    def on_before_optimizer_step(self, trainer: Any, module: Any, optimizer: Any) -> None:
        if self._is_on(trainer.global_step):
            self._timed(super().on_before_optimizer_step, trainer, module, optimizer)

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_index: int) -> None:
        step = trainer.global_step - 1
        if self._is_on(step):
            self._timed(super().on_train_batch_end, trainer, module, outputs, batch, batch_index)
        wall, processor = time.perf_counter() - self._started[0], time.process_time() - self._started[1]
        if step >= WARM_UP:
            Timed.steps.append((self._is_on(step), wall, processor))
            if self._is_on(step):
                Timed.hooks.append(self._own)

    def _timed(self, hook: Any, *given: Any) -> None:
        started = time.process_time()
        hook(*given)
        self._own += time.process_time() - started


def measure(preset: str, core: str, epochs: int, num_train: int) -> None:
    source = SourceConfig(kind="microworld", microworld=MicroworldConfig(train=num_train, dev=20, test=20))
    overrides = {"training.max_epochs": epochs, "training.patience": epochs, "training.held_out_limit": 20}
    prepared = prepare(make_run_config("snli", core, preset=preset, source=source, overrides=overrides))
    with tempfile.TemporaryDirectory() as place:
        train.train_and_evaluate(prepared, RunFolder(Path(place) / "run"), Execution(show_progress=False))
    is_on = np.array([on for on, _, _ in Timed.steps])
    processor = np.array([seconds for _, _, seconds in Timed.steps])
    share = np.mean(Timed.hooks) / np.mean(processor[is_on])
    on, off = (_trimmed_mean(processor[chosen]) for chosen in (is_on, ~is_on))
    print(
        f"{core}-{preset}: {len(is_on)} steps of {1e3 * np.median(processor):.1f} ms; the hooks take "
        f"{1e6 * np.mean(Timed.hooks):.0f} µs a step, {100 * share:.2f} %; with to without {on / off:.4f}"
    )


def _trimmed_mean(seconds: np.ndarray) -> float:
    return float(seconds[seconds <= np.quantile(seconds, 0.75)].mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", default=["nano", "mini"])
    parser.add_argument("--core", default="atinuke")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--rows", type=int, default=4000)
    given = parser.parse_args()
    torch.set_num_threads(1)
    train.StepRecorder = Timed  # type: ignore[misc]
    for preset in given.presets:
        measure(preset, given.core, given.epochs, given.rows)


if __name__ == "__main__":
    main()
