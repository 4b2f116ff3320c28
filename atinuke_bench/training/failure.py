"""What a failed run leaves behind: its class, message and traceback."""

from __future__ import annotations

import time
import traceback

import torch

from atinuke_bench.errors import AtinukeBenchError, RunFolderError
from atinuke_bench.files import write_json
from atinuke_bench.run_folder import RunFolder


def classify(error: BaseException) -> str:
    """data, diverged, out-of-memory, killed or internal.

    >>> classify(MemoryError()), classify(KeyboardInterrupt()), classify(ZeroDivisionError())
    ('out-of-memory', 'killed', 'internal')
    """
    if isinstance(error, AtinukeBenchError):
        return error.failure_class
    if isinstance(error, KeyboardInterrupt | SystemExit):
        return "killed"
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error):
        return "out-of-memory"
    return "internal"


def write_failure(folder: RunFolder, error: BaseException) -> None:
    """Write `failure.json`. On a full or read-only disk that is given up: the error itself must not be hidden by it."""
    record = {
        "class": classify(error),
        "type": type(error).__name__,
        "message": str(error),
        "traceback": "".join(traceback.format_exception(error)),
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }
    try:
        write_json(folder.failure, record)
    except RunFolderError as second:
        error.add_note(f"failure.json could not be written: {second}")
