"""Does `diagnose` name what is wrong with a broken training, and leave healthy ones in peace?

    python benchmarks/diagnosis.py [--store DIR] [--seeds 100 110] [--healthy 60] [--set fresh]

Twelve kinds of fault are put into nano runs on generated data, ten seeds each, beside healthy runs on several tasks and
cores. Runs that are in the store are not trained again. Printed is a table: fault by what is named first, how often the
right cause is named first and at all, and which healthy runs are accused (of anything but a note).

Thresholds were chosen on `--set tuning` (seeds from 0); `--set fresh` has other seeds (from 100) and, among the tasks,
some that the other set lacks.
"""

from __future__ import annotations

import argparse
import contextlib
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from datasets import Dataset

from atinuke_bench.config import MicroworldConfig, SourceConfig, make_run_config
from atinuke_bench.core import encoder
from atinuke_bench.core.attention import Visibility
from atinuke_bench.diagnosis.diagnose import diagnose_folder
from atinuke_bench.diagnosis.finding import Finding, Severity
from atinuke_bench.errors import DivergedError
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.training.execution import Execution
from atinuke_bench.training.prepare import PreparedRun, prepare
from atinuke_bench.training.train import train_and_evaluate

QUIET = Execution(show_progress=False, keeps_texts=False)


@dataclass(frozen=True)
class Base:
    """A training that goes well: what is broken, and what the healthy runs are."""

    task: str
    core: str
    train: int
    learning_rate: float
    epochs: int = 10
    batch_tokens: int = 256

    def prepare(self, seed: int, **overrides: Any) -> PreparedRun:
        sizes = MicroworldConfig(train=self.train, dev=100, test=40)
        training = {
            "max_epochs": self.epochs,
            "batch_tokens": self.batch_tokens,
            "learning_rate": self.learning_rate,
            "held_out_fraction": 0.2,
            "patience": self.epochs,
        }
        changed = {f"training.{name}": value for name, value in training.items()}
        changed |= {
            "tokenizer.vocab_size": 500,
            **{name.replace("__", "."): value for name, value in overrides.items()},
        }
        source = SourceConfig(kind="microworld", microworld=sizes)
        return prepare(
            make_run_config(self.task, self.core, preset="nano", source=source, seed=seed, overrides=changed)
        )


SENTIMENT = Base("glue/sst2", "atinuke", 600, 2e-3)
SENTIMENT_LSTM = Base("glue/sst2", "bilstm", 600, 4e-3)
ROLES = Base("srl", "transformer", 300, 4e-3)
ROLES_LSTM = Base("srl", "bilstm", 300, 4e-3)
ROLES_ATINUKE = Base("srl", "atinuke", 300, 3e-3)
TEXT = Base("lm", "atinuke", 60, 4e-3, epochs=8, batch_tokens=512)
TEXT_LSTM = Base("lm", "bilstm", 60, 4e-3, epochs=8, batch_tokens=512)
COREF = Base("coref", "bilstm", 30, 4e-3)
HEALTHY = {
    "tuning": (SENTIMENT, SENTIMENT_LSTM, ROLES, ROLES_LSTM, TEXT),
    "fresh": (SENTIMENT, SENTIMENT_LSTM, ROLES, ROLES_LSTM, TEXT, ROLES_ATINUKE, TEXT_LSTM, COREF),
}


class AtSetup(pl.Callback):
    """Breaks a module before its optimiser is made."""

    def __init__(self, breaks: Callable[[Any], None]) -> None:
        self.breaks = breaks

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if stage == "fit":
            self.breaks(pl_module)


class Interrupted(pl.Callback):
    """What Ctrl-C does in the middle of the third epoch."""

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if trainer.current_epoch == 2 and batch_idx == 3:
            raise KeyboardInterrupt


@dataclass(frozen=True)
class Fault:
    """What is done to a run, by its settings, data, module or the code around it; and the names that are right."""

    right: tuple[str, ...]
    bases: tuple[Base, ...]
    overrides: Callable[[Base], dict[str, Any]] = lambda base: {}
    data: Callable[[Dataset, np.random.Generator], dict[str, list[Any]]] | None = None
    callbacks: Callable[[], list[pl.Callback]] = list
    around: Callable[[Base], contextlib.AbstractContextManager[None]] = field(
        default=lambda base: contextlib.nullcontext()
    )


