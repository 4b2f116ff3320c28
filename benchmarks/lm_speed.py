"""Tokens per second of pretraining in the harness against a bare PyTorch loop, and of ways to compute its loss.

    python benchmarks/lm_speed.py [--core atinuke] [--preset micro] [--objective causal] [--rows 400]

Text is made of random words, so that no data is needed; the vocabulary is filled. The loops run in turns in one
process, so that a busy machine slows all alike. The bare loop has the same model, batches, optimiser, schedule and
clipping; the plain loss holds the logits of all scored tokens at once, as `F.cross_entropy` of a projection does.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
from torch.nn import functional as F  # noqa: N812

from atinuke_bench.config import SourceConfig, make_run_config
from atinuke_bench.core.build import build_core
from atinuke_bench.data.batching import TokenBudgetSampler, make_loader
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.tasks import lm_model
from atinuke_bench.training.module import TaskModule, parameter_groups, warmup_then_linear
from atinuke_bench.training.prepare import PreparedRun, prepare
from atinuke_bench.training.train import Execution, train_and_evaluate


def write_text(folder: Path, num_rows: int) -> None:
    """About `num_rows` rows of 128 tokens to train on, and little to evaluate."""
    draw = np.random.default_rng(0)
    syllables = [a + b for a in "bdfgklmnprst" for b in "aeiou"]
    words = ["".join(draw.choice(syllables, size=draw.integers(1, 4))) for _ in range(9000)]
    for split, num in (("train", max(4, num_rows // 2)), ("dev", 2), ("test", 2)):
        blocks = (" ".join(draw.choice(words, size=230)) for _ in range(num))
        (folder / f"{split}.txt").write_text("\n\n".join(blocks) + "\n", encoding="utf-8")


def build(prepared: PreparedRun) -> TaskModule:
    pl.seed_everything(prepared.run.seed, verbose=False)
    core = build_core(prepared.run.core, prepared.tokenizer.get_vocab_size())
    return prepared.task.build_module(core, prepared.run)


def bare_loop(prepared: PreparedRun, batches: list[dict[str, torch.Tensor]]) -> float:
    """CPU seconds of one epoch written by hand."""
    training = prepared.run.training
    module = build(prepared).train()
    optimizer = torch.optim.AdamW(
        parameter_groups(module, training.weight_decay), lr=training.learning_rate, fused=True
    )
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: warmup_then_linear(step, max(1, len(batches) // 10), len(batches))
    )
    started = time.process_time()
    for batch in batches:
        loss = module.loss(batch)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), training.gradient_clip)
        optimizer.step()
        scheduler.step()
    return time.process_time() - started


class Stopwatch(pl.Callback):
    """CPU seconds of the training steps of an epoch, collating and Lightning's own work included."""

    seconds = 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.started = time.process_time()

    def on_train_batch_end(self, *arguments: object) -> None:
        self.seconds = time.process_time() - self.started


def harness(prepared: PreparedRun) -> float:
    from atinuke_bench.training import train

    watch, make_trainer = Stopwatch(), train._trainer
    with tempfile.TemporaryDirectory() as place:
        train._trainer = lambda *arguments: _with(make_trainer(*arguments), watch)
        try:
            train_and_evaluate(prepared, RunFolder(Path(place) / "run"), Execution(show_progress=False))
        finally:
            train._trainer = make_trainer
    return watch.seconds


def _with(trainer: pl.Trainer, callback: pl.Callback) -> pl.Trainer:
    trainer.callbacks.append(callback)
    return trainer


def plain_loss(hidden: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(F.linear(hidden, weight, bias), targets)


def with_plain_loss(prepared: PreparedRun, batches: list[dict[str, torch.Tensor]]) -> float:
    chunked = lm_model.linear_cross_entropy
    lm_model.linear_cross_entropy = plain_loss
    try:
        return bare_loop(prepared, batches)
    finally:
        lm_model.linear_cross_entropy = chunked


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--core", default="atinuke")
    parser.add_argument("--preset", default="micro")
    parser.add_argument("--objective", choices=["causal", "masked"], default="causal")
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--turns", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        write_text(Path(folder), arguments.rows)
        compare(arguments, Path(folder))


def compare(arguments: argparse.Namespace, folder: Path) -> None:
    causal = {"core.causal": arguments.objective == "causal"} if arguments.core != "bilstm" else {}
    run = make_run_config(
        "lm",
        arguments.core,
        preset=arguments.preset,
        source=SourceConfig(data_dir=folder),
        overrides={"training.max_epochs": 1, "training.held_out_fraction": 0.01, **causal},
    )
    prepared = prepare(run)
    encoded = prepared.encode("train", prepared.train_examples)
    sampler = TokenBudgetSampler(encoded.lengths, run.training.batch_tokens, seed=run.seed)
    batches = list(make_loader(encoded, sampler))
    num_tokens = int(encoded.lengths.sum())
    bare_loop(prepared, batches[:5])  # warm up
    seconds: dict[str, list[float]] = {"bare loop": [], "harness": [], "bare loop, logits of all tokens": []}
    for _ in range(arguments.turns):
        seconds["bare loop"].append(bare_loop(prepared, batches))
        seconds["harness"].append(harness(prepared))
        seconds["bare loop, logits of all tokens"].append(with_plain_loss(prepared, batches))
    print(f"{prepared.run.core.label()}, {prepared.task.objective}, vocabulary {prepared.tokenizer.get_vocab_size()}")
    print(f"{len(encoded)} rows, {num_tokens} tokens, {100 * sampler.padding_fraction():.2f} % padding, one thread")
    reference = statistics.median(seconds["bare loop"])
    print(f"{'':32} {'tokens/CPU s':>12} {'of bare loop':>13}")
    for name, values in seconds.items():
        median = statistics.median(values)
        print(f"{name:32} {num_tokens / median:>12,.0f} {100 * reference / median:>12.1f}%")


if __name__ == "__main__":
    main()
