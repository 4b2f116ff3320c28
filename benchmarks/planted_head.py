"""Is the one attention head that solves a task found first, and are heads that do nothing left alone?

    python benchmarks/planted_head.py

Texts say one word of each class in any order, and "now" before one of them: its class is the label, so that a bag of
words says nothing. The core has no positions but rotary ones. All of it is frozen at random except one head, which is
trained together with the task's own layers; then both importances, the pruning curve and the patterns are computed as
`atinuke-bench heads` does.

Heads that do nothing: cores and task layers are random and labels are drawn at random, so that no head is worth
anything; and cores without positions on texts of random words, so that none looks at neighbours. Printed are the shares
of p below 5 %, before and after Holm's correction. Nominal is at most 5 %.

Measured: first by masking and on the curve in 20 of 20 seeds, by gradient in 15, since the gradient in the gate of a
head that is trained to its end is small. Of 480 heads that do nothing 1.2 % had p < 0.05, 0.2 % after correction; of
960 tests of neighbours 4.8 %.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from atinuke_bench.config import find_task, make_run_config
from atinuke_bench.core.build import build_core
from atinuke_bench.data.batching import TokenBudgetSampler, make_loader
from atinuke_bench.metrics.randomisation import sign_p_values
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.runs.attention.carry_out import look
from atinuke_bench.runs.attention.opened import Opened, part_of
from atinuke_bench.runs.attention.patterns import RELATIONS, patterns
from atinuke_bench.training.predict import Predictor
from atinuke_bench.training.prepare import PreparedRun, prepare

CLASSES = ("red", "blue", "green", "pink")
FILLERS = tuple(f"w{number}" for number in range(12))
NUM_LAYERS, NUM_HEADS = 2, 4


def write_task(folder: Path, sizes: dict[str, int], seed: int, *, is_random: bool = False) -> Path:
    """The declaration of the task and its files; with `is_random` texts say nothing of their labels."""
    draw = random.Random(seed)
    for split, size in sizes.items():
        with (folder / f"{split}.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["key", "body", "colour"])
            for number in range(size):
                label = CLASSES[number % len(CLASSES)] if is_random else draw.choice(CLASSES)
                words = [f"now {word}" if word == label and not is_random else word for word in CLASSES]
                words += draw.choices(FILLERS, k=4)
                draw.shuffle(words)
                rows.writerow([f"{split}{number}", " ".join(words), label])
    (folder / "colours.yaml").write_text(
        "name: colours\nkind: classification\nsplits: {train: train.csv, test: test.csv}\n"
        "fields: {text: body, label: colour, id: key}\n"
    )
    return folder / "colours.yaml"


def prepared_run(file: Path, seed: int, positions: str = "rotary") -> PreparedRun:
    name, declaration = find_task(str(file))
    changes = {"core.num_layers": NUM_LAYERS, "core.num_heads": NUM_HEADS, "core.positions": positions,
               "core.norm": "pre", "core.dropout": 0.0, "tokenizer.vocab_size": 200, "tokenizer.min_frequency": 1,
               "options.pooling": "mean"}  # fmt: skip
    return prepare(
        make_run_config(name, "transformer", preset="nano", overrides=changes, declaration=declaration, seed=seed)
    )


def random_predictor(prepared: PreparedRun) -> Predictor:
    """The task's module with random weights."""
    torch.manual_seed(prepared.run.seed)
    core = build_core(prepared.run.core, prepared.tokenizer.get_vocab_size())
    module = prepared.task.model.build(core, prepared.run).eval()
    return Predictor(prepared.run, prepared.task, module, prepared.tokenizer, {})


def opened(prepared: PreparedRun, predictor: Predictor) -> Opened:
    run = prepared.run
    result = {"task": run.task, "core": run.core.name, "core_label": run.core.label(), "seed": run.seed,
              "identity": prepared.identity, "scores": {}, "metric": prepared.task.metric.name}  # fmt: skip
    on = part_of(predictor, "test", prepared.loaded.splits["test"], None)
    selection = part_of(predictor, "held-out", prepared.selection_examples, None)
    return Opened(RunFolder(Path()), result, predictor, predictor.module.core.attention_layers(), on, selection)


