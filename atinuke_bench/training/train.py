"""The one call that trains: `train_and_evaluate`."""

from __future__ import annotations

import atexit
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytorch_lightning as pl
import torch
from rich.console import Console

from atinuke_bench.core.build import build_core
from atinuke_bench.data.batching import TokenBudgetSampler, make_loader
from atinuke_bench.data.features import Encoded
from atinuke_bench.data.tokenizer import fingerprint, unknown_percent
from atinuke_bench.errors import DivergedError
from atinuke_bench.files import remove_parts, write_bytes, write_json, write_text
from atinuke_bench.metrics.units import too_few
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.source_code import SourceCode, code_note, code_of_resumed, recorded_code
from atinuke_bench.training.checkpoint import SafetensorsIO, load_weights
from atinuke_bench.training.cost import training_cost
from atinuke_bench.training.evaluate import Evaluation, evaluate
from atinuke_bench.training.example_texts import keep_examples
from atinuke_bench.training.execution import Clock, Execution
from atinuke_bench.training.failure import failure_message, write_failure
from atinuke_bench.training.guards import (
    exit_as_interrupt,
    keep_signals,
    log_to,
    only_holder,
    quiet_lightning,
    sigterm_as_interrupt,
)
from atinuke_bench.training.initialise import initialise, record_initialisation
from atinuke_bench.training.module import TaskModule
from atinuke_bench.training.parts import parts_for
from atinuke_bench.training.prepare import PreparedRun, unknown_warning
from atinuke_bench.training.processes import from_first, part
from atinuke_bench.training.progress import RunProgress
from atinuke_bench.training.records import (
    checksums,
    manifest_record,
    predictions_table,
    recorded_attempts,
    result_record,
)
from atinuke_bench.training.resume import ResumePoint, Resumption
from atinuke_bench.training.selection import EpochSelection, ask_again
from atinuke_bench.training.steps import StepRecorder
from atinuke_bench.training.tracker import NoTracker, Tracker

log = logging.getLogger(__name__)


def train_and_evaluate(
    prepared: PreparedRun,
    folder: RunFolder,
    execution: Execution | None = None,
    tracker: Tracker | None = None,
    should_continue: Callable[[dict[str, Any]], bool] | None = None,
    *,
    rerun: bool = False,
    callbacks: Sequence[pl.Callback] = (),
) -> dict[str, Any]:
    """Train a run's core, evaluate every split and finish the folder; the result as in `result.json`.

    A finished folder is not trained again, unless `rerun` sets aside what it holds; predictions that it lacks are made
    with its weights. An interrupted one resumes from its last whole state. An error leaves `failure.json` and is
    raised. `should_continue` is asked after every epoch, of those that were trained before too; when it says False,
    PrunedError is raised. `callbacks` watch the training, and change nothing of it.

    In a distributed run every process calls this. The first one writes the folder; all give the same result.
    """
    execution = execution or Execution()
    if execution.rank > 0:
        return _help_first_process(prepared, folder, execution, rerun=rerun)
    tracker = tracker or NoTracker()
    if not rerun and _has_all(folder, prepared):  # also in a store that cannot be written
        return _finished_before(prepared, folder, should_continue)
    folder.create()
    with only_holder(folder), log_to(folder), sigterm_as_interrupt():
        for parent in (folder.path, folder.checkpoints):
            remove_parts(parent)
        if rerun and (place := folder.set_aside()) is not None:
            folder.create()
            log.info("trained again; what was there is in %s", place)
        if _has_all(folder, prepared):
            return _finished_before(prepared, folder, should_continue)
        clock = Clock(folder.read_result().get("seconds", 0.0) if folder.is_finished() else 0.0)
        if folder.is_finished():
            folder.result.unlink()
        elif (aside := folder.set_damaged_aside([folder.result])) is not None:
            _warn(execution, f"{folder.result}: damaged; what was there is in {aside}")
        try:
            tracker.start(prepared, folder)
            folder.write_result(_carry_out(prepared, folder, execution, should_continue, clock, callbacks))
        except BaseException as error:
            write_failure(folder, error)
            log.error("failed: %s: %s", type(error).__name__, failure_message(folder, error))
            raise
        finally:
            tracker.finish(folder)
        return folder.read_result()