def shuffled(train: Dataset, generator: np.random.Generator) -> dict[str, list[Any]]:
    columns = {name: train[name][:] for name in train.column_names}
    return {**columns, "label": list(generator.permutation(columns["label"]).tolist())}


def one_label(train: Dataset, generator: np.random.Generator) -> dict[str, list[Any]]:
    columns = {name: train[name][:] for name in train.column_names}
    return {**columns, "label": [columns["label"][0]] * len(train)}


def repeated(train: Dataset, generator: np.random.Generator) -> dict[str, list[Any]]:
    """A tenth of the examples, ten times each."""
    places = np.tile(np.arange(len(train) // 10), 10)
    columns = {name: [train[name][int(place)] for place in places] for name in train.column_names}
    return {**columns, "id": [f"repeat-{number}" for number in range(len(places))]}


def freeze(module: Any) -> None:
    module.core.requires_grad_(False)


def kill_activations(module: Any) -> None:
    for layer in module.core.layers:
        torch.nn.init.constant_(layer.expand.bias, -30.0)


def explode(module: Any) -> None:
    """The gradient grows thirtyfold on its way through each layer, as where a residual branch is scaled wrongly."""
    for layer in module.core.layers:
        layer.register_full_backward_hook(lambda _, entering, leaving: tuple(
            None if one is None else 100 * one for one in entering))  # fmt: skip


@contextlib.contextmanager
def other_side(base: Base) -> Iterator[None]:
    """Padding is seen in place of text; in a causal core each token sees the later ones."""
    original = encoder.visibility

    def flipped(
        attention_mask: torch.Tensor, causal: bool, window: int | None = None, slopes: torch.Tensor | None = None
    ) -> Visibility:
        length = attention_mask.shape[1]
        if causal:
            seen = torch.ones(length, length, dtype=torch.bool).triu()
            return Visibility(
                mask=seen & attention_mask[:, None, None, :] | torch.eye(length, dtype=torch.bool), is_causal=False
            )
        return Visibility(mask=~attention_mask[:, None, None, :].expand(-1, 1, length, -1)
                          | torch.eye(length, dtype=torch.bool), is_causal=False)  # fmt: skip

    encoder.visibility = flipped
    try:
        yield
    finally:
        encoder.visibility = original


FAULTS = {
    "rate 30x too high": Fault(
        ("rate-too-high", "diverging"),
        (SENTIMENT, ROLES, TEXT),
        lambda base: {"training__learning_rate": 30 * base.learning_rate},
    ),
    "rate 30x too low": Fault(
        ("rate-too-low",), (SENTIMENT, ROLES, TEXT), lambda base: {"training__learning_rate": base.learning_rate / 30}
    ),
    "no warm-up": Fault(
        ("warm-up-too-short",), (ROLES, SENTIMENT, TEXT), lambda base: {"training__warmup_fraction": 0.0}
    ),
    "labels shuffled": Fault(("never-left-the-floor",), (SENTIMENT, SENTIMENT_LSTM), data=shuffled),
    "one label only": Fault(("one-answer-in-data",), (SENTIMENT, SENTIMENT_LSTM), data=one_label),
    "masking wrong side": Fault(("mask-on-wrong-side",), (SENTIMENT, ROLES, TEXT), around=other_side),
    "frozen core": Fault(("frozen-core",), (SENTIMENT, ROLES_LSTM), callbacks=lambda: [AtSetup(freeze)]),
    "exploding gradients": Fault(("exploding-gradients",), (SENTIMENT, ROLES), callbacks=lambda: [AtSetup(explode)]),
    "dead activations": Fault(("dead-activations",), (SENTIMENT, ROLES), callbacks=lambda: [AtSetup(kill_activations)]),
    "overfitting": Fault(
        ("overfitting",), (SENTIMENT, SENTIMENT_LSTM, TEXT),
        lambda base: {"training__train_limit": 60 if base.task != "lm" else 6, "training__max_epochs": 40,
                      "training__patience": 40, "training__select_on": "dev"},
    ),
    "interrupted early": Fault(("interrupted",), (SENTIMENT, ROLES), callbacks=lambda: [Interrupted()]),
    "data repeated": Fault(("data-repeated",), (SENTIMENT, ROLES_LSTM), data=repeated),
}  # fmt: skip


def with_train(
    prepared: PreparedRun, change: Callable[[Dataset, np.random.Generator], dict[str, list[Any]]], name: str
) -> PreparedRun:
    """The run on a changed train split, which is another data set."""
    split = prepared.task.splits.train
    train = prepared.loaded.splits[split]
    columns = change(train, np.random.default_rng(prepared.run.seed))
    changed = Dataset.from_dict(columns, features=train.features)
    loaded = replace(
        prepared.loaded,
        splits={**prepared.loaded.splits, split: changed},
        files={**prepared.loaded.files, "fault": f"{name} {prepared.run.seed}"},
    )
    return replace(prepared, loaded=loaded)


def carry_out(store: Path, name: str, base: Base, seed: int, fault: Fault | None) -> RunFolder:
    """The folder of a run, which is trained where it is not there."""
    folder = RunFolder(store / name.replace(" ", "-") / f"{base.task.replace('/', '-')}-{base.core}-{seed}")
    if folder.is_finished() or folder.failure.exists():
        return folder
    prepared = base.prepare(seed, **(fault.overrides(base) if fault else {}))
    if fault and fault.data:
        prepared = with_train(prepared, fault.data, name)
    with (
        fault.around(base) if fault else contextlib.nullcontext(),
        contextlib.suppress(DivergedError, KeyboardInterrupt),
    ):
        train_and_evaluate(prepared, folder, QUIET, callbacks=fault.callbacks() if fault else [])
    return folder


@dataclass
class Outcome:
    """What the doctor said of the runs of a kind."""

    num: int = 0
    first: int = 0
    named: int = 0
    names: Counter[str] = field(default_factory=Counter)

    def add(self, findings: list[Finding], right: tuple[str, ...]) -> None:
        accusing = [finding.name for finding in findings if finding.severity != Severity.NOTE]
        self.num += 1
        self.first += bool(accusing) and accusing[0] in right
        self.named += any(name in right for name in accusing)
        self.names[accusing[0] if accusing else "nothing"] += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, default=Path("runs/diagnosis"))
    parser.add_argument("--set", choices=["tuning", "fresh"], default="fresh")
    parser.add_argument("--seeds", type=int, default=10, help="runs of each fault")
    parser.add_argument("--healthy", type=int, default=60)
    parser.add_argument("--only", default="", help="faults whose name has this in it")
    parser.add_argument("--show", action="store_true", help="print every finding")
    given = parser.parse_args()
    torch.set_num_threads(1)
    start, store = (100 if given.set == "fresh" else 0), given.store / given.set
    outcomes: dict[str, Outcome] = defaultdict(Outcome)
    started = time.perf_counter()
    for name, fault in FAULTS.items():
        for seed in range(start, start + given.seeds if given.only in name else start):
            base = fault.bases[seed % len(fault.bases)]
            show(name, base, seed, carry_out(store, name, base, seed, fault), outcomes[name], fault.right, given.show)
    for number in range(given.healthy if given.only in "healthy" else 0):
        base = HEALTHY[given.set][number % len(HEALTHY[given.set])]
        seed = start + number // len(HEALTHY[given.set])
        show("healthy", base, seed, carry_out(store, "healthy", base, seed, None), outcomes["healthy"], (), given.show)
    print(f"\n{'fault':22} runs  right first  named at all  first name")
    for name, own in outcomes.items():
        names = ", ".join(f"{one} {count}" for one, count in own.names.most_common())
        print(f"{name:22} {own.num:4}  {own.first:11}  {own.named:12}  {names}")
    broken = [own for name, own in outcomes.items() if name != "healthy"]
    total = sum(own.num for own in broken)
    if total:
        print(
            f"right cause first {sum(own.first for own in broken)} of {total}, named {sum(own.named for own in broken)}"
        )
    print(f"{time.perf_counter() - started:.0f} s")


def show(
    name: str, base: Base, seed: int, folder: RunFolder, outcome: Outcome, right: tuple[str, ...], prints: bool
) -> None:
    run, findings = diagnose_folder(folder)
    outcome.add(findings, right)
    if prints:
        said = [f"{finding.name} ({finding.severity}): {finding.text}" for finding in findings]
        scores = ", ".join(f"{score:.0f}" if run.higher_is_better else f"{score:.2f}" for score in run.scores[-12:])
        losses = ", ".join(f"{loss:.2f}" for loss in run.losses[-12:])
        print(
            f"{name} | {base.task} {base.core} {seed}: floor {run.last_answers.floor:.0f} scores {scores}; "
            f"losses {losses}"
        )
        print("".join(f"    {line}\n" for line in said), end="", flush=True)


if __name__ == "__main__":
    main()
