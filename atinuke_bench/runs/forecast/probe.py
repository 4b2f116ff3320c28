"""What one run of a suite costs, measured on a small part of its data: the real run, a moment long.

A probe prepares the run's data at two sizes and trains a few real steps by `train_and_evaluate`, so that loader,
optimiser, checkpoints, evaluation and whatever a plug-in does are in the figures. Only what grows with the data is
multiplied later; the rest counts as it was met.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
from numpy.typing import NDArray

from atinuke_bench.config import MicroworldConfig, RunConfig
from atinuke_bench.core.build import build_core
from atinuke_bench.core.cost import TRAINING_FACTOR, count_parameters
from atinuke_bench.data.features import Encoded
from atinuke_bench.data.hold_out import limit_rows, num_limited
from atinuke_bench.microworld.generate import RECIPES
from atinuke_bench.run_folder import folder_of
from atinuke_bench.runs.forecast.seconds import NO_TIME, Line, Seconds
from atinuke_bench.training.execution import Execution, wait_for
from atinuke_bench.training.launchers import own_gpus
from atinuke_bench.training.prepare import PreparedRun, prepare
from atinuke_bench.training.train import train_and_evaluate

#: Examples of train, and of each evaluated split, that a first look takes.
_FEW, _FEW_EVALUATED = 32, 8
#: Steps that a probe trains where its time suffices, and what it trains at least: the first one is left out.
_MOST_STEPS, _LEAST_STEPS = 24, 3
#: A step of more operations is measured with a smaller batch: a second or two of a processor.
_MOST_STEP_FLOPS = 1e11
#: Of a probe's time, what its data may take.
_SHARE_OF_DATA = 0.4
_SLICE = 0.25


@dataclass(frozen=True)
class DataCost:
    """What a task's data costs every run, and how much of it there is."""

    #: Reading or generating all examples, finding what splits share, cutting train; by number of examples.
    load: Line
    #: Made once for all runs of the same data, then kept.
    tokenizer: Line
    encode: Line
    #: Numbers of examples: learned from, selected on, evaluated, and all that are read.
    num_train: int
    num_selection: int
    num_evaluated: int
    num_read: int
    #: Of the split that the score is of: examples, and what is drawn when it is resampled.
    num_test: int
    num_units: int
    #: Rows of the sample's examples: tokens of each, or of its longest input, and inputs; None for the floor.
    lengths: NDArray[np.int64] | None = None
    num_inputs: NDArray[np.int64] | None = None
    num_sampled: int = 1


@dataclass(frozen=True)
class CoreCost:
    """What training and evaluating a core on a task costs beside its data."""

    #: An optimiser's step on a batch of the run's size.
    step: Seconds = NO_TIME
    #: Selecting on an example, and evaluating one.
    select: Seconds = NO_TIME
    evaluate: Seconds = NO_TIME
    #: Saving an epoch, and everything that is there once: the trainer, the first step, latency, files.
    epoch: Seconds = NO_TIME
    once: Seconds = NO_TIME
    #: Bytes that a finished run keeps, for each evaluated example and besides; and while it trains.
    bytes_each: float = 0.0
    bytes_once: float = 0.0
    bytes_training: float = 0.0


@dataclass(frozen=True)
class Probe:
    """What a probe found; without a core's cost where only the data was looked at."""

    data: DataCost
    core: CoreCost | None
    #: From the start of a process to the run's first line, and from its end to that of the process.
    process: Seconds = NO_TIME
    #: Seconds of processors that the probe took itself.
    spent: float = 0.0


