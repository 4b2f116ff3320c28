"""Speed of semantic role labelling's parts: decoding, scoring, and a predicate before or after the core.

    python benchmarks/srl_speed.py --data-dir DIR [--core bilstm] [--preset mini] [--srl-eval srl-eval.pl]

Everything runs on one thread. Decoding takes random scores of 101 tags (50 roles). Scoring reads two `.props` files;
a Perl process that only reads and splits the same files, and the official script if its path is given, are printed for
comparison, all in processor seconds. The predicate's two places are compared by processor seconds of an epoch,
extrapolated from a few batches, taken in turns so that a busy machine slows both equally.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

os.environ.update(TOKENIZERS_PARALLELISM="false", OMP_NUM_THREADS="1")

import torch

from atinuke_bench.config import SourceConfig, make_run_config
from atinuke_bench.core.build import build_core
from atinuke_bench.data.batching import BatchDataset, TokenBudgetSampler
from atinuke_bench.heads.viterbi import decode_viterbi
from atinuke_bench.registry import load_task
from atinuke_bench.training.prepare import PreparedRun, prepare

_PERL_READS = "while (<>) { my @columns = split; }"
_FEATURES = ("indicator", "late")


def processor_seconds() -> float:
    """Of this process and of those it has waited for."""
    return sum(os.times()[:4])


def median_seconds(call: Callable[[], object], repeats: int = 7) -> float:
    """Median processor seconds of a call, the first one left out; wall time would measure who else is working."""
    times = []
    for _ in range(repeats + 1):
        started = processor_seconds()
        call()
        times.append(processor_seconds() - started)
    return statistics.median(times[1:])


def decoding() -> None:
    for num_rows, length in ((64, 32), (8, 128)):
        scores = torch.randn(num_rows, length, 101, generator=torch.Generator().manual_seed(0))
        mask = torch.ones(num_rows, length, dtype=torch.bool)
        # Several at once, since the clock of processor time has steps of 10 ms.
        seconds = median_seconds(partial(_decode_often, scores, mask, 20)) / 20
        print(f"decode {num_rows} x {length} words, 101 tags: {num_rows * length / seconds:,.0f} words/s")


def _decode_often(scores: torch.Tensor, mask: torch.Tensor, times: int) -> None:
    for _ in range(times):
        decode_viterbi(scores, mask)


def scoring(gold: Path, response: Path, official: Path | None) -> None:
    files = load_task("srl").files
    ours = median_seconds(lambda: [files.score(gold, response) for _ in range(20)]) / 20
    print(f"score {gold.name} and {response.name}: {1000 * ours:.1f} ms")
    commands = {"perl, reading alone": ["perl", "-e", _PERL_READS]}
    if official is not None:
        commands[official.name] = ["perl", str(official)]
    for name, command in commands.items():
        whole = [*command, str(gold), str(response)]
        seconds = median_seconds(partial(subprocess.run, whole, check=True, capture_output=True), 3)
        print(f"  {name}: {1000 * seconds:.1f} ms, {seconds / ours:.1f} times ours")


class Variant:
    """A module of one predicate feature with its batches."""

    def __init__(self, arguments: argparse.Namespace, feature: str) -> None:
        prepared = self._prepare(arguments, feature)
        self.encoded = prepared.encode("train", prepared.train_examples)
        torch.manual_seed(0)
        core = build_core(prepared.run.core, prepared.tokenizer.get_vocab_size())
        self.module = prepared.task.model.build(core, prepared.run)
        self.optimizer = torch.optim.AdamW(self.module.parameters(), fused=True)
        sampler = TokenBudgetSampler(self.encoded.lengths, prepared.run.training.batch_tokens, seed=0)
        self.num_batches = len(sampler)
        self.batches = [BatchDataset(self.encoded)[rows] for rows in list(sampler)[: arguments.batches]]

    @staticmethod
    def _prepare(arguments: argparse.Namespace, feature: str) -> PreparedRun:
        return prepare(
            make_run_config(
                "srl",
                arguments.core,
                preset=arguments.preset,
                source=SourceConfig(data_dir=arguments.data_dir),
                overrides={"options.predicate_feature": feature},
            )
        )

    def train(self) -> float:
        """Processor seconds of training on all batches."""
        self.module.train()
        started = time.process_time()
        for batch in self.batches:
            self.optimizer.zero_grad()
            self.module.loss(batch).backward()
            self.optimizer.step()
        return time.process_time() - started

    @torch.inference_mode()
    def predict(self) -> float:
        """Processor seconds of tagging all batches, decoding included."""
        self.module.eval()
        started = time.process_time()
        for batch in self.batches:
            self.module.outputs(batch)
        return time.process_time() - started


def places_of_the_predicate(arguments: argparse.Namespace) -> None:
    variants = {feature: Variant(arguments, feature) for feature in _FEATURES}
    seconds: dict[tuple[str, str], list[float]] = {}
    for _ in range(4):
        for feature, variant in variants.items():
            seconds.setdefault((feature, "train"), []).append(variant.train())
            seconds.setdefault((feature, "predict"), []).append(variant.predict())
    for (feature, what), times in seconds.items():
        variant = variants[feature]
        epoch = statistics.median(times[1:]) * variant.num_batches / len(variant.batches)
        predicates = int(variant.encoded.ragged["predicates"].lengths.sum())
        print(
            f"{arguments.core}-{arguments.preset} {feature}, {what}: {epoch:.0f} s for the train split "
            f"({len(variant.encoded):,} rows, {variant.encoded.lengths.sum():,} tokens), "
            f"{predicates / epoch:,.0f} predicates/s"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--core", default="bilstm")
    parser.add_argument("--preset", default="mini")
    parser.add_argument("--batches", type=int, default=6)
    parser.add_argument("--srl-eval", type=Path, default=None, help="the official srl-eval.pl")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    decoding()
    gold = arguments.data_dir / "srl/ewt/conll2005/dev.props"
    scoring(gold, arguments.data_dir / "parity/srl/ewt-dev.response.props", arguments.srl_eval)
    places_of_the_predicate(arguments)


if __name__ == "__main__":
    main()
