"""Tokens per second of pretraining in the harness against a bare PyTorch loop, and of ways to compute its loss.

    python benchmarks/lm_speed.py [--core atinuke] [--preset micro] [--objective causal] [--rows 400]

Text is made of random words, so no data is needed; the vocabulary is filled. The loops run in turns in one
process, so that a busy machine slows all of them equally. The bare loop has the same model, batches, optimiser,
schedule and clipping; the plain loss holds the logits of all scored tokens at once, as `F.cross_entropy` of a
projection does.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812
from training_speed import bare_loop, harness, print_ratios

from atinuke_bench.config import SourceConfig, make_run_config
from atinuke_bench.data.batching import TokenBudgetSampler, make_loader
from atinuke_bench.tasks.lm import model as lm_model
from atinuke_bench.training.prepare import PreparedRun, prepare


def write_text(folder: Path, num_rows: int) -> None:
    """About `num_rows` rows of 128 tokens to train on, and little to evaluate."""
    draw = np.random.default_rng(0)
    syllables = [a + b for a in "bdfgklmnprst" for b in "aeiou"]
    words = ["".join(draw.choice(syllables, size=draw.integers(1, 4))) for _ in range(9000)]
    for split, num in (("train", max(4, num_rows // 2)), ("dev", 2), ("test", 2)):
        blocks = (" ".join(draw.choice(words, size=230)) for _ in range(num))
        (folder / f"{split}.txt").write_text("\n\n".join(blocks) + "\n", encoding="utf-8")


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
    objective, vocab_size = prepared.run.options["objective"], prepared.tokenizer.get_vocab_size()
    print(f"{prepared.run.core.label()}, {objective}, vocabulary {vocab_size}")
    print(f"{len(encoded)} rows, {num_tokens} tokens, {100 * sampler.padding_fraction():.2f} % padding, one thread")
    print_ratios(seconds, num_tokens)


if __name__ == "__main__":
    main()
