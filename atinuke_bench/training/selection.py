"""After every epoch: score the selection slice, keep the best weights, record the epoch, decide whether to stop."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch
from datasets import Dataset
from torch import Tensor

from atinuke_bench.core.cost import TRAINING_FACTOR
from atinuke_bench.data.batching import is_stand_in
from atinuke_bench.data.features import Encoded
from atinuke_bench.errors import CheckpointError, PrunedError
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.training.checkpoint import load_checkpoint
from atinuke_bench.training.cost import forward_flops
from atinuke_bench.training.evaluate import evaluate
from atinuke_bench.training.execution import wait_for
from atinuke_bench.training.module import TaskModule
from atinuke_bench.training.prepare import PreparedRun
from atinuke_bench.training.processes import Output, from_first

log = logging.getLogger(__name__)


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

    Its whole memory is the folder's history, so that a resumed run knows what the interrupted one knew. An epoch is
    written in the order best weights, history, last state: a kill between two of them only repeats the epoch, and
    repeating an epoch gives the same weights on a processor, and nearly the same on a GPU, which adds in any order.
    """

    def __init__(
        self,
        prepared: PreparedRun,
        folder: RunFolder,
        examples: Dataset,
        encoded: Encoded,
        on_epoch: Callable[[dict[str, Any]], None],
        should_continue: Callable[[dict[str, Any]], bool] | None = None,
    ) -> None:
        """`on_epoch` gets each epoch's record and whether it is the best one so far. `should_continue` gets the record
        once the epoch is on disk; by returning False before the last epoch it ends the run as pruned. Of several
        processes only the first calls it, for all.
        """
        self.prepared = prepared
        self.folder = folder
        self.examples = examples
        self.encoded = encoded
        self.on_epoch = on_epoch
        self.should_continue = should_continue
        self.history = folder.read_history()

    def resume_point(self) -> Any:
        """What training goes on from, or None to start anew; drops history that the last state has not seen.

        Where no epoch is left the best weights will do. A damaged last state is no reason to lose the run: it starts
        anew and says so.
        """
        path = self.folder.last_checkpoint
        if not path.exists():
            if self.is_over() and self.folder.best_checkpoint.exists():
                return self.folder.best_checkpoint
            self.history = []
            return None
        try:
            num_epochs = load_checkpoint(path)["epoch"] + 1
        except CheckpointError as error:
            log.warning("%s; training starts anew", error)
            path.unlink(missing_ok=True)  # every process of the run gets here
            self.history = []
            return None
        if len(self.history) < num_epochs:
            log.warning("%s: the history of %d epochs is gone; training starts anew", self.folder.history, num_epochs)
            self.history = []
            return None
        self.history = self.history[:num_epochs]
        return path

    @property
    def best_epoch(self) -> int | None:
        """The epoch with the best selection score, the earliest of equals; None before the first."""
        if not self.history:
            return None
        return max(self.history, key=lambda record: (self._rank(record["score"]), -record["epoch"]))["epoch"]

    def is_over(self) -> bool:
        """True when no epoch is left or `patience` epochs have not improved."""
        training = self.prepared.run.training
        if self.best_epoch is None:
            return False
        last = self.history[-1]["epoch"]
        return last + 1 >= training.max_epochs or last - self.best_epoch >= training.patience

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._started = self._stopped = time.perf_counter()
        self._num_tokens = 0
        self._losses: list[Tensor] = []

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_index: int
    ) -> None:
        assert isinstance(module, TaskModule)
        if not is_stand_in(batch):
            self._num_tokens += batch["attention_mask"].sum()
        self._losses.append(module.step_loss)
        if trainer.is_last_batch:
            wait_for(module.device)  # a GPU may have steps in its queue
        self._stopped = time.perf_counter()

    def on_validation_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if trainer.state.fn != "fit":
            return
        assert isinstance(module, TaskModule)
        outputs = module.collected_outputs()
        # The first process has the outputs, and decodes them for all.
        self._calibration, self._metrics = from_first(self._judged(outputs) if trainer.is_global_zero else ({}, {}))

    def _judged(self, outputs: list[Output]) -> tuple[dict[str, float], dict[str, Any]]:
        """The calibration that outputs of the selection slice call for, and the figures with it."""
        task, run = self.prepared.task, self.prepared.run
        predictions = task.model.decode(outputs, self.encoded, self.examples, run)
        calibration = task.model.calibrate(self.examples, predictions, run)
        predictions = task.model.apply_calibration(predictions, calibration)
        return calibration, evaluate(task, self.examples, predictions).figures

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
            "learning_rate": trainer.optimizers[0].param_groups[0]["lr"],
            "tokens": num_tokens,
            "seconds": seconds,
            "tokens_per_second": num_tokens / seconds,
            # Of all epochs so far, since a run that is stopped early has no result with its cost.
            "training_flops": self._flops_an_epoch(trainer, module) * (len(self.history) + 1),
        }
        self.history.append(record)
        is_best = self.best_epoch == record["epoch"]
        # The weights alone: no optimiser state is needed to evaluate.
        if is_best:
            trainer.save_checkpoint(self.folder.best_checkpoint, weights_only=True)
        if trainer.is_global_zero:
            self.folder.write_history(self.history)
            log.info("epoch %d: loss %.4f, selection %s", record["epoch"], record["loss"], record["metrics"])
            self.on_epoch({**record, "is_best": is_best})
        trainer.save_checkpoint(self.folder.last_checkpoint)
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
        loss = torch.as_tensor(sum(self._losses) / len(self._losses))
        tokens = torch.as_tensor(self._num_tokens, device=loss.device)
        together = [trainer.strategy.reduce(part, reduce_op="sum") for part in (tokens, loss)]
        return int(together[0]), float(together[1])

    def _rank(self, score: float | None) -> float:
        if score is None:
            return float("-inf")
        return score if self.prepared.task.metric.higher_is_better else -score
