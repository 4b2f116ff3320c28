"""Every error this package raises on purpose.

A user's mistake is a subclass of `AtinukeBenchError`. Its message fits one line and gives the rule, what was
found, where (file, line, field) and the nearest valid choice. The command line prints it without a traceback and
exits with status 2. `assert` is for this package's own bugs.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from atinuke_bench.formatting import one_short_line
from atinuke_bench.secrets import without_secrets


class FailureClass(StrEnum):
    """Why a run has no result, as it is filed in `failure.json`."""

    #: A mistake in the data, which every run on it would meet.
    DATA = "data"
    #: The run's own settings do not go together, or not with its task.
    CONFIG = "config"
    DIVERGED = "diverged"
    OUT_OF_MEMORY = "out-of-memory"
    #: Ended from outside; it can resume from its last epoch.
    KILLED = "killed"
    TIMEOUT = "timeout"
    PRUNED = "pruned"
    #: Another process is carrying out the same run.
    BUSY = "busy"
    #: The run that it starts from failed.
    ORIGIN = "origin"
    #: A mistake of this package.
    INTERNAL = "internal"


class AtinukeBenchError(Exception):
    """Base of all errors that a user can cause and fix.

    As a text it is one line of at most 400 visible characters, however long or strange the cell is that it quotes.
    """

    #: The failure class of a run that this error ends.
    failure_class = FailureClass.DATA

    def __str__(self) -> str:
        # A message may quote a setting, an address or another package's words.
        return one_short_line(without_secrets(super().__str__()))


class ConfigError(AtinukeBenchError):
    """A configuration breaks a rule: unknown field, wrong type, heads that do not divide the hidden size."""

    failure_class = FailureClass.CONFIG


class UnknownNameError(ConfigError):
    """A task, core, preset, suite or other registered name does not exist."""

    def __init__(self, kind: str, name: str, known: Iterable[str], hint: str = "") -> None:
        message = f"no {kind} {name!r}"
        near = nearest(name, known)
        if near is not None:
            message += f"; nearest: {near!r}"
        super().__init__(message + (f"; {hint}" if hint else ""))


class DataError(AtinukeBenchError):
    """A data file is missing, unreadable or breaks its format.

    The message starts with `file:line: field:` as far as these are known.
    """

    def __init__(
        self, problem: str, *, path: str | Path | None = None, line: int | None = None, field: str | None = None
    ) -> None:
        where = "" if path is None else f"{path}:{line}: " if line is not None else f"{path}: "
        if field is not None:
            where += f"{field}: "
        super().__init__(where + problem)
        self.path, self.line, self.field = path, line, field


class MissingDataError(DataError):
    """No data is where it was looked for."""


class RunFolderError(AtinukeBenchError):
    """A run folder cannot be written, is not one, or is damaged."""


class CheckpointError(AtinukeBenchError):
    """A checkpoint is corrupted, incomplete, or belongs to another core or task."""


class DivergedError(AtinukeBenchError):
    """Training produced a loss that is not finite."""

    failure_class = FailureClass.DIVERGED


class DeviceMemoryError(AtinukeBenchError):
    """A row is too large for the memory of the device."""

    failure_class = FailureClass.OUT_OF_MEMORY


class PrunedError(AtinukeBenchError):
    """The run was stopped after an epoch, since it was unlikely to be among the best."""

    failure_class = FailureClass.PRUNED


class RunFailedError(AtinukeBenchError):
    """A run failed in the separate processes that carried it out."""

    def __init__(self, failure_class: FailureClass, message: str) -> None:
        super().__init__(f"the run failed ({failure_class}): {message}")
        self.failure_class = failure_class


class BusyError(RunFolderError):
    """Another process holds a run's folder: it is carrying out the same run."""

    failure_class = FailureClass.BUSY


class StorageError(AtinukeBenchError):
    """A study's database cannot be reached, or refuses what is asked of it."""


class StudyError(AtinukeBenchError):
    """A study does not exist, differs from the existing one of the same name, or cannot continue."""


class TrackerError(AtinukeBenchError):
    """Weights & Biases cannot be read from, or cannot record a report."""


class MissingDependencyError(AtinukeBenchError):
    """A feature needs an optional package that is not installed."""


class PluginError(AtinukeBenchError):
    """A task or core of a plug-in cannot be loaded: its own code fails."""


@contextmanager
def naming(where: str) -> Iterator[None]:
    """Errors in what a file says begin with the file, whoever finds them; `where` is its path.

    >>> with naming("suite.yaml"):
    ...     raise ConfigError("no core 'bilst'")
    Traceback (most recent call last):
    atinuke_bench.errors.ConfigError: suite.yaml: no core 'bilst'
    """
    try:
        yield
    except ConfigError as error:
        text = str(error)
        if not text.startswith(where):
            error.args = (f"{where}: {text}",)
        raise


def first_line(error: BaseException, *, with_class: bool = False) -> str:
    """The first line of an error's message, after its class if asked for; the class alone where there is no message.

    Other packages quote addresses with their passwords; these are left out.

    >>> first_line(ValueError("too short\\nby 3")), first_line(KeyError()), first_line(OSError("full"), with_class=True)
    ('too short', 'KeyError', 'OSError: full')
    """
    lines, name = without_secrets(str(error)).strip().splitlines(), type(error).__name__
    if not lines:
        return name
    return f"{name}: {lines[0]}" if with_class else lines[0]


def one_line(error: BaseException) -> str:
    """An error's whole message on one line, without secrets; its class where there is no message.

    >>> one_line(ValueError("too short\\n  by 3"))
    'too short by 3'
    """
    return " ".join(without_secrets(str(error)).split()) or type(error).__name__


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like `name`, or None when none is close.

    >>> nearest("glue/sst-2", ["glue/sst2", "snli"])
    'glue/sst2'
    """
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return matches[0] if matches else None