def _has_all(folder: RunFolder, prepared: PreparedRun) -> bool:
    """Whether a folder is finished, with predictions of every split that is asked for."""
    return folder.is_finished() and prepared.is_answered_by(folder.read_result())


def _finished_before(
    prepared: PreparedRun, folder: RunFolder, should_continue: Callable[[dict[str, Any]], bool] | None
) -> dict[str, Any]:
    ask_again(folder.read_history(), should_continue, prepared.run.training.max_epochs, is_over=True)
    return folder.read_result()


def _help_first_process(
    prepared: PreparedRun, folder: RunFolder, execution: Execution, *, rerun: bool
) -> dict[str, Any]:
    """The part of the other processes of a distributed run, which compute and write nothing."""
    with sigterm_as_interrupt():
        if prepared.run.core.is_floor:
            return result_record(prepared, _evaluate_floor(prepared, None))
        while rerun and folder.has_past():  # the first process sets it aside, and trains once all are there
            time.sleep(0.05)
        if _has_all(folder, prepared):
            return folder.read_result()
        torch.set_num_threads(execution.threads)
        _fit_and_evaluate(prepared, folder, execution, None, Clock())
        return from_first({})


def _carry_out(
    prepared: PreparedRun,
    folder: RunFolder,
    execution: Execution,
    should_continue: Callable[[dict[str, Any]], bool] | None,
    clock: Clock,
    callbacks: Sequence[pl.Callback],
) -> dict[str, Any]:
    torch.set_num_threads(execution.threads)
    for note in prepared.notes:
        _say(f"{prepared.task.name}: {note}", execution)
    folder.write_config(prepared.run)
    code: SourceCode | None = prepared.code
    attempts: list[dict[str, Any]] = []
    if any(path.exists() for path in folder.weights):  # which other code may have trained, on another machine
        code = code_of_resumed(recorded_code(folder.manifest), prepared.code)
        attempts = recorded_attempts(folder.manifest)
    cost: dict[str, Any] = {}
    selection: dict[str, Any] = {}
    examples, problem = keep_examples(prepared, folder) if execution.keeps_texts else (None, None)
    if problem is not None:
        _warn(execution, problem)
    is_floor = prepared.run.core.is_floor
    tokenizer = None if is_floor else fingerprint(prepared.tokenizer)
    manifest = manifest_record(prepared, execution, code, attempts, tokenizer=tokenizer, examples=examples)
    write_json(folder.manifest, manifest)
    if is_floor:
        evaluations = _evaluate_floor(prepared, folder)
    else:
        write_text(folder.tokenizer, prepared.tokenizer.to_str())
        trained = _fit_and_evaluate(prepared, folder, execution, should_continue, clock, callbacks)
        evaluations, cost, selection = trained
    write_bytes(folder.predictions, predictions_table(evaluations))
    result = result_record(prepared, evaluations)
    drawn = result["resampled"]
    if drawn is not None and (reason := too_few(drawn["unit"], drawn["num_units"])):
        _say(f"warning: no interval: {reason}", execution)
    result |= {"selection": selection, "cost": cost, "seconds": clock.seconds()}
    result["artefacts"] = checksums(folder)
    return from_first(result)


