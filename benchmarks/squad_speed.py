"""Speed of SQuAD's parts: building features, training in the harness against a bare loop, decoding.

    python benchmarks/squad_speed.py --data-dir DIR [--core atinuke] [--preset micro] [--questions 600]

Everything runs in one process on one thread, the two loops in turns, so that a busy machine slows both equally.
Features are built from the whole train split with nothing cached; decoding takes random logits for the whole dev split.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

# The tokenizer reads its number of threads when it is first used.
os.environ.update(TOKENIZERS_PARALLELISM="false", RAYON_NUM_THREADS="1")

import numpy as np
import torch
from training_speed import bare_loop, harness, print_ratios

from atinuke_bench.config import SourceConfig, make_run_config
from atinuke_bench.data.batching import TokenBudgetSampler, make_loader
from atinuke_bench.data.features import Encoded
from atinuke_bench.training.evaluate import evaluate
from atinuke_bench.training.prepare import PreparedRun, prepare


def prepare_questions(arguments: argparse.Namespace, limit: int | None) -> PreparedRun:
    """A run of one epoch on the first `limit` questions, or on all."""
    return prepare(
        make_run_config(
            "squad-v1.1",
            arguments.core,
            preset=arguments.preset,
            source=SourceConfig(data_dir=arguments.data_dir),
            overrides={"training.max_epochs": 1, "training.train_limit": limit},
        )
    )


def feature_seconds(prepared: PreparedRun) -> tuple[Encoded, float, float]:
    """The features of the train split, and the wall and processor seconds they took."""
    started, processor_started = time.perf_counter(), time.process_time()
    encoded = prepared.task.data.rows(prepared.train_examples, prepared.tokenizer, prepared.run)
    return encoded, time.perf_counter() - started, time.process_time() - processor_started


def cached_seconds(prepared: PreparedRun) -> float:
    """Seconds to get the same features from the cache."""
    prepared.encode("train", prepared.train_examples)
    started = time.perf_counter()
    prepared.encode("train", prepared.train_examples)
    return time.perf_counter() - started


def decode_seconds(prepared: PreparedRun) -> tuple[int, float, float]:
    """Number of dev questions, and seconds to decode and to score them from given logits."""
    examples = prepared.evaluation_splits["dev"]
    encoded = prepared.encode("dev", examples)
    generator = np.random.default_rng(0)
    outputs = []
    for batch in make_loader(encoded, TokenBudgetSampler(encoded.lengths, 8192, seed=None)):
        shape = batch["input_ids"].shape
        logits = {name: generator.normal(size=shape).astype(np.float32) for name in ("start", "end")}
        outputs.append({"rows": batch["rows"].numpy(), **logits})
    started = time.perf_counter()
    predictions = prepared.task.model.decode(outputs, encoded, examples, prepared.run)
    decoded = time.perf_counter()
    evaluate(prepared.task, examples, predictions)
    return len(examples), decoded - started, time.perf_counter() - decoded


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--core", default="atinuke")
    parser.add_argument("--preset", default="micro")
    parser.add_argument("--questions", type=int, default=600, help="questions that the two training loops see")
    parser.add_argument("--turns", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as cache:
        os.environ["ATINUKE_CACHE"] = cache
        measure(arguments)


def measure(arguments: argparse.Namespace) -> None:
    """Measure everything and print the table."""
    whole = prepare_questions(arguments, None)
    # The first time pays for loading what is used.
    encoded, wall, processor = [feature_seconds(whole) for _ in range(2)][-1]
    num_questions = len(whole.train_examples)
    print(f"{num_questions} questions, {len(encoded)} windows, {encoded.lengths.mean():.0f} tokens a window")
    print(f"features: {num_questions / wall:,.0f} questions/s ({num_questions / processor:,.0f} a processor second)")
    print(f"features from the cache: {1000 * cached_seconds(whole):.0f} ms")
    num_dev, decoding, scoring = decode_seconds(whole)
    print(f"decoding {num_dev} questions: {decoding:.2f} s; scoring them: {scoring:.2f} s")

    few = prepare_questions(arguments, arguments.questions)
    features = few.encode("train", few.train_examples)
    sampler = TokenBudgetSampler(features.lengths, few.run.training.batch_tokens, seed=few.run.seed)
    batches = list(make_loader(features, sampler))
    num_tokens = int(features.lengths.sum())
    bare_loop(few, batches[:3])  # warm up
    seconds: dict[str, list[float]] = {"bare loop": [], "harness": []}
    for _ in range(arguments.turns):
        seconds["bare loop"].append(bare_loop(few, batches))
        seconds["harness"].append(harness(few))
    padding = 100 * sampler.padding_fraction()
    print(f"\n{few.run.core.label()}, {num_tokens} tokens an epoch, {padding:.1f} % padding beside them")
    print_ratios(seconds, num_tokens)


if __name__ == "__main__":
    main()