def probe(run: RunConfig, folder: Path, seconds: float, execution: Execution, *, trains: bool) -> Probe:
    """Measure a run in about so many seconds; it trains nothing where only data is asked for. AtinukeBenchError.

    The caller sees to an empty cache: what is found there would cost nothing.
    """
    looks = _Looks(run)
    first = looks.stage(_FEW, _FEW_EVALUATED)
    floor_first = _carry_out(first.prepared, folder / "few", execution) if run.core.is_floor else None
    number = _enough(first, seconds, execution)
    second = looks.stage(number, max(_FEW_EVALUATED + 1, number // 4))
    data = looks.data_cost(first, second)
    if floor_first is not None:
        wholly = _carry_out(second.prepared, folder / "many", execution)
        return Probe(data, _floor_cost(first, second, floor_first, wholly, folder / "many"))
    if not trains:
        return Probe(data, None)
    return Probe(data, _core_cost(looks.run, second, folder, seconds, execution))


@dataclass(frozen=True)
class _Stage:
    """A run's data at one size, and how long each part of it took."""

    prepared: PreparedRun
    load: Seconds
    tokenizer: Seconds
    encode: Seconds
    encoded: Encoded | None

    @property
    def num_read(self) -> int:
        return sum(map(len, self.prepared.loaded.splits.values()))

    @property
    def num_evaluated(self) -> int:
        return sum(map(len, self.prepared.evaluation_splits.values()))

    @property
    def num_encoded(self) -> int:
        return len(self.prepared.train_examples) + len(self.prepared.selection_examples) + self.num_evaluated


class _Looks:
    """A run's data at several sizes: generated at each, or read once as a whole and then cut."""

    def __init__(self, run: RunConfig) -> None:
        self.run = run
        self.is_generated = run.source.kind == "microworld" and run.task in RECIPES
        self.whole: PreparedRun | None = None
        if not self.is_generated:
            started = Seconds.now()
            self.whole = _prepared(run)
            self.load = Seconds.since(started)

    def stage(self, num_train: int, num_evaluated: int) -> _Stage:
        started = Seconds.now()
        if self.whole is None:
            prepared = _prepared(_generated(self.run, num_train, num_evaluated))
        else:
            prepared = _cut(self.whole, num_train, num_evaluated)
        loaded = Seconds.now()
        if self.run.core.is_floor:
            return _Stage(prepared, loaded - started, NO_TIME, NO_TIME, None)
        assert prepared.tokenizer is not None
        made = Seconds.now()
        encoded = prepared.encode("train", prepared.train_examples)
        prepared.encode("selection", prepared.selection_examples)
        for name, examples in prepared.evaluation_splits.items():
            prepared.encode(name, examples)
        return _Stage(prepared, loaded - started, made - loaded, Seconds.since(made), encoded)

    def data_cost(self, few: _Stage, many: _Stage) -> DataCost:
        sizes = (few.num_encoded, many.num_encoded)
        learned = [len(stage.prepared.train_examples) for stage in (few, many)]
        encoded = many.encoded
        return DataCost(
            load=Line(self.load)
            if self.whole is not None
            else Line.through(few.num_read, few.load, many.num_read, many.load),
            tokenizer=Line.through(learned[0], few.tokenizer, learned[1], many.tokenizer),
            encode=Line.through(sizes[0], few.encode, sizes[1], many.encode),
            **(self._sizes(many.prepared) if self.whole is None else _sizes_of(self.whole)),
            lengths=None if encoded is None else encoded.lengths,
            num_inputs=None if encoded is None else encoded.num_inputs,
            num_sampled=learned[1],
        )

    def _sizes(self, sample: PreparedRun) -> dict[str, int]:
        """The sizes that generated data will have, from its settings; units as the sample has them."""
        settings, training = self.run.source.microworld or MicroworldConfig(), self.run.training
        sizes = {split: _generated_size(self.run.task, split, settings) for split in RECIPES[self.run.task].sizes}
        usable = sizes[sample.task.splits.train]
        usable = usable if training.train_limit is None else num_limited(usable, training.train_limit)
        held_out = max(1, min(training.held_out_limit, round(usable * training.held_out_fraction)))
        on_dev = training.select_on == "dev"
        test = headline(sample)
        assert test is not None, "generated splits have labels"
        units = num_units(sample, test) / len(sample.evaluation_splits[test])
        return {
            "num_train": usable if on_dev else usable - held_out,
            "num_selection": sizes[sample.task.splits.dev] if on_dev else held_out,
            "num_evaluated": sum(sizes[split] for split in sample.evaluation_splits),
            "num_read": sum(sizes.values()),
            "num_test": sizes[test],
            "num_units": round(units * sizes[test]),
        }


def _sizes_of(whole: PreparedRun) -> dict[str, int]:
    test = headline(whole)
    return {
        "num_train": len(whole.train_examples),
        "num_selection": len(whole.selection_examples),
        "num_evaluated": sum(map(len, whole.evaluation_splits.values())),
        "num_read": sum(map(len, whole.loaded.splits.values())),
        "num_test": 0 if test is None else len(whole.task.data.labelled(whole.evaluation_splits[test])),
        "num_units": 0 if test is None else num_units(whole, test),
    }


def headline(prepared: PreparedRun) -> str | None:
    """The split that a run's score will be of; None where none has labels."""
    task, splits = prepared.task, prepared.evaluation_splits
    return next((name for name in task.splits.headline if name in splits and task.is_labelled(splits[name])), None)


def num_units(prepared: PreparedRun, split: str) -> int:
    """What is drawn when a score on a split is resampled; examples where the data names nothing else."""
    examples = prepared.task.data.labelled(prepared.evaluation_splits[split])
    units = prepared.task.units(examples)
    return len(examples) if units is None or None in units else len(set(units))


def _prepared(run: RunConfig) -> PreparedRun:
    """Prepare a run as a job does before it trains."""
    prepared = prepare(run)
    assert prepared.identity
    assert prepared.sizes()
    assert prepared.notes is not None
    return prepared


def _generated(run: RunConfig, num_train: int, num_evaluated: int) -> RunConfig:
    settings = (run.source.microworld or MicroworldConfig()).model_copy(
        update={"train": num_train, "dev": num_evaluated, "test": num_evaluated}
    )
    return _on_few(run.model_copy(update={"source": run.source.model_copy(update={"microworld": settings})}))


def _generated_size(task: str, split: str, settings: MicroworldConfig) -> int:
    part = split.partition("_")[0]
    return getattr(settings, part if part in ("train", "dev", "test") else "test") or RECIPES[task].sizes[split]


def _on_few(run: RunConfig) -> RunConfig:
    """One epoch, which selects on enough of the few examples to be timed."""
    changed = {"max_epochs": 1, "held_out_fraction": _SLICE, "train_limit": None}
    return run.model_copy(update={"training": run.training.model_copy(update=changed)})


def _cut(whole: PreparedRun, num_train: int, num_evaluated: int) -> PreparedRun:
    """The run on a few examples of data that was read as a whole."""
    wanted = dict.fromkeys(whole.loaded.splits, num_evaluated) | {whole.task.splits.train: num_train}
    splits = {}
    for name, examples in whole.loaded.splits.items():
        usable = whole.task.data.labelled(examples)
        usable = usable if len(usable) else examples
        splits[name] = usable.select(limit_rows(len(usable), wanted[name]))
    return replace(whole, run=_on_few(whole.run), loaded=replace(whole.loaded, splits=splits))


def _enough(few: _Stage, seconds: float, execution: Execution) -> int:
    """Examples of train for the steps that a probe wants, as far as they can be had in its time."""
    each = (few.load + few.tokenizer + few.encode).processor / max(1, few.num_read)
    most = round(_SHARE_OF_DATA * seconds / max(each, 1e-6))
    if few.encoded is None:
        return min(max(4 * _FEW, most), 16 * _FEW)
    tokens = few.encoded.lengths @ few.encoded.num_inputs / len(few.prepared.train_examples)
    run = few.prepared.run
    part = _measured_part(run, int(few.encoded.input_lengths.mean()), execution)
    wanted = round(part * _MOST_STEPS * run.training.batch_tokens / tokens / (1 - _SLICE))
    return max(2 * _FEW, min(wanted, most))


def _carry_out(prepared: PreparedRun, store: Path, execution: Execution) -> Seconds:
    started = Seconds.now()
    train_and_evaluate(prepared, folder_of(store, prepared.run, prepared.identity), execution)
    return Seconds.since(started)


def _floor_cost(few: _Stage, many: _Stage, short: Seconds, long: Seconds, store: Path) -> CoreCost:
    line = Line.through(few.num_evaluated, short, many.num_evaluated, long)
    kept = _num_bytes(store)
    return CoreCost(evaluate=line.each, once=line.fixed, bytes_each=kept / many.num_evaluated)


class Stopwatch(pl.Callback):
    """Times the parts of a training, and ends it once it has seen enough steps."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        #: Each step up to its gradients, and what follows: clipping, the optimiser, the loader's next batch.
        self.gradients: list[Seconds] = []
        self.updates: list[Seconds] = []
        self.selection = self.saving = NO_TIME
        self._mark = Seconds.now()

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._started = time.perf_counter()
        self._mark = Seconds.now()

    def on_before_optimizer_step(self, trainer: pl.Trainer, module: pl.LightningModule, optimizer: Any) -> None:
        wait_for(module.device)
        self.gradients.append(Seconds.since(self._mark))
        self._mark = Seconds.now()

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_index: int
    ) -> None:
        wait_for(module.device)
        self.updates.append(Seconds.since(self._mark))
        self._mark = Seconds.now()
        if len(self.updates) >= _LEAST_STEPS and time.perf_counter() - self._started > self.seconds:
            trainer.should_stop = True

    def on_validation_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._mark = Seconds.now()

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if trainer.state.fn == "fit":
            self.selection = Seconds.since(self._mark)
            self._mark = Seconds.now()

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.saving = Seconds.since(self._mark)


def _core_cost(run: RunConfig, stage: _Stage, folder: Path, seconds: float, execution: Execution) -> CoreCost:
    prepared, tokens = stage.prepared, run.training.batch_tokens
    assert stage.encoded is not None, "only a core is trained"
    length = int(stage.encoded.input_lengths.mean())
    part = _measured_part(run, length, execution)
    measured = max(round(part * tokens), int(stage.encoded.lengths.max()))
    training = prepared.run.training.model_copy(update={"batch_tokens": min(tokens, measured)})
    prepared = replace(prepared, run=prepared.run.model_copy(update={"training": training}))
    watch = Stopwatch((1 - _SHARE_OF_DATA) * seconds)
    place = folder_of(folder, prepared.run, prepared.identity)
    started = Seconds.now()
    result = train_and_evaluate(prepared, place, execution, callbacks=[watch])
    total = Seconds.since(started)
    share = total.processor / total.wall
    evaluation = Seconds(result["cost"]["evaluation_seconds"], share * result["cost"]["evaluation_seconds"])
    gradients, update = _mean(watch.gradients[1:]), _mean(watch.updates[1:])
    num_steps = len(watch.updates)
    rest = total - num_steps * (gradients + update) - watch.selection - watch.saving - evaluation
    kept = sum(path.stat().st_size for path in place.weights if path.exists())
    written = sum(path.stat().st_size for path in place.path.glob("predictions*"))
    vocabulary = prepared.tokenizer.get_vocab_size()
    growth = 1.0 if run.source.kind == "microworld" else num_parameters(run) / num_parameters(run, vocabulary)
    return CoreCost(
        step=(tokens / training.batch_tokens) * gradients + growth * update,
        select=(1 / len(prepared.selection_examples)) * watch.selection,
        evaluate=(1 / stage.num_evaluated) * evaluation,
        epoch=growth * watch.saving,
        once=rest.positive(),
        bytes_each=written / stage.num_evaluated,
        bytes_once=growth * kept + _num_bytes(place.path) - kept - written,
        bytes_training=3 * growth * kept,  # a state holds the weights and two moments of each
    )


def _measured_part(run: RunConfig, length: int, execution: Execution) -> float:
    """Of a batch, what a step is measured on: all of it, but on processors for a large core."""
    on_processor = not own_gpus() or execution.accelerator == "cpu"
    return min(1.0, _MOST_STEP_FLOPS / step_flops(run, length)) if on_processor else 1.0


def step_flops(run: RunConfig, length: int) -> float:
    """Operations to train on a batch of the run's size, of texts of `length` tokens."""
    return TRAINING_FACTOR * run.training.batch_tokens * _core_of(run).flops_per_token(length)


def num_parameters(run: RunConfig, vocabulary: int | None = None) -> int:
    """Parameters of the run's core, with the vocabulary it is set to have unless another one is given."""
    return count_parameters(_core_of(run, vocabulary)).total


def _core_of(run: RunConfig, vocabulary: int | None = None) -> Any:
    import torch

    with torch.device("meta"):
        return build_core(run.core, vocabulary or run.tokenizer.vocab_size)


def _mean(times: list[Seconds]) -> Seconds:
    return (1 / len(times)) * sum(times, NO_TIME) if times else NO_TIME


def _num_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