def _fit_and_evaluate(
    prepared: PreparedRun,
    folder: RunFolder,
    execution: Execution,
    should_continue: Callable[[dict[str, Any]], bool] | None,
    clock: Clock,
    callbacks: Sequence[pl.Callback] = (),
) -> tuple[dict[str, Evaluation], dict[str, Any], dict[str, Any]]:
    run, task = prepared.run, prepared.task
    train = prepared.encode("train", prepared.train_examples)
    held_out = prepared.encode("selection", prepared.selection_examples)
    splits = {name: (rows, prepared.encode(name, rows)) for name, rows in prepared.evaluation_splits.items()}
    parts = {"train": train, "selection": held_out, **{name: encoded for name, (_, encoded) in splits.items()}}
    for problem in prepared.cache_problems[:1]:
        _say(f"warning: {problem}", execution)
    unknown = {name: unknown_percent(prepared.tokenizer, encoded) for name, encoded in parts.items()}
    if message := unknown_warning(unknown):
        _say(f"warning: {message}", execution)

    # Otherwise cuDNN computes an LSTM with 10 bits of mantissa at any precision of the run.
    torch.backends.cudnn.allow_tf32 = False
    pl.seed_everything(run.seed, verbose=False)
    module = task.model.build(build_core(run.core, prepared.tokenizer.get_vocab_size()), run)
    _start_from_origin(prepared, module, folder, execution)
    progress = RunProgress(run, Console(stderr=True)) if execution.show_progress else None
    _say(prepared.sizes(), execution)

    def on_epoch(record: dict[str, Any]) -> None:
        if progress is not None:
            progress.epoch_done(record)

    minutes = execution.checkpoint_minutes
    selection = EpochSelection(prepared, folder, held_out, on_epoch, should_continue, clock, minutes)
    steps = StepRecorder.of(folder, execution.rank)
    trainer = _trainer(prepared, folder, execution, [steps, selection, *callbacks, *([progress] if progress else [])])
    module.parts = parts_for(trainer.strategy.root_device, execution.device_batch_tokens, partial(_warn, execution))
    _fit(trainer, module, RunData(train, held_out, prepared), selection, partial(_warn, execution))
    if all(record["score"] is None for record in selection.history):
        log.warning("no epoch has a selection score; the first epoch's weights are evaluated")
    load_weights(folder.best_checkpoint, module)

    assert selection.best_epoch is not None, "a fit without any epoch has raised"
    best = selection.history[selection.best_epoch]
    evaluations = {}
    evaluation_started = time.perf_counter()
    for name, (examples, encoded) in splits.items():
        with exit_as_interrupt(), quiet_lightning():
            trainer.validate(module, _evaluation_loader(encoded, run.training.batch_tokens, trainer), verbose=False)
        outputs = module.collected_outputs()
        if trainer.is_global_zero:  # which has those of all processes
            predicted = task.model.decode(outputs, encoded, examples, run)
            predicted = task.model.apply_calibration(predicted, best["calibration"])
            evaluation = _evaluate(prepared, folder, name, predicted)
            evaluations[name] = replace(evaluation, unknown_percent=unknown[name])
    seconds = time.perf_counter() - evaluation_started
    num_tokens = sum(int(encoded.input_lengths.sum()) for _, encoded in splits.values())
    cost = training_cost(module, trainer.strategy.root_device, train, next(iter(splits.values()))[1], selection.history)
    cost |= {"evaluation_seconds": seconds, "evaluation_tokens_per_second": num_tokens / seconds}
    summary = {"best_epoch": selection.best_epoch, "num_epochs": len(selection.history)}
    return evaluations, cost, summary | {name: best[name] for name in ("score", "calibration")}


def _warn(execution: Execution, message: str) -> None:
    _say(f"warning: {message}", execution)


def _say(line: str, execution: Execution) -> None:
    """A line for the run's log and, from the first process, for the screen of whoever watches it."""
    log.info(line)
    if execution.show_progress and execution.rank == 0:
        Console(stderr=True).print(line, markup=False, highlight=False, soft_wrap=True)


def _start_from_origin(prepared: PreparedRun, module: TaskModule, folder: RunFolder, execution: Execution) -> None:
    """Load the weights of the run that this one starts from, if any, and say and record which."""
    init, origin = prepared.run.init_from, prepared.origin
    if init is None or origin is None or not init.weights:
        return
    done = initialise(module, origin)
    note = code_note(origin.folder.manifest, origin.run.task, origin.run.core.name)
    if execution.rank == 0:
        record_initialisation(folder, done)
        if note is not None:
            log.warning("%s: %s", origin.folder.path, note)
        _say(done.summary() if note is None else f"{done.summary()}; that run {note}", execution)


class RunData(pl.LightningDataModule):
    """The loaders of a run; each process of a distributed run gets its own shard."""

    def __init__(self, train: Encoded, held_out: Encoded, prepared: PreparedRun) -> None:
        super().__init__()
        self.train = train
        self.held_out = held_out
        self.run = prepared.run
        #: Epoch and number of its batches that an interrupted training has done.
        self.begin: tuple[int, int] | None = None

    def setup(self, stage: str) -> None:
        """Tell the module how many steps there will be; Lightning makes its optimiser and schedule after this."""
        assert self.trainer is not None, "the trainer sets its own data up"
        training = self.run.training
        self.sampler = TokenBudgetSampler(
            self.train.lengths,
            training.batch_tokens,
            seed=self.run.seed,
            num_epochs=training.max_epochs,
            shard=self.trainer.global_rank,
            num_shards=self.trainer.world_size,
            num_inputs=self.train.num_inputs,
            batch_rows=training.batch_rows,
        )
        if self.begin is not None:
            self.sampler.begin_at(*self.begin)
        module = self.trainer.lightning_module
        assert isinstance(module, TaskModule)
        module.num_training_steps = len(self.sampler) * training.max_epochs

    def train_dataloader(self) -> Any:
        assert self.trainer is not None, "the trainer asks for its own loaders"
        padding = 100 * self.sampler.padding_fraction()
        log.info("%d rows, %d batches an epoch, %.1f%% padding", len(self.train), self.sampler.num_batches, padding)
        return make_loader(self.train, self.sampler, self.trainer.strategy.root_device)

    def val_dataloader(self) -> Any:
        assert self.trainer is not None, "the trainer asks for its own loaders"
        return _evaluation_loader(self.held_out, self.run.training.batch_tokens, self.trainer)