def train_one_head(prepared: PreparedRun, predictor: Predictor, layer: int, head: int, num_epochs: int) -> None:
    """Train a head and the task's own layers; every other weight of the core stays random."""
    module = predictor.module
    module.core.requires_grad_(False)
    attention = module.core.attention_layers()[layer]
    (qkv,), out, size = attention.inputs, attention.output, attention.head_size
    own = slice(head * size, (head + 1) * size)
    rows = torch.zeros(3, NUM_HEADS * size, 1)
    rows[:, own] = 1.0
    columns = torch.zeros(1, NUM_HEADS * size)
    columns[:, own] = 1.0
    masks = {qkv.weight: rows.flatten(0, 1), qkv.bias: rows.flatten(), out.weight: columns}
    for weight in masks:
        weight.requires_grad_(True)
    learned = [weight for weight in module.parameters() if weight.requires_grad]
    optimiser = torch.optim.Adam(learned, lr=3e-3)
    encoded = predictor.encode(prepared.train_examples)
    sampler = TokenBudgetSampler(encoded.lengths, 1024, seed=prepared.run.seed, num_epochs=num_epochs)
    for epoch in range(num_epochs):
        sampler.set_epoch(epoch)
        for batch in make_loader(encoded, sampler):
            optimiser.zero_grad()
            module.loss(batch).backward()
            for weight, mask in masks.items():
                assert weight.grad is not None
                weight.grad *= mask
            optimiser.step()


def planted(seed: int, num_epochs: int = 30, num_train: int = 1500, num_test: int = 300) -> dict[str, Any]:
    """Whether the planted head of a seed is first by both importances, and what else was found."""
    generator = np.random.default_rng(seed)
    layer, head = int(generator.integers(NUM_LAYERS)), int(generator.integers(NUM_HEADS))
    with tempfile.TemporaryDirectory() as folder:
        file = write_task(Path(folder), {"train": num_train, "test": num_test}, seed)
        prepared = prepared_run(file, seed)
        predictor = random_predictor(prepared)
        train_one_head(prepared, predictor, layer, head, num_epochs)
        record = look(opened(prepared, predictor), num_orders=3)
    by_drop = max(record["heads"], key=lambda one: one["drop"])
    by_gradient = max(record["heads"], key=lambda one: one["gradient"])
    own = next(one for one in record["heads"] if (one["layer"], one["head"]) == (layer, head))
    others = [one for one in record["heads"] if one is not own]
    seen = {one["relation"]: one["mass"] for one in record["patterns"] if (one["layer"], one["head"]) == (layer, head)}
    return {
        "place": (layer, head),
        "score": record["score"],
        "drop": own["drop"],
        "next_drop": max(one["drop"] for one in others),
        "first_by_drop": by_drop is own,
        "first_by_gradient": by_gradient is own,
        "first_on_curve": tuple(record["curve"]["order"][0]) == (layer, head),
        "is_significant": own["p_corrected"] < 0.05,
        "others_significant": sum(one["p_corrected"] < 0.05 for one in others),
        "at_neighbours": float(seen["previous token"] + seen["next token"]),
        "gain": record["curve"]["gain"],
    }


def random_heads(seed: int, num_examples: int = 200) -> tuple[list[float], list[float], list[float]]:
    """p of masking before and after Holm's correction, and p of looking at neighbours, of heads that do nothing."""
    with tempfile.TemporaryDirectory() as folder:
        file = write_task(Path(folder), {"train": 100, "test": num_examples}, seed, is_random=True)
        prepared = prepared_run(file, seed, positions="none")
        found = opened(prepared, random_predictor(prepared))
        heads = look(found, num_orders=1)["heads"]
        seen = patterns(found, lambda num_rows: None)
    assert seen is not None
    neighbours: list[float] = []
    for relation in ("previous token", "next token"):
        place = RELATIONS.index(relation)
        excess = (seen.mass - seen.drawn)[:, :, place] / seen.num_asking[:, :, place]
        neighbours += sign_p_values(excess, seed=seed).tolist()
    return [one["p"] for one in heads], [one["p_corrected"] for one in heads], neighbours


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20, help="planted heads")
    parser.add_argument("--random", type=int, default=100, help="random cores")
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as cache:
        os.environ["ATINUKE_CACHE"] = cache
        results = []
        for seed in range(given.seeds):
            started = time.perf_counter()
            results.append(found := planted(seed))
            shown = [f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
                     for name, value in found.items()]  # fmt: skip
            print(seed, *shown, f"{time.perf_counter() - started:.1f} s", flush=True)
        for name in ("first_by_drop", "first_by_gradient", "first_on_curve", "is_significant"):
            print(f"{name}: {sum(found[name] for found in results)} of {len(results)}")
        drawn = [random_heads(seed) for seed in range(given.random)]
    plain, corrected, neighbours = (np.concatenate([own[place] for own in drawn]) for place in range(3))
    families = np.mean([(np.array(own[1]) < 0.05).any() for own in drawn])
    print(f"random heads, {len(plain)}: p < 0.05 in {100 * (plain < 0.05).mean():.1f} %, corrected "
          f"{100 * (corrected < 0.05).mean():.2f} %; cores with any {100 * families:.1f} %")  # fmt: skip
    print(f"looking at neighbours, {len(neighbours)}: p < 0.05 in {100 * (neighbours < 0.05).mean():.1f} %")


if __name__ == "__main__":
    main()
