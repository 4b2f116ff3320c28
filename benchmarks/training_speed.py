"""Tokens per second of the harness, of a bare PyTorch loop on the same batches, and of padding to the longest example.

    python benchmarks/training_speed.py --data-dir DIR [--core atinuke] [--preset micro] [--rows 4000]

All are measured in one process, one after the other in turns, so that a busy machine slows all equally. Printed are the
median of the turns, and the ratio to the bare loop.
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

from atinuke_bench.config import SourceConfig, make_run_config
from atinuke_bench.core.build import build_core
from atinuke_bench.data.batching import BatchDataset, TokenBudgetSampler, make_loader
from atinuke_bench.data.features import Encoded
from atinuke_bench.data.text import read_lines
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.tasks.snli.files import require_snli_file
from atinuke_bench.training.module import TaskModule, parameter_groups
from atinuke_bench.training.prepare import PreparedRun, prepare
from atinuke_bench.training.schedule import warmup_then_linear
from atinuke_bench.training.train import Execution, train_and_evaluate


def build(prepared: PreparedRun) -> TaskModule:
    pl.seed_everything(prepared.run.seed, verbose=False)
    core = build_core(prepared.run.core, prepared.tokenizer.get_vocab_size())
    return prepared.task.model.build(core, prepared.run)


def bare_loop(prepared: PreparedRun, batches: list[dict[str, torch.Tensor]]) -> float:
    """Seconds of one epoch written by hand: the same model, optimiser, schedule and clipping."""
    training = prepared.run.training
    module = build(prepared).train()
    optimizer = torch.optim.AdamW(
        parameter_groups(module, training.weight_decay), lr=training.learning_rate, fused=True
    )
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: warmup_then_linear(step, max(1, len(batches) // 10), len(batches))
    )
    started = time.perf_counter()
    for batch in batches:
        loss = module.loss(batch)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), training.gradient_clip)
        optimizer.step()
        scheduler.step()
    return time.perf_counter() - started


def harness(prepared: PreparedRun) -> float:
    """Seconds of the training steps of one epoch, as the harness itself records them, collating included."""
    with tempfile.TemporaryDirectory() as place:
        folder = RunFolder(Path(place) / "run")
        train_and_evaluate(prepared, folder, Execution(show_progress=False))
        return folder.read_history()[0]["seconds"]


def print_ratios(seconds: dict[str, list[float]], num_tokens: int) -> None:
    """Tokens per second by the median of the turns, and the ratio to the first entry, which is the bare loop."""
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    reference = next(iter(medians.values()))
    print(f"{'':32} {'tokens/s':>10} {'of bare loop':>13}")
    for name, median in medians.items():
        print(f"{name:32} {num_tokens / median:>10,.0f} {100 * reference / median:>12.1f}%")


def cut_snli(data_dir: Path, num_rows: int, target: Path) -> None:
    """The first pairs of SNLI's train split, and a few to evaluate, so that no time goes into evaluation."""
    lines = [line for _, line in read_lines(require_snli_file(data_dir, "train"))]
    for split, rows in (("train", lines[:num_rows]), ("dev", lines[-100:])):
        (target / f"snli_1.0_{split}.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--core", default="atinuke")
    parser.add_argument("--preset", default="micro")
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--turns", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as cut:
        cut_snli(arguments.data_dir, arguments.rows, Path(cut))
        compare(arguments.core, arguments.preset, Path(cut), arguments.turns)


def pad_all(encoded: Encoded, batch_tokens: int) -> list[dict[str, torch.Tensor]]:
    """Batches as long as the longest example of the split: what `padding="max_length"` does."""
    rows = np.random.default_rng(0).permutation(len(encoded))
    whole = BatchDataset(encoded)
    longest = int(encoded.lengths.max())
    size = max(1, batch_tokens // longest)
    padded = []
    for start in range(0, len(rows), size):
        batch = whole[rows[start : start + size]]
        missing = longest - batch["input_ids"].shape[1]
        for name in ("input_ids", "segment_ids", "attention_mask"):
            batch[name] = torch.nn.functional.pad(batch[name], (0, missing))
        padded.append(batch)
    return padded


def compare(core: str, preset: str, data_dir: Path, num_turns: int) -> None:
    run = make_run_config(
        "snli",
        core,
        preset=preset,
        source=SourceConfig(data_dir=data_dir),
        overrides={"training.max_epochs": 1, "training.held_out_limit": 100},
    )
    prepared = prepare(run)
    encoded = prepared.encode("train", prepared.train_examples)
    sampler = TokenBudgetSampler(encoded.lengths, run.training.batch_tokens, seed=run.seed)
    bucketed = list(make_loader(encoded, sampler))
    padded = pad_all(encoded, run.training.batch_tokens)
    num_tokens = int(encoded.lengths.sum())
    bare_loop(prepared, bucketed[:20])  # warm up
    seconds: dict[str, list[float]] = {"bare loop, same batches": [], "harness": [], "bare loop, padded to longest": []}
    for _ in range(num_turns):
        seconds["bare loop, same batches"].append(bare_loop(prepared, bucketed))
        seconds["harness"].append(harness(prepared))
        seconds["bare loop, padded to longest"].append(bare_loop(prepared, padded))
    longest = int(encoded.lengths.max())
    print(f"{prepared.run.core.label()}, {len(encoded)} rows, {num_tokens} tokens, longest {longest}, one thread")
    print(f"padding waste of the token-budget batches: {100 * sampler.padding_fraction():.2f} %")
    print_ratios(seconds, num_tokens)


if __name__ == "__main__":
    main()
