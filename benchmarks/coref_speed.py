"""Coreference: memory of training on long documents, speed of prediction, seconds of scoring.

    python benchmarks/coref_speed.py --data-dir DIR [--core atinuke] [--preset mini] [--threads 2]
                                     [--response FILE]

Memory is the peak of a separate process that takes three training steps on one document, made of the train split's
documents put together; what Python and the libraries take before the first step is printed beside it. Prediction
reads the dev documents from words to clusters. Scoring reads a key and a response (the key itself, unless a response
is given) and computes all metrics; its parts are printed too. Processor time is printed beside wall time; a busy
machine changes it less.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import numpy as np
import torch
from datasets import Dataset

from atinuke_bench.config import SourceConfig, make_run_config
from atinuke_bench.core.build import build_core
from atinuke_bench.data.batching import BatchDataset
from atinuke_bench.tasks.coref.files import CorefFiles, find_files, read_for_scoring
from atinuke_bench.tasks.coref.scorer import count_documents, printed_scores, total
from atinuke_bench.tasks.coref.task import COREF
from atinuke_bench.training.prepare import PreparedRun, prepare

LENGTHS = (2_000, 8_000)


def prepared_run(arguments: argparse.Namespace) -> PreparedRun:
    return prepare(
        make_run_config(
            "coref",
            arguments.core,
            preset=arguments.preset,
            source=SourceConfig(data_dir=arguments.data_dir),
        )
    )


def build_module(prepared: PreparedRun) -> Any:
    torch.manual_seed(0)
    return COREF.model.build(build_core(prepared.run.core, prepared.tokenizer.get_vocab_size()), prepared.run)


def long_document(examples: Dataset, num_words: int) -> Dataset:
    """One document of about `num_words` words: whole sentences of the first documents, with their clusters."""
    words: list[str] = []
    lengths: list[int] = []
    clusters: list[list[list[int]]] = []
    for row in examples:
        offset = len(words)
        for length in row["sentence_lengths"]:
            if len(words) + length > num_words:
                break
            words += row["words"][len(words) - offset : len(words) - offset + length]
            lengths.append(length)
        for cluster in row["clusters"]:
            inside = [[start + offset, end + offset] for start, end in cluster if end + offset < len(words)]
            clusters += [inside] if inside else []
        if len(words) > 0.98 * num_words:
            break
    row = {**examples[0], "words": words, "sentence_lengths": lengths, "clusters": clusters}
    row |= {"speakers": [], "pos": []}
    return Dataset.from_list([row], features=examples.features)


def measure_memory(arguments: argparse.Namespace) -> None:
    """Runs in a separate process, whose peak memory is the figure."""
    prepared = prepared_run(arguments)
    document = long_document(prepared.train_examples, arguments.memory)
    batch = BatchDataset(COREF.data.rows(document, prepared.tokenizer, prepared.run))[np.array([0])]
    module = build_module(prepared)
    optimizer = torch.optim.AdamW(module.parameters(), fused=True)
    before = _peak_bytes()
    started = time.perf_counter()
    for _ in range(3):
        optimizer.zero_grad()
        module.loss(batch).backward()
        optimizer.step()
    seconds = (time.perf_counter() - started) / 3
    num_words, num_mentions = len(document["words"][0]), sum(map(len, document["clusters"][0]))
    print(
        f"train on {num_words:,} words ({num_mentions:,} mentions): peak {_peak_bytes() / 2**30:.2f} GiB, of which "
        f"{before / 2**30:.2f} before the first step; {seconds:.2f} s a step"
    )


def measure_prediction(arguments: argparse.Namespace) -> None:
    prepared = prepared_run(arguments)
    examples = prepared.evaluation_splits["dev"]
    module = build_module(prepared).eval()
    num_words = sum(map(len, examples["words"][:]))
    encoded = COREF.data.rows(examples, prepared.tokenizer, prepared.run)
    encoding = _best_seconds(lambda: COREF.data.rows(examples, prepared.tokenizer, prepared.run), 2)
    scoring = _best_seconds(lambda: _predict(prepared, module, encoded, examples), 3)
    wall, processor = encoding.wall + scoring.wall, encoding.processor + scoring.processor
    print(
        f"predict {num_words:,} words, {prepared.run.core.label()}, {torch.get_num_threads()} threads: "
        f"{num_words / wall:,.0f} words/s from words to clusters, {num_words / processor:,.0f} a processor second "
        f"({encoding.wall:.2f} s features, {scoring.wall:.2f} s core, head and decoding)"
    )


@torch.inference_mode()
def _predict(prepared: PreparedRun, module: Any, encoded: Any, examples: Dataset) -> None:
    data = BatchDataset(encoded)
    outputs = [module._as_arrays(data[np.array([row])]) for row in range(len(encoded))]
    COREF.model.decode(outputs, encoded, examples, prepared.run)


def measure_scoring(key: Path, response: Path) -> None:
    sides: dict[str, Any] = {}
    counts: dict[str, Any] = {}
    parts: dict[str, Callable[[], object]] = {
        "reading the key": lambda: sides.update(key=read_for_scoring(key)),
        "reading the response": lambda: sides.update(response=read_for_scoring(response)),
        "counting": lambda: counts.update(
            count_documents(
                *({place: one.clusters for place, one in sides[side].items()} for side in ("key", "response"))
            )
        ),
        "all metrics of the sums": lambda: printed_scores(total(counts.values())),
    }
    seconds = {name: _best_seconds(part) for name, part in parts.items()}
    whole = _best_seconds(lambda: CorefFiles().score(key, response))
    shown = ", ".join(f"{name} {1000 * value.wall:.0f} ms" for name, value in seconds.items())
    print(
        f"score {len(sides['key'])} documents: {1000 * whole.wall:.0f} ms in all "
        f"({1000 * whole.processor:.0f} of a processor); {shown}"
    )


class Seconds(NamedTuple):
    wall: float
    processor: float


def _best_seconds(call: Callable[[], object], repeats: int = 5) -> Seconds:
    """The least wall time of a call and the least processor time, of several."""
    walls, processors = [], []
    for _ in range(repeats):
        wall, processor = time.perf_counter(), time.process_time()
        call()
        walls.append(time.perf_counter() - wall)
        processors.append(time.process_time() - processor)
    return Seconds(min(walls), min(processors))


def _peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--core", default="atinuke")
    parser.add_argument("--preset", default="mini")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--response", type=Path)
    parser.add_argument("--memory", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.memory is not None:
        measure_memory(arguments)
        return
    key = next(iter(find_files(arguments.data_dir).splits["dev"].values()))
    measure_scoring(key, arguments.response or key)
    measure_prediction(arguments)
    for length in LENGTHS:
        subprocess.run([sys.executable, __file__, *sys.argv[1:], "--memory", str(length)], check=True)


if __name__ == "__main__":
    main()
