"""Does every preset of every core train with the settings it is given? The first steps of short runs on generated data.

    python benchmarks/presets_train.py [--cores atinuke bilstm] [--presets base] [--tasks lm srl] [--steps 200]

Each line is a run of `--steps` steps with the whole schedule, warm-up and decay, so that the peak of the rate comes
early: harder than the first steps of a long run. Batches are smaller than a run's (`--batch-tokens`, 0 for the run's
own), which is harder too, since small batches have noisy gradients. Printed are the mean loss of the first and of the
last twentieth of the steps, the largest norm of a gradient before clipping, and the `spread` of the core's vectors: 1
minus the mean cosine of two tokens of a batch, near 0 where a core gives every token the same vector.

What this does not show: that a rate is the best one, or that a run of many thousand steps stays well.
"""

from __future__ import annotations

import argparse
import math
import warnings
from dataclasses import dataclass, field
from typing import Any

import pytorch_lightning as pl
import torch

from atinuke_bench.config import MicroworldConfig, RunConfig, SourceConfig, make_run_config, parse_override
from atinuke_bench.core.build import build_core
from atinuke_bench.data.batching import TokenBudgetSampler, make_loader
from atinuke_bench.errors import AtinukeBenchError
from atinuke_bench.registry import core_names
from atinuke_bench.training.guards import quiet_lightning
from atinuke_bench.training.module import TaskModule
from atinuke_bench.training.prepare import PreparedRun, prepare

#: Below this spread a core tells tokens apart no longer.
COLLAPSED = 0.01


@dataclass
class Trained:
    """What a short run did."""

    run: RunConfig
    losses: list[float] = field(default_factory=list)
    norms: list[float] = field(default_factory=list)
    spread: float = math.nan
    error: str = ""

    @property
    def first(self) -> float:
        return self._mean(self.losses[: self._few])

    @property
    def last(self) -> float:
        return self._mean(self.losses[-self._few :])

    @property
    def _few(self) -> int:
        return max(1, len(self.losses) // 20)

    @staticmethod
    def _mean(losses: list[float]) -> float:
        return sum(losses) / max(1, len(losses))

    @property
    def verdict(self) -> str:
        """`trains`, or what went wrong."""
        if self.error:
            return self.error
        if not all(map(math.isfinite, [*self.losses, *self.norms])):
            return "not finite"
        if self.last >= self.first:
            return "loss does not fall"
        return "collapsed" if self.spread < COLLAPSED else "trains"


class Watch(pl.Callback):
    """Keeps each step's loss and norm of the gradient."""

    def __init__(self, trained: Trained) -> None:
        self.trained = trained

    def on_before_optimizer_step(self, trainer: pl.Trainer, module: pl.LightningModule, optimizer: Any) -> None:
        gradients = [parameter.grad for parameter in module.parameters() if parameter.grad is not None]
        self.trained.norms.append(float(torch.nn.utils.get_total_norm(gradients)))

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_index: int
    ) -> None:
        self.trained.losses.append(float(outputs["loss"]))


def build(run: RunConfig) -> tuple[TaskModule, dict[str, torch.Tensor]]:
    """The untrained module of a run, and a batch for it."""
    module, loader = _start(prepare(run))
    return module, next(iter(loader))


def train(run: RunConfig, num_steps: int) -> Trained:
    """Train a run's core for some steps, the schedule included, and nothing else: no evaluation, no files."""
    prepared = prepare(run)
    trained = Trained(prepared.run)
    module, loader = _start(prepared)
    module.num_training_steps = num_steps
    with quiet_lightning(), warnings.catch_warnings():
        trainer = pl.Trainer(
            accelerator="cpu",
            max_epochs=-1,
            max_steps=num_steps,
            gradient_clip_val=run.training.gradient_clip,
            callbacks=[Watch(trained)],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
        )
        try:
            trainer.fit(module, loader)
        except AtinukeBenchError as error:
            trained.error = type(error).__name__
    trained.spread = spread(module, next(iter(loader)))
    return trained


def _start(prepared: PreparedRun) -> tuple[TaskModule, Any]:
    run, rows = prepared.run, prepared.encode("train", prepared.train_examples)
    pl.seed_everything(run.seed, verbose=False)
    module = prepared.task.model.build(build_core(run.core, prepared.tokenizer.get_vocab_size()), run)
    return module, make_loader(rows, TokenBudgetSampler(rows.lengths, run.training.batch_tokens, seed=run.seed))


def spread(module: TaskModule, batch: dict[str, torch.Tensor]) -> float:
    """1 minus the mean cosine of the core's vectors of two tokens of a batch."""
    with torch.inference_mode():
        vectors = module.eval().encode(batch)[batch["attention_mask"]].double()  # (N, D)
    unit = torch.nn.functional.normalize(vectors, dim=1)
    num = len(unit)
    return float(1 - (unit.sum(0).square().sum() - num) / (num * (num - 1)))


def short_run(task: str, core: str, preset: str, overrides: dict[str, Any], batch_tokens: int) -> RunConfig:
    """A run on few generated examples of few tokens."""
    source = SourceConfig(kind="microworld", microworld=MicroworldConfig(train=400, dev=4, test=4))
    short = {"training.max_length": 64, "training.held_out_limit": 4, "tokenizer.vocab_size": 2000}
    if batch_tokens:
        short["training.batch_tokens"] = batch_tokens
    return make_run_config(
        task,
        core,
        preset=preset,
        source=source,
        overrides=short | overrides,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = [name for name in core_names() if name not in ("majority", "pretrained")]
    parser.add_argument("--cores", nargs="+", default=known)
    parser.add_argument("--presets", nargs="+", default=["nano", "micro", "mini", "small", "base"])
    parser.add_argument("--tasks", nargs="+", default=["lm", "srl", "snli"])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--batch-tokens", type=int, default=256, help="0: as many as the run has")
    parser.add_argument("--set", dest="overrides", nargs="*", default=[], metavar="PATH=VALUE")
    given = parser.parse_args()
    torch.set_num_threads(1)
    overrides = dict(map(parse_override, given.overrides))
    print(f"{'run':32} {'rate':>8} {'first':>8} {'last':>8} {'highest':>8} {'gradient':>9} {'spread':>7}  verdict")
    for task in given.tasks:
        for core in given.cores:
            for preset in given.presets:
                run = short_run(task, core, preset, overrides, given.batch_tokens)
                found = train(run, given.steps)
                print(
                    f"{f'{task} {run.core.label()}':32} {run.training.learning_rate:8.1e} {found.first:8.3f} "
                    f"{found.last:8.3f} {max(found.losses):8.3f} {max(found.norms):9.2f} {found.spread:7.3f}  "
                    f"{found.verdict}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
