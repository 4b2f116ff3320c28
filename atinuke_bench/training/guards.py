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


class EndRequest:
    """SIGTERM as a wish: while it is held, it is noted, so that a state can be saved first; a second one counts."""

    def __init__(self) -> None:
        self.is_made = False
        self._before: Any = None

    def hold(self) -> None:
        """Note the signal from here on."""
        if self._before is None and threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTERM, self._note)

    def release(self) -> None:
        """Let the signal do again what it did before."""
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)
            self._before = None

    @contextlib.contextmanager
    def settled(self) -> Iterator[None]:
        """Release it in the end. What fails once it is made, such as talk with processes that are gone, is that end."""
        try:
            yield
        except RuntimeError as error:
            if self.is_made:
                raise KeyboardInterrupt("SIGTERM") from error
            raise
        finally:
            self.release()

    def _note(self, signum: int, frame: Any) -> None:
        if self.is_made:
            self.release()
            signal.raise_signal(signal.SIGTERM)
        self.is_made = True


def keep_signals(trainer: pl.Trainer) -> None:
    """Keep Lightning from handling signals.

    At SIGTERM it broadcasts wherever a process happens to be, and one that is in the middle of another exchange hangs.
    For the answer it asks at every step, and reads it from the device, which must finish its queue for it.
    """
    trainer._signal_connector.register_signal_handlers = lambda: None  # type: ignore[method-assign]
    trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor = lambda: None  # type: ignore[method-assign]


@contextlib.contextmanager
def exit_as_interrupt() -> Iterator[None]:
    """Undo what Lightning makes of an interrupt: it raises SystemExit instead, and leaves Ctrl-C ignored."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as error:
        interrupt = error.__context__
        raise KeyboardInterrupt(*(interrupt.args if isinstance(interrupt, KeyboardInterrupt) else ())) from error
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
