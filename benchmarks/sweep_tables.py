"""Tables of trainings, from which searches are replayed in seconds (`sweep_budget.py`).

    ATINUKE_DATA=/folder python benchmarks/sweep_tables.py --out /tmp/sweep-tables --workers 2

A table is of one task and one core: every combination of four settings, trained whole with every seed. Of each
training it keeps what a search sees of it, epoch by epoch (the selection score, and what each held-out example added to
it), and what it cost. Three tasks are of generated data, the fourth is the first lines of SNLI. What is there is not
trained again; seeds are filled one after the other, for all tables. The best combinations of each table get some more
seeds in the end: choices are among these, and judging a choice takes many.
"""

from __future__ import annotations

import argparse
import logging
import math
import multiprocessing
import os
import shutil
import statistics
import sys
import time
import warnings
from dataclasses import dataclass
from functools import partial
from itertools import islice, product
from pathlib import Path
from typing import Any

import numpy as np

from atinuke_bench.config import MicroworldConfig, RunConfig, SourceConfig, make_run_config
from atinuke_bench.run_folder import folder_of
from atinuke_bench.selection_record import read_selection

CORES = ("atinuke", "bilstm")
#: Task -> examples of its train split, of which up to 1,000 are held out.
TASKS = {"glue/sst2": 2800, "glue/cola": 2800, "srl": 1300, "snli": 2600}
#: The values of a table, all combinations of them.
LEVELS: dict[str, tuple[Any, ...]] = {
    "training.learning_rate": tuple(float(f"{3e-4 * (200 / 3) ** (step / 5):.2g}") for step in range(6)),
    "training.batch_tokens": (1024, 3072),
    "core.hidden_size": (12, 32),
    "core.dropout": (0.0, 0.3),
}
#: As a study has it; a trial is carried out by the nearest combination of the table.
SPACE = {
    "training.learning_rate": {"float": [2e-4, 3e-2], "log": True},
    "training.batch_tokens": {"int": [1024, 3072], "log": True},
    "core.hidden_size": {"categorical": [12, 32]},
    "core.dropout": {"categorical": [0.0, 0.3]},
}
OVERRIDES = {
    "core.num_layers": 1,
    "training.max_epochs": 9,
    "training.patience": 9,
    "training.held_out_fraction": 0.3,
    "training.max_length": 64,
    "tokenizer.vocab_size": 2000,
}


@dataclass(frozen=True)
class Entry:
    """One training of a table."""

    task: str
    core: str
    place: int
    seed: int

    def file(self, folder: Path) -> Path:
        return folder / f"{self.task.replace('/', '-')}-{self.core}" / f"{self.place:02d}-{self.seed}.npz"


def combinations() -> list[dict[str, Any]]:
    """The settings of a table, by their place in it."""
    return [dict(zip(LEVELS, values, strict=True)) for values in product(*LEVELS.values())]


def nearest_place(run: RunConfig) -> int:
    """The combination of the table that a run is played by: the nearest rate and the nearest sizes, by logarithms."""
    own = run.model_dump()
    near = {}
    for path, levels in LEVELS.items():
        group, name = path.split(".")
        value = own[group][name]
        near[path] = min(levels, key=partial(_apart, value))
    return _PLACES[tuple(near.values())]


def _apart(value: float, level: float) -> float:
    return abs(math.log((value + 1e-9) / (level + 1e-9)))


_PLACES = {tuple(combination.values()): place for place, combination in enumerate(combinations())}


def source_of(task: str, data: Path) -> SourceConfig:
    if task == "snli":
        return SourceConfig(data_dir=data)
    sizes = {"train": TASKS[task], "dev": 400 if task == "srl" else 1000, "test": 4}
    return SourceConfig(kind="microworld", microworld=MicroworldConfig(**sizes))


def run_of(entry: Entry, data: Path) -> RunConfig:
    overrides = {**OVERRIDES, **combinations()[entry.place]}
    source = source_of(entry.task, data)
    return make_run_config(entry.task, entry.core, preset="nano", source=source, seed=entry.seed, overrides=overrides)


def cut_snli(source: Path, target: Path) -> Path:
    """SNLI with its first lines."""
    (target / "snli").mkdir(parents=True, exist_ok=True)
    for split, lines in (("train", TASKS["snli"]), ("dev", 1000), ("test", 20)):
        name = f"snli_1.0_{split}.jsonl"
        with open(source / "snli" / name, encoding="utf-8") as file:
            (target / "snli" / name).write_text("".join(islice(file, lines)), encoding="utf-8")
    return target


def train(job: tuple[Entry, Path]) -> float:
    """Carry out one training and write its entry; the seconds it took."""
    from atinuke_bench.training.execution import Execution
    from atinuke_bench.training.prepare import prepare
    from atinuke_bench.training.train import train_and_evaluate

    entry, out = job
    started = time.monotonic()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    prepared = prepare(run_of(entry, out / "data"))
    folder = folder_of(out / "runs", prepared.run, prepared.identity)
    result = train_and_evaluate(prepared, folder, Execution(show_progress=False, keeps_texts=False))
    history, record = folder.read_history(), read_selection(folder.selection)
    target = entry.file(out)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part.npz")
    np.savez_compressed(
        part,
        units=np.array(record.units),
        contributions=np.stack([record.epochs[epoch] for epoch in range(len(history))]).astype(np.float32),
        scores=np.array([line["score"] for line in history]),
        flops=np.array([line["training_flops"] for line in history], dtype=np.float64),
        floor=history[0]["answers"]["floor"],
        parameters=result["cost"]["parameters"],
        forward_flops=result["cost"]["forward_flops_per_token"],
    )
    part.replace(target)
    shutil.rmtree(folder.path)
    return time.monotonic() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("ATINUKE_DATA"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=9)
    parser.add_argument("--best", type=int, default=12, help="combinations of each table that get --more seeds")
    parser.add_argument("--more", type=int, default=6)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    if options.data is None:
        sys.exit("set ATINUKE_DATA or --data to the folder that holds snli/")
    os.environ |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    cut_snli(options.data, options.out / "data")
    places = range(len(combinations()))
    tables = list(product(TASKS, CORES))
    carry_out(
        [Entry(*table, place, seed) for seed in range(options.seeds) for table in tables for place in places], options
    )
    best = [(*table, place) for table in tables for place in best_places(table, options)]
    more = range(options.seeds, options.seeds + options.more)
    carry_out([Entry(*one, seed) for seed in more for one in best], options)


def best_places(table: tuple[str, str], options: argparse.Namespace) -> list[int]:
    """The combinations of a table with the best means over its seeds."""

    def mean(place: int) -> float:
        entries = [Entry(*table, place, seed).file(options.out) for seed in range(options.seeds)]
        return statistics.fmean(float(np.load(file)["scores"].max()) for file in entries)

    return sorted(range(len(combinations())), key=mean, reverse=True)[: options.best]


def carry_out(entries: list[Entry], options: argparse.Namespace) -> None:
    """Carry out those of some trainings that are not there, and say how far it is."""
    missing = [entry for entry in entries if not entry.file(options.out).exists()]
    print(f"{len(entries)} trainings, {len(missing)} of them to do", flush=True)
    started = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(options.workers) as pool:
        jobs = [(entry, options.out) for entry in missing]
        for done, seconds in enumerate(pool.imap_unordered(train, jobs, chunksize=4), start=1):
            if done % 50 == 0:
                left = (time.monotonic() - started) / done * (len(missing) - done)
                print(f"{done}/{len(missing)}: last {seconds:.1f} s, {left / 60:.0f} minutes left", flush=True)


if __name__ == "__main__":
    main()
