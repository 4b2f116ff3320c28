"""Progress of one run: a live bar on a terminal, plain lines elsewhere. Always on standard error."""

from __future__ import annotations

import time
from typing import Any

import pytorch_lightning as pl
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from atinuke_bench.config import RunConfig
from atinuke_bench.formatting import duration

#: Off a terminal: seconds of training until a first line says how long it will take, and between later ones.
_FIRST_SECONDS, _LINE_SECONDS = 10.0, 60.0


class RunProgress(pl.Callback):
    """Shows task, core, seed, epoch, loss, selection score so far and time left."""

    def __init__(self, run: RunConfig, console: Console) -> None:
        self.title = f"{run.task} {run.core.label()} seed {run.seed}"
        self.max_epochs = run.training.max_epochs
        self.console = console
        self.best: float | None = None
        self.loss = float("nan")
        self._progress: Progress | None = None
        self._task: Any = None
        self._refreshed = 0.0

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._started = time.perf_counter()
        self._first_epoch = trainer.current_epoch
        self._is_quiet = not trainer.is_global_zero
        self._next_line, self._first_step = self._started + _FIRST_SECONDS, trainer.global_step
        if self._is_quiet:
            return
        if not self.console.is_terminal:
            left, steps = self.max_epochs - self._first_epoch, f"{int(trainer.num_training_batches):,}"
            self._print(f"training begins: at most {left} epoch{'s' * (left != 1)} of {steps} steps")
            return
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]}  best {task.fields[best]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
        )
        num_steps = int(trainer.num_training_batches) * self.max_epochs
        self._task = self._progress.add_task(self.title, total=num_steps, loss="-", best="-")
        self._progress.update(self._task, completed=trainer.global_step)
        self._progress.start()

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_index: int
    ) -> None:
        if self._progress is None:
            self._line_of_step(trainer)
            return
        # Reading the loss waits for the device and drawing costs time: a few times a second is enough to look at.
        if time.perf_counter() - self._refreshed < 0.25:
            return
        self._refreshed = time.perf_counter()
        self.loss = float(outputs["loss"])
        self._progress.update(
            self._task,
            completed=trainer.global_step,
            description=f"{self.title}  epoch {trainer.current_epoch + 1}/{self.max_epochs}",
            loss=f"{self.loss:.3f}",
            best=_score_text(self.best),
        )

    def epoch_done(self, record: dict[str, Any]) -> None:
        """Called by the selection callback, which knows the score."""
        if record["is_best"]:
            self.best = record["score"]
        if self._progress is not None:
            return
        self._next_line = time.perf_counter() + _LINE_SECONDS
        done = record["epoch"] + 1
        each = (time.perf_counter() - self._started) / max(1, done - self._first_epoch)
        self._print(
            f"epoch {done}/{self.max_epochs}  loss {record['loss']:.3f}  "
            f"selection {_score_text(record['score'])} (best {_score_text(self.best)})  "
            f"{record['tokens_per_second']:,.0f} tokens/s  at most {each * (self.max_epochs - done):.0f} s left"
        )

    def _line_of_step(self, trainer: pl.Trainer) -> None:
        """Off a terminal: how far a long epoch is, and how long all takes at this rate. No loss is read."""
        now, done = time.perf_counter(), trainer.global_step - self._first_step
        if self._is_quiet or now < self._next_line or not done:
            return
        self._next_line = now + _LINE_SECONDS
        each, num_steps = (now - self._started) / done, int(trainer.num_training_batches)
        in_epoch = trainer.global_step - trainer.current_epoch * num_steps
        left = self.max_epochs * num_steps - trainer.global_step
        self._print(
            f"epoch {trainer.current_epoch + 1}/{self.max_epochs}  step {in_epoch:,}/{num_steps:,}  "
            f"about {duration(each * num_steps)} an epoch, at most {duration(each * left)} left"
        )

    def _print(self, line: str) -> None:
        self.console.print(f"{self.title}  {line}", highlight=False, soft_wrap=True)

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._close()

    def on_exception(self, trainer: pl.Trainer, module: pl.LightningModule, exception: BaseException) -> None:
        self._close()

    def _close(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


def _score_text(score: float | None) -> str:
    return "-" if score is None else f"{score:.2f}"
