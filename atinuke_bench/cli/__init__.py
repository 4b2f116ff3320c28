"""The command line. Commands parse, call, print; everything they need is imported when they run."""

from __future__ import annotations

import errno
import logging
import sys
import traceback
from typing import Annotated

import typer

from atinuke_bench.cli import (
    attention,
    claims,
    diagnosis,
    evaluate,
    inspect,
    listing,
    plan,
    predict,
    reproduce,
    results,
    studies,
    suites,
    sweeps,
    tasks,
    training,
)
from atinuke_bench.cli.preemption import requeued_when_preempted
from atinuke_bench.cli.shared import app, say
from atinuke_bench.environment import fit_surroundings
from atinuke_bench.errors import AtinukeBenchError, one_line
from atinuke_bench.secrets import without_secrets

__all__ = [
    "app",
    "attention",
    "claims",
    "diagnosis",
    "evaluate",
    "inspect",
    "listing",
    "main",
    "plan",
    "predict",
    "reproduce",
    "results",
    "studies",
    "suites",
    "sweeps",
    "tasks",
    "training",
]

INTERRUPTED = 130
#: What a disk, its rights and its limits answer; any other error of the system is a mistake of this package.
_OF_THE_MACHINE = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.EIO,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.EMFILE,
)


class _OnScreen(logging.Handler):
    """Warnings that no log takes, the package's own and others', as one line each, whatever they quote."""

    def emit(self, record: logging.LogRecord) -> None:
        say(without_secrets(record.getMessage()), err=True)


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    if version:
        from atinuke_bench import __version__

        typer.echo(f"atinuke-bench {__version__}")
        raise typer.Exit
    from atinuke_bench.registry import unused_plugins

    for line in unused_plugins():
        say(line, err=True)


def main() -> None:
    """Entry point: users' mistakes end in one line on standard error and status 2."""
    fit_surroundings()
    logging.lastResort = _OnScreen(logging.WARNING)
    try:
        with requeued_when_preempted():
            app()
    except AtinukeBenchError as error:
        say(f"error: {error}", err=True)
        sys.exit(2)
    except MemoryError as error:
        say(f"error: not enough memory{f' ({one_line(error)})' if error.args else ''}", err=True)
        sys.exit(2)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _OF_THE_MACHINE:
            say(f"error: {error.filename or 'standard output'}: {error.strerror}", err=True)
            sys.exit(2)
        # A mistake of this package; the message may quote an address with its password.
        typer.echo(without_secrets(traceback.format_exc()).rstrip(), err=True)
        sys.exit(1)
    except SystemExit as end:
        if end.code == INTERRUPTED:  # typer's own answer to Ctrl-C, without a word
            say("interrupted; the same command goes on where it stopped", err=True)
        raise
