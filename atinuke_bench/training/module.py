"""The LightningModule that every task's own module extends: optimiser, schedule, finite checks, raw outputs."""

from __future__ import annotations

import math
from typing import Any, TypeVar

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from atinuke_bench.config import RunConfig
from atinuke_bench.core.base import Core
from atinuke_bench.data.batching import is_stand_in
from atinuke_bench.errors import DivergedError
from atinuke_bench.training.feed import move, sizes_of, with_sizes
from atinuke_bench.training.parts import Parts
from atinuke_bench.training.processes import gather_at_first
from atinuke_bench.training.schedule import warmup_then_linear

Batch = dict[str, Tensor]
T = TypeVar("T")


class TaskModule(pl.LightningModule):
    """A core and a head. Subclasses implement `loss` and `outputs`, and `num_units` where a loss is no mean over rows.

    A step minimises the mean over all units of its batch, however many processes share the batch and in however many
    parts each computes its rows: the mean of a part is weighed by its share of the units.

    The module knows nothing of examples: validation and prediction collect raw outputs with their row numbers, and the
    task decodes them all at once, so that an example with several rows is decoded from all of them.
    """

    def __init__(self, core: Core, run: RunConfig) -> None:
        super().__init__()
        self.core = core
        self.run = run
        #: Optimiser steps of the whole training, which the schedule is made for; set before that is made.
        self.num_training_steps = 0
        #: This process's share of the last step's loss, which all processes together sum to the mean of the batch.
        self.step_loss = torch.zeros(())
        #: The norm of the last step's gradients before they were clipped, on the device.
        self.gradient_norm = torch.zeros(())
        #: Whether `outputs` hold the logits, where decoding needs less; set for who asks for probabilities.
        self.gives_logits = False
        #: How much of a batch is computed at once.
        self.parts = Parts()

    def loss(self, batch: Batch) -> Tensor:
        """The mean loss over the `num_units` of a batch, a scalar; 0 for a batch without units."""
        raise NotImplementedError

    def num_units(self, batch: Batch) -> Tensor:
        """What `loss` is the mean of, such as the scored tokens of a batch: a scalar, int64. Rows by default.

        It depends on the batch alone, never on weights, and is the sum of the units of the batch's rows.
        """
        return batch["rows"].new_full((), len(batch["rows"]))

    def row_sizes(self, batch: Batch) -> dict[str, Tensor]:
        """Numbers of each row (B) that shapes depend on, such as its words: a function of the batch alone."""
        return {}

    def sizes(self, batch: Batch) -> dict[str, Tensor]:
        """The `row_sizes` of a batch, on the host where the batch was fed to a GPU, which need not be waited for."""
        return sizes_of(batch) or self.row_sizes(batch)

    def feed(self, batch: Batch) -> Batch:
        """A batch of a loader on the device of the module; what Python must know of its rows is read before."""
        known = with_sizes(batch, self.row_sizes(batch)) if self.device.type == "cuda" else batch
        return move(known, self.device)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        return self.feed(batch)

    def outputs(self, batch: Batch) -> dict[str, Tensor]:
        """Raw outputs for decoding, each with one entry a row of the batch in its first dimension."""
        raise NotImplementedError

    def encode(self, batch: Batch) -> Tensor:  # (B, T, D)
        """The core's hidden vectors of a batch."""
        return self.core(batch["input_ids"], batch["attention_mask"], segment_ids=batch.get("segment_ids"))

    def core_flops(self, num_tokens: int) -> int:
        """Operations of the core's forward pass over a row of `num_tokens` tokens."""
        return num_tokens * self.core.flops_per_token(num_tokens)

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        total = self._units_of_all(batch)
        if self.parts.adapts:
            # Nothing is sent before all gradients are there: a process that begins anew leaves no other one waiting.
            self.step_loss = self.parts.compute(
                batch, lambda parts: self._accumulate(parts, self._weights(parts, total))
            )
            learned = [parameter for parameter in self.parameters() if parameter.grad is not None]
            loss = _Reduce.apply(self.step_loss, *learned)
        else:
            parts = self.parts.cut(batch)
            weights = self._weights(parts, total)
            # DDP sends while the last part's gradients are computed; those of the others it does not see.
            others = self._accumulate(parts[:-1], weights[:-1])
            last = self._weighed_loss(parts[-1], weights[-1])
            self.step_loss = others + last.detach()
            loss = last * self.trainer.world_size
        self._require_finite(self.step_loss, batch_index)
        return loss

    def optimizer_zero_grad(self, epoch: int, batch_idx: int, optimizer: Any) -> None:
        """Does nothing: `training_step`, which adds up gradients, begins by removing those of the step before."""

    def _accumulate(self, parts: list[Batch], weights: list[Tensor | None]) -> Tensor:
        """Replace the gradients by the sum over parts; what they add to the step's loss."""
        self.zero_grad()
        loss = torch.zeros((), device=self.device)
        for part, weight in zip(parts, weights, strict=True):
            weighed = self._weighed_loss(part, weight)
            with torch.autocast(self.device.type, enabled=False):
                # DDP takes the mean over processes where their sum is asked for.
                (weighed * self.trainer.world_size).backward()
            loss = loss + weighed.detach()
        return loss

    def _weighed_loss(self, part: Batch, weight: Tensor | None) -> Tensor:
        loss = self.loss(part)
        # A mean over nothing may be no number.
        return loss if weight is None else torch.where(weight > 0, loss * weight, 0.0)

    def _weights(self, parts: list[Batch], total: Tensor | None) -> list[Tensor | None]:
        """The units of each part as a share of the step's; None for a part that is all of it."""
        if total is None and len(parts) == 1:
            return [None]
        units = [self._units(part) for part in parts]
        total = torch.stack(units).sum() if total is None else total
        return [number / total.clamp(min=1) for number in units]

    def _units_of_all(self, batch: Batch) -> Tensor | None:
        """The units of a step's batch in all processes; None where there is only this one."""
        if self.trainer.world_size == 1:
            return None
        total = self._units(batch)
        torch.distributed.all_reduce(total)
        return total

    def _units(self, batch: Batch) -> Tensor:
        units = self.num_units(batch)
        return torch.zeros_like(units) if is_stand_in(batch) else units

    def _require_finite(self, loss: Tensor, batch_index: int) -> None:
        # A read of the value waits for the device; on a GPU that is paid on every 16th step only, and on the last one,
        # since what follows takes the weights as they are.
        is_read = loss.device.type == "cpu" or batch_index % 16 == 0 or self.trainer.is_last_batch
        if is_read and not math.isfinite(loss.item()):
            raise DivergedError(
                f"the loss is {loss.item()} at step {self.global_step} (epoch {self.current_epoch}); "
                "try a smaller training.learning_rate or training.gradient_clip"
            )

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        self._collected += self.raw_outputs(batch)

    def on_validation_epoch_start(self) -> None:
        self._collected: list[dict[str, np.ndarray]] = []

    def raw_outputs(self, batch: Batch) -> list[dict[str, np.ndarray]]:
        """The outputs of a batch, with its row numbers, as one or more batches on the processor."""
        if is_stand_in(batch):
            return []
        return self.parts.compute(batch, lambda parts: [self._as_arrays(part) for part in parts])

    def collected_outputs(self) -> list[dict[str, np.ndarray]]:
        """The raw outputs of the validation epoch, of all processes together, at the first one; none at the others."""
        outputs, self._collected = gather_at_first(self._collected), []
        rows = [row for output in outputs for row in output["rows"].tolist()]
        assert len(set(rows)) == len(rows), "a row that is evaluated twice would be counted twice"
        return outputs

    def on_train_epoch_start(self) -> None:
        # Dropout is a function of (seed, epoch), so an epoch started after a resume is the same as without the
        # interruption, and no generator state is saved.
        torch.manual_seed(self.run.seed * 1_000_003 + self.current_epoch + 1 + 7_919 * self.global_rank)

    def configure_optimizers(self) -> Any:
        training = self.run.training
        groups = parameter_groups(self, training.weight_decay)
        if training.core_learning_rate is not None:
            groups = split_groups(groups, set(self.core.parameters()), training.core_learning_rate)
        optimizer = torch.optim.AdamW(groups, lr=training.learning_rate, fused=True)
        num_steps = self.num_training_steps
        assert num_steps, "a schedule of an unknown number of steps would have no warm-up"
        num_warmup = max(1, round(training.warmup_fraction * num_steps))
        scheduler = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: warmup_then_linear(step, num_warmup, num_steps)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def configure_gradient_clipping(
        self, optimizer: Any, gradient_clip_val: float | None = None, gradient_clip_algorithm: str | None = None
    ) -> None:
        # Lightning refuses to clip for a fused optimiser under autocast, since such an optimiser may undo a loss
        # scaling itself. bfloat16 has no loss scaling: the gradients are what they seem.
        if gradient_clip_val:
            self.gradient_norm = torch.nn.utils.clip_grad_norm_(self.parameters(), gradient_clip_val)

    def _as_arrays(self, batch: Batch) -> dict[str, np.ndarray]:
        outputs = {name: value.float().cpu().numpy() for name, value in self.outputs(batch).items()}
        return {"rows": batch["rows"].cpu().numpy(), **outputs}


