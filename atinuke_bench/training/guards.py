"""What surrounds a run while it is carried out: its lock, its log, its signals, and quiet from Lightning."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import pytorch_lightning as pl
from filelock import Timeout

from atinuke_bench.errors import BusyError, RunFolderError
from atinuke_bench.locks import marker_of
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.secrets import without_secrets


@contextlib.contextmanager
def only_holder(folder: RunFolder) -> Iterator[None]:
    """Refuse a folder that another process is training in."""
    try:
        with folder.lock():
            yield
    except Timeout:
        marker = marker_of(folder.path / ".lock")
        told = f" (if none does, remove {marker.name}, which says so)" if marker.exists() else ""
        raise BusyError(f"{folder.path}: another process is carrying out this run{told}") from None


class _WithoutSecrets(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return without_secrets(super().format(record))


@contextlib.contextmanager
def log_to(folder: RunFolder) -> Iterator[None]:
    """Append the package's log to the run's `log.txt`, without secrets."""
    try:
        handler = logging.FileHandler(folder.log, encoding="utf-8")
    except OSError as error:
        raise RunFolderError(f"{folder.log}: cannot be written ({error.strerror})") from error
    handler.setFormatter(_WithoutSecrets("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("atinuke_bench")
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        handler.close()


@contextlib.contextmanager
def sigterm_as_interrupt() -> Iterator[None]:
    """Let SIGTERM end a run the way Ctrl-C does, so that it leaves its folder in order."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(signum: int, frame: Any) -> None:
        raise KeyboardInterrupt(signal.Signals(signum).name)

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def ask_seldom(trainer: pl.Trainer) -> None:
    """Let the processes of a run tell each other of signals at every 16th step.

    Lightning does so at every step, and reads the answer from the device, which must finish its queue for it.
    """
    loop = trainer.fit_loop.epoch_loop
    ask = loop._broadcast_sigterm_tensor

    def ask_now_and_then() -> None:
        if trainer.global_step % 16 == 0:
            ask()

    loop._broadcast_sigterm_tensor = ask_now_and_then  # type: ignore[method-assign]


@contextlib.contextmanager
def exit_as_interrupt() -> Iterator[None]:
    """Undo what Lightning makes of Ctrl-C: it raises SystemExit instead, and leaves the signal ignored."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as error:
        raise KeyboardInterrupt from error
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, handler)


@contextlib.contextmanager
def quiet_lightning() -> Iterator[None]:
    """Lightning's advice on workers, accelerators and loggers is for its own users; our choices are deliberate."""
    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning_fabric", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=UserWarning, module="pytorch_lightning.*")
            # Lightning's use of a torch name that torch has deprecated, once in every process.
            warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)
            warnings.filterwarnings("ignore", category=pl.utilities.warnings.PossibleUserWarning)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