def _evaluation_loader(encoded: Encoded, batch_tokens: int, trainer: pl.Trainer) -> Any:
    # No gradients are kept, so a batch can be larger than in training; the batch of a row does not change its
    # output beyond rounding, but the size must not depend on the machine.
    sampler = TokenBudgetSampler(
        encoded.lengths,
        2 * batch_tokens,
        seed=None,
        shard=trainer.global_rank,
        num_shards=trainer.world_size,
        num_inputs=encoded.num_inputs,
    )
    return make_loader(encoded, sampler, trainer.strategy.root_device)


def _trainer(
    prepared: PreparedRun, folder: RunFolder, execution: Execution, callbacks: list[pl.Callback]
) -> pl.Trainer:
    training = prepared.run.training
    with quiet_lightning():
        trainer = pl.Trainer(
            accelerator=execution.chosen_accelerator(),
            devices=execution.trainer_devices(),
            num_nodes=execution.size,
            strategy=execution.strategy(),
            precision="bf16-mixed" if training.precision == "bfloat16" else "32-true",
            max_epochs=training.max_epochs,
            gradient_clip_val=training.gradient_clip,
            callbacks=callbacks,
            plugins=[SafetensorsIO(prepared.identity), execution.cluster_environment()],
            default_root_dir=folder.path,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
        )
    keep_signals(trainer)
    return trainer


def _fit(
    trainer: pl.Trainer, module: TaskModule, data: RunData, selection: EpochSelection, say: Callable[[str], None]
) -> None:
    point = _resume_point(trainer, selection, say)
    max_epochs = selection.prepared.run.training.max_epochs
    if point is not None:
        selection.resume(point)
    ask_again(selection.history, selection.should_continue, max_epochs, is_over=selection.is_over())
    if point is not None and selection.is_over() and point.within is None:
        return  # interrupted after its last epoch
    if point is not None:
        log.info("resuming %s", point.place)
        data.begin = (len(point.history), point.within["steps"]) if point.within else None
    with selection.end_request.settled(), exit_as_interrupt(), quiet_lightning():
        trainer.fit(module, datamodule=data, ckpt_path=None if point is None else point.path)
    if not selection.history:
        raise DivergedError("training ended before its first epoch was evaluated")


def _resume_point(trainer: pl.Trainer, selection: EpochSelection, say: Callable[[str], None]) -> ResumePoint | None:
    """Where the run goes on, found by its first process for all."""
    # Lightning does this first in `fit`; done here, the processes can be told before it.
    trainer.strategy.setup_environment()
    if trainer.world_size > 1:
        atexit.register(part)
    point = None
    if trainer.is_global_zero:
        identity = selection.prepared.identity
        point = Resumption(selection.folder, identity, selection.rule, trainer.world_size, say).find()
    return trainer.strategy.broadcast(point)


def _evaluate_floor(prepared: PreparedRun, folder: RunFolder | None) -> dict[str, Evaluation]:
    return {
        name: _evaluate(prepared, folder, name, prepared.task.floor(prepared.train_examples, examples, prepared.run))
        for name, examples in prepared.evaluation_splits.items()
    }


def _evaluate(prepared: PreparedRun, folder: RunFolder | None, split: str, predictions: dict[str, Any]) -> Evaluation:
    task, examples = prepared.task, prepared.evaluation_splits[split]
    if folder is not None and task.files is not None:
        task.files.write(folder.path, split, examples, predictions, prepared.run)
    return evaluate(task, examples, predictions)