class _Reduce(torch.autograd.Function):
    """A loss whose gradients are there already: its backward pass only tells DDP that these are ready to be sent."""

    @staticmethod
    def forward(ctx: Any, loss: Tensor, *weights: Tensor) -> Tensor:
        ctx.num_inputs = 1 + len(weights)
        return loss.clone()

    @staticmethod
    def backward(ctx: Any, scale: Tensor) -> tuple[None, ...]:
        return (None,) * ctx.num_inputs


def parameter_groups(module: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Two groups for the optimiser: matrices, which decay, and vectors and scalars (biases, norms, gains), which don't.

    >>> [len(group["params"]) for group in parameter_groups(nn.Linear(2, 3), 0.1)]
    [1, 1]
    """
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    return [
        {"params": [parameter for parameter in parameters if parameter.ndim >= 2], "weight_decay": weight_decay},
        {"params": [parameter for parameter in parameters if parameter.ndim < 2], "weight_decay": 0.0},
    ]


def split_groups(groups: list[dict[str, Any]], members: set[Tensor], learning_rate: float) -> list[dict[str, Any]]:
    """Each group without the members, followed by a group of the members with the given learning rate.

    >>> core, head = nn.Linear(2, 3), nn.Linear(3, 1)
    >>> groups = parameter_groups(nn.Sequential(core, head), 0.1)
    >>> [(len(group["params"]), group.get("lr")) for group in split_groups(groups, set(core.parameters()), 5e-5)]
    [(1, None), (1, None), (1, 5e-05), (1, 5e-05)]
    """
    rest = [{**group, "params": [own for own in group["params"] if own not in members]} for group in groups]
    taken = [
        {**group, "params": [own for own in group["params"] if own in members], "lr": learning_rate} for group in groups
    ]
    return rest + taken


def gather_outputs(outputs: list[T]) -> list[T]:
    """What all processes have; every process gets all of it, so that it must be small."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return outputs
    parts: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(parts, outputs)
    return [output for part in parts for output in part]
