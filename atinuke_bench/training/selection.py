"""After every epoch: score the selection slice, keep the best weights, record the epoch, decide whether to stop."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from atinuke_bench.core.cost import TRAINING_FACTOR
from atinuke_bench.data.batching import is_stand_in, num_tokens
from atinuke_bench.data.features import Encoded
from atinuke_bench.errors import PrunedError
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.sealed import history_lines
from atinuke_bench.training.answers import AnswerCounts
from atinuke_bench.training.cost import forward_flops
from atinuke_bench.training.evaluate import evaluate
from atinuke_bench.training.execution import Clock, generator_states, set_generator_states, wait_for
from atinuke_bench.training.guards import EndRequest
from atinuke_bench.training.module import TaskModule, gather_outputs
from atinuke_bench.training.prepare import PreparedRun
from atinuke_bench.training.processes import Output, any_of, from_first
from atinuke_bench.training.resume import STATE_KEY, ResumePoint
from atinuke_bench.training.selection_rule import History, SelectionRule
from atinuke_bench.training.selection_scores import SelectionScores

log = logging.getLogger(__name__)
# How often a state may be due, in steps. Processes must agree, and a step in which they talk waits for a GPU.
_ASK_EVERY = 16


def ask_again(
    history: list[dict[str, Any]],
    should_continue: Callable[[dict[str, Any]], bool] | None,
    max_epochs: int,
    *,
    is_over: bool,
) -> None:
    """Ask about epochs that were trained before as if they were trained now; PrunedError.

    So a search decides the same, whatever the store held before. After the last epoch nothing is left to stop.
    """
    if should_continue is None:
        return
    for place, record in enumerate(history, start=1):
        if not should_continue(record) and not (is_over and place == len(history)):
            raise _pruned_after(record, max_epochs)


def _pruned_after(record: dict[str, Any], max_epochs: int) -> PrunedError:
    return PrunedError(f"stopped after epoch {record['epoch'] + 1} of {max_epochs}")


class EpochSelection(pl.Callback):
    """Epoch-wise selection over a run folder.

    Its whole memory is the history, which every state of the training has too, so that a resumed run knows what the
    interrupted one knew. `training/resume.py` says in which order an epoch is written, and what a kill leaves.
    """

    def __init__(
        self,
        prepared: PreparedRun,
        folder: RunFolder,
        encoded: Encoded,
        on_epoch: Callable[[dict[str, Any]], None],
        should_continue: Callable[[dict[str, Any]], bool] | None,
        clock: Clock,
        checkpoint_minutes: float,
    ) -> None:
        """`on_epoch` gets each epoch's record and whether it is the best one so far. `should_continue` gets the record
        once the epoch is on disk; by returning False before the last epoch it ends the run as pruned. Of several
        processes only the first calls it, for all. An epoch of more than `checkpoint_minutes` is saved on the way.
        """
        self.prepared = prepared
        self.folder = folder
        self.examples = prepared.selection_examples
        self.encoded = encoded
        self.on_epoch = on_epoch
        self.should_continue = should_continue
        self.clock = clock
        self.checkpoint_minutes = checkpoint_minutes
        self.rule = SelectionRule.of(prepared)
        self._answers = AnswerCounts(prepared)
        self._scores = SelectionScores(folder)
        #: SIGTERM during an epoch: its state is saved first.
        self.end_request = EndRequest()
        self.history: History = []
        self._within: dict[str, Any] | None = None
        self._num_tokens: Tensor | int = 0
        #: The sum over the epoch's steps of this process's share of their losses.
        self._loss: Tensor | int = 0

    def resume(self, point: ResumePoint) -> None:
        """Know what the run knew at this point."""
        self.history = list(point.history)
        self.clock.before = max(self.clock.before, point.seconds)
        self._within = point.within

    @property
    def best_epoch(self) -> int | None:
        """The epoch with the best selection score, the earliest of equals; None before the first."""
        return self.rule.best_epoch(self.history)

    def is_over(self) -> bool:
        """True when no epoch is left or `patience` epochs have not improved."""
        return self.rule.is_over(self.history)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint has of the run besides weights and optimiser."""
        lines = history_lines(self.history)
        return {"history": lines, "seconds": self.clock.seconds(), "within": self._within}

    @property
    def state_key(self) -> str:
        return STATE_KEY

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.end_request.hold()
        if self._within is None:
            return
        # The epoch goes on: Lightning calls no hook for its start.
        own = self._within["processes"][trainer.global_rank]
        self._started = self._saved = time.perf_counter()
        self._started -= self._within["seconds"]
        self._num_tokens, self._num_steps = own["tokens"].to(module.device), self._within["steps"]
        self._loss = own["loss"].to(module.device)
        set_generator_states(module.device, own["generators"])
        self._within = None

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.end_request.hold()
        self._started = self._stopped = self._saved = time.perf_counter()
        self._num_tokens = 0
        self._num_steps = 0
        self._loss = 0

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_index: int
    ) -> None:
        assert isinstance(module, TaskModule)
        if not is_stand_in(batch):
            self._num_tokens = self._num_tokens + num_tokens(batch)
        self._loss = self._loss + module.step_loss
        self._num_steps += 1
        if trainer.is_last_batch:
            wait_for(module.device)  # a GPU may have steps in its queue
        else:
            self._save_if_asked(trainer, module)
        self._stopped = time.perf_counter()

    def _save_if_asked(self, trainer: pl.Trainer, module: TaskModule) -> None:
        """Save the state within the epoch where that is due, or where a process is to end; then KeyboardInterrupt."""
        may_be_due = self._num_steps % _ASK_EVERY == 0
        if trainer.world_size > 1 and module.device.type != "cpu" and not may_be_due:
            return
        is_due = may_be_due and time.perf_counter() - self._saved >= 60 * self.checkpoint_minutes
        is_due, ends = any_of([is_due, self.end_request.is_made], module.device)
        if is_due or ends:
            self._save_within(trainer, module)
        if ends:
            raise KeyboardInterrupt("SIGTERM")

    def _save_within(self, trainer: pl.Trainer, module: TaskModule) -> None:
        """Save the state in the middle of an epoch."""
        wait_for(module.device)
        own = {
            "tokens": torch.as_tensor(self._num_tokens),
            "loss": torch.as_tensor(self._loss),
            "generators": generator_states(module.device),
        }
        own = {name: value.cpu() if isinstance(value, Tensor) else value for name, value in own.items()}
        seconds = time.perf_counter() - self._started
        self._within = {"steps": self._num_steps, "seconds": seconds, "processes": gather_outputs([own])}
        trainer.save_checkpoint(self.folder.middle_checkpoint)
        self._within = None
        self._saved = time.perf_counter()
        log.info("saved at step %d of epoch %d", self._num_steps, trainer.current_epoch)

    def on_validation_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if trainer.state.fn != "fit":
            return
        assert isinstance(module, TaskModule)
        outputs = module.collected_outputs()
        # The first process has the outputs, and decodes them for all.
        judged = self._judged(outputs, trainer.current_epoch) if trainer.is_global_zero else ({}, {}, {})
        self._calibration, self._metrics, self._counts = from_first(judged)

    def _judged(self, outputs: list[Output], epoch: int) -> tuple[dict[str, float], dict[str, Any], dict[str, Any]]:
        """The calibration that outputs of the selection slice call for, the figures with it, and how answers differ."""
        task, run = self.prepared.task, self.prepared.run
        predictions = task.model.decode(outputs, self.encoded, self.examples, run)
        calibration = task.model.calibrate(self.examples, predictions, run)
        predictions = task.model.apply_calibration(predictions, calibration)
        evaluation = evaluate(task, self.examples, predictions)
        self._scores.add(epoch, evaluation)
        return calibration, evaluation.figures, self._answers.record(evaluation)

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        seconds = self._stopped - self._started
        num_tokens, loss = self._over_all_processes(trainer)
        record = {
            "epoch": trainer.current_epoch,
            "step": trainer.global_step,
            "loss": loss,
            "score": self._metrics.get(self.prepared.task.metric.name),
            "metrics": self._metrics,
            "calibration": self._calibration,
            "answers": self._counts,
            "learning_rate": trainer.optimizers[0].param_groups[0]["lr"],
            "tokens": num_tokens,
            "seconds": seconds,
            "tokens_per_second": num_tokens / seconds,
            # Of all epochs so far, since a run that is stopped early has no result with its cost.
            "training_flops": self._flops_an_epoch(trainer, module) * (len(self.history) + 1),
        }
        self.history.append(record)
        is_best = self.best_epoch == record["epoch"]
        # The weights alone: no optimiser state is needed to evaluate. Those that were the best stay until the last
        # state knows that they no longer are.
        if is_best:
            trainer.save_checkpoint(self.folder.next_checkpoint, weights_only=True)
        if trainer.is_global_zero:
            self.folder.write_history(self.history)
            log.info("epoch %d: loss %.4f, selection %s", record["epoch"], record["loss"], record["metrics"])
            self.on_epoch({**record, "is_best": is_best})
        trainer.save_checkpoint(self.folder.last_checkpoint)
        if trainer.is_global_zero:
            if is_best:
                self.folder.next_checkpoint.replace(self.folder.best_checkpoint)
            self.folder.middle_checkpoint.unlink(missing_ok=True)
        self.end_request.release()
        if any_of([self.end_request.is_made], module.device)[0]:
            raise KeyboardInterrupt("SIGTERM")
        is_over, answer = self.is_over(), True
        if self.should_continue is not None and trainer.is_global_zero:
            answer = self.should_continue(record)
        # The other processes cannot know whether the first one asked, so all take part in the broadcast.
        answer = trainer.strategy.broadcast(answer)
        if is_over:
            trainer.should_stop = True
        elif not answer:
            raise _pruned_after(record, self.prepared.run.training.max_epochs)

    def _flops_an_epoch(self, trainer: pl.Trainer, module: pl.LightningModule) -> int:
        assert isinstance(module, TaskModule)
        return TRAINING_FACTOR * forward_flops(module, trainer.datamodule.train)  # type: ignore[attr-defined]

    def _over_all_processes(self, trainer: pl.Trainer) -> tuple[int, float]:
        """The epoch's tokens and the mean loss of its steps, over all processes."""
        loss = torch.as_tensor(self._loss / self._num_steps)
        tokens = torch.as_tensor(self._num_tokens, device=loss.device)
        together = [trainer.strategy.reduce(part, reduce_op="sum") for part in (tokens, loss)]
        return int(together[0]), float(together[1])
