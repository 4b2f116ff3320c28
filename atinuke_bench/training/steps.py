"""Records what every optimiser step was like, without waiting for the device (`step_record.py` has the columns).

Values stay on the device until an epoch ends or a state is saved, when it is waited for anyway. All that a resumed run
needs is in each state, so that its record is the undisturbed run's; the file is only written.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from atinuke_bench.data.batching import is_stand_in
from atinuke_bench.errors import AtinukeBenchError, RunFolderError, first_line
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.step_record import (
    CORE,
    GRADIENT,
    PROBE,
    UPDATE_RATIO,
    Columns,
    is_measured_at,
    joined,
    read_steps,
    rows_of,
    steps_a_row,
    write_steps,
)
from atinuke_bench.training.module import TaskModule, gather_outputs
from atinuke_bench.training.probes import probe

log = logging.getLogger(__name__)
# Numbers of so many steps are put into one tensor, so that a long epoch does not fill the device with tiny ones.
_BLOCK = 16
#: What the names of a core's modules say of the matrices in them; what says nothing is `other`.
_GROUPS = {
    "embedding": "embeddings",
    "position": "embeddings",
    "attention": "attention",
    "attn": "attention",
    "expand": "feedforward",
    "contract": "feedforward",
    "feedforward": "feedforward",
    "intermediate": "feedforward",
    "mlp": "feedforward",
    "ffn": "feedforward",
    "output.dense": "feedforward",
    "weight_ih": "recurrent",
    "weight_hh": "recurrent",
}


def group_of(name: str, parameter: Tensor) -> str:
    """The group of a module's parameter: what is not the core is `head`, a core's vectors and the unknown `other`.

    >>> matrix = torch.zeros(2, 2)
    >>> [group_of(name, matrix) for name in ("core.layers.0.attention.qkv.weight", "output.weight", "core.mixing")]
    ['attention', 'head', 'other']
    """
    if not name.startswith("core."):
        return "head"
    if parameter.ndim < 2:
        return "other"
    return next((group for part, group in _GROUPS.items() if part in name), "other")


class StepRecorder(pl.Callback):
    """Keeps the record of a run's steps; the first process writes it.

    Among callbacks it comes first: what others save after a step has the step's record.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        #: Rows that are whole, and the steps since the last of them.
        self._rows: Columns = {}
        self._open: Columns = {}
        #: What is not read from the device yet: blocks of steps, and the steps after them.
        self._blocks: list[Tensor] = []
        self._pending: list[Tensor] = []
        self._known: list[tuple[int, int, float]] = []  # epoch, step, learning rate
        self._measured: dict[int, dict[str, Tensor]] = {}
        self._before: dict[str, list[Tensor]] | None = None
        self._groups: dict[str, list[Tensor]] = {}
        self._rate = float("nan")
        self._could_write = True

    @property
    def state_key(self) -> str:
        return "StepRecorder"

    def state_dict(self) -> dict[str, Any]:
        """The record so far. All processes are asked at once, so that what each has of a loss can be added up."""
        self._read()
        return {name: {key: torch.from_numpy(column) for key, column in part.items()}
                for name, part in (("rows", self._rows), ("open", self._open))}  # fmt: skip

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._rows, self._open = (
            {key: column.double().numpy() for key, column in state_dict[name].items()} for name in ("rows", "open")
        )

    @classmethod
    def of(cls, folder: RunFolder, rank: int) -> StepRecorder:
        """A recorder. The first process sets a damaged file aside, which a run without a step to train would keep."""
        if rank == 0 and (folder.steps.exists() or folder.steps.is_symlink()):
            try:
                read_steps(folder.steps)
            except RunFolderError as error:
                place = folder.set_damaged_aside([folder.steps])
                log.warning("%s; what was there is in %s", first_line(error), place)
        return cls(folder)

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        assert isinstance(module, TaskModule)
        self._num_steps, self._clip = module.num_training_steps, module.run.training.gradient_clip
        self._groups = {}
        for name, parameter in module.named_parameters():
            self._groups.setdefault(group_of(name, parameter), []).append(parameter)

    def on_train_batch_start(self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, index: int) -> None:
        assert isinstance(module, TaskModule)
        if trainer.global_step == 0 and not is_stand_in(batch):
            self._measured[1] = {f"{PROBE}{name}": value for name, value in probe(module.core, batch).items()}

    def on_before_optimizer_step(self, trainer: pl.Trainer, module: pl.LightningModule, optimizer: Any) -> None:
        self._rate = float(optimizer.param_groups[0]["lr"])
        if is_measured_at(trainer.global_step + 1, self._num_steps):
            try:
                self._before = {name: [one.detach().clone() for one in own] for name, own in self._groups.items()}
            except torch.OutOfMemoryError:
                log.warning("steps: no memory for a copy of the weights; update ratios are not recorded")

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_index: int
    ) -> None:
        assert isinstance(module, TaskModule)
        step = trainer.global_step
        self._known.append((trainer.current_epoch, step, self._rate))
        self._pending += [module.step_loss, module.gradient_norm]
        if self._before is not None:
            self._measure(module, step, self._before)
            self._before = None
        if len(self._pending) == 2 * _BLOCK:
            self._blocks.append(_stacked(self._pending))
            self._pending = []

    @torch.no_grad()
    def _measure(self, module: TaskModule, step: int, before: dict[str, list[Tensor]]) -> None:
        found = self._measured.setdefault(step, {})
        for name, own in self._groups.items():
            size = _norm(before[name])
            torch._foreach_sub_(before[name], list(own))
            found[f"{UPDATE_RATIO}{name}"] = _norm(before[name]) / size
            gradients = [parameter.grad for parameter in own if parameter.grad is not None]
            found[f"{GRADIENT}{name}"] = _norm(gradients) if gradients else torch.zeros_like(size)
        for name, value in module.core.observables().items():
            found[f"{CORE}{name}"] = value.detach().clone()

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._read()
        self._write(trainer)

    def on_exception(self, trainer: pl.Trainer, module: pl.LightningModule, exception: BaseException) -> None:
        # What diverged is seen in its last steps. After other errors the device may not answer, and of several
        # processes some may have gone.
        if trainer.world_size == 1 and isinstance(exception, AtinukeBenchError):
            self._read()
            self._write(trainer)

    def _read(self) -> None:
        """Move what the device has of the steps to the host."""
        if not self._known:
            return
        blocks = [*self._blocks, *([_stacked(self._pending)] if self._pending else [])]
        loss, norm = torch.cat(blocks).cpu().double().numpy().reshape(-1, 2).T
        epoch, step, rate = np.array(self._known, dtype=np.float64).T
        # Each process has its share of a step's loss; added in one order, wherever the others were asked.
        shares = gather_outputs([loss])
        loss = np.sum(shares, axis=0) if len(shares) > 1 else loss.copy()
        norm = norm.copy()
        steps: Columns = {"epoch": epoch, "step": step, "loss": loss, "learning_rate": rate, "gradient_norm": norm}
        steps["clipped"] = (norm > self._clip).astype(np.float64)
        for number, values in self._measured.items():
            place = np.flatnonzero(step == number)
            if not values:
                continue
            stacked = _stacked(list(values.values())).cpu().double().numpy()
            for name, value in zip(values, stacked, strict=True):
                steps.setdefault(name, np.full(len(step), np.nan))[place] = value
        self._blocks, self._pending, self._known, self._measured = [], [], [], {}
        self._keep(steps)

    def _keep(self, steps: Columns) -> None:
        every = steps_a_row(self._num_steps)
        steps = joined(self._open, steps)
        whole = steps["step"] <= steps["step"][-1] // every * every
        if whole.any():
            self._rows = joined(self._rows, rows_of({name: column[whole] for name, column in steps.items()}, every))
        self._open = {} if whole.all() else {name: column[~whole] for name, column in steps.items()}

    def _write(self, trainer: pl.Trainer) -> None:
        if not trainer.is_global_zero or not (self._rows or self._open):
            return
        every = steps_a_row(self._num_steps)
        rows = joined(self._rows, rows_of(self._open, every) if self._open else {})
        try:
            write_steps(self.folder.steps, rows)
        except RunFolderError as error:
            # No run ends for want of it: where nothing can be written, the state that follows says so.
            if self._could_write:
                log.warning("steps are not recorded: %s", first_line(error))
            self._could_write = False


def _stacked(values: list[Tensor]) -> Tensor:
    return torch.stack([value.float() for value in values])


def _norm(tensors: list[Tensor]) -> Tensor:
    """The norm of all numbers of some tensors together."""
    return torch.linalg.vector_norm(torch.stack(torch._foreach_norm([tensor.float() for tensor in tensors])))
