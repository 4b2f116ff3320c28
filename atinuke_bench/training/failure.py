"""What a failed run leaves behind: its class, message and traceback."""

from __future__ import annotations

import time
import traceback
from typing import Any

import torch

from atinuke_bench.errors import AtinukeBenchError, FailureClass, RunFolderError
from atinuke_bench.files import write_json
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.secrets import without_secrets


def classify(error: BaseException) -> FailureClass:
    """The failure class of a run that this error ended.

    >>> print(*map(classify, (MemoryError(), KeyboardInterrupt(), ZeroDivisionError())))
    out-of-memory killed internal
    """
    if isinstance(error, AtinukeBenchError):
        return error.failure_class
    if isinstance(error, KeyboardInterrupt | SystemExit):
        return FailureClass.KILLED
    is_out_of_memory = any(words in str(error).lower() for words in ("can't allocate memory", "out of memory"))
    if is_out_of_memory or isinstance(error, MemoryError | torch.OutOfMemoryError):
        return FailureClass.OUT_OF_MEMORY
    return FailureClass.INTERNAL


def failure_message(folder: RunFolder, error: BaseException) -> str:
    """What ended a run, in words; of an interrupt, which has at most a signal's name, also how far the run was."""
    if not isinstance(error, KeyboardInterrupt):
        return str(error)
    num_epochs = len(folder.read_history())
    # Python raises it without a word at SIGINT.
    return f"interrupted by {str(error) or 'SIGINT'} after {num_epochs} whole epoch{'' if num_epochs == 1 else 's'}"


def write_failure(folder: RunFolder, error: BaseException) -> None:
    """Write `failure.json`. On a full or read-only disk it gives up: that must not hide the error itself."""
    text = "".join(traceback.format_exception(error))
    try:
        message = failure_message(folder, error)
        write_json(folder.failure, failure_record(classify(error), type(error).__name__, message, text))
    except RunFolderError as second:
        error.add_note(f"failure.json could not be written: {second}")


def failure_record(failure_class: FailureClass, kind: str, message: str, text: str = "") -> dict[str, Any]:
    """What `failure.json` holds, without secrets; `text` is the traceback where there is one."""
    now = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    shown, trace = without_secrets(message), without_secrets(text)
    return {"class": failure_class, "type": kind, "message": shown, "traceback": trace, "time": now}
