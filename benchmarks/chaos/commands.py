"""Commands of this package as processes that are forked with everything loaded, since importing torch takes seconds.

Apart from that they are what a shell starts: a process group each, and a fork server for each suite.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing.forkserver
import os
import signal
import sys
import warnings
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkProcess
from pathlib import Path

from atinuke_bench import cli
from atinuke_bench.reports import report  # noqa: F401 (so that nothing has to be imported after a fork)
from atinuke_bench.runs import suite, verify  # noqa: F401
from atinuke_bench.runs.jobs import preload, worker  # noqa: F401

#: No command takes longer, however busy the machine is.
MOST_SECONDS = 900
_MOST_HANDLES = 1024
_exec = multiprocessing.forkserver.util.spawnv_passfds  # type: ignore[attr-defined]


def start(arguments: Sequence[object], environment: Mapping[str, str], said: Path) -> ForkProcess:
    """Start a command; what it prints on standard error goes into a file."""
    process = ForkProcess(target=_call, args=(arguments, environment, said), daemon=False)
    with warnings.catch_warnings():
        # Python warns of a fork beside the threads of the stand-in server, which the forked process uses none of.
        warnings.simplefilter("ignore", DeprecationWarning)
        process.start()
    return process


def finish(process: ForkProcess) -> int:
    """Wait for a command; its status, as of Popen."""
    process.join(MOST_SECONDS)
    if process.exitcode is None:
        process.kill()
        process.join()
    assert process.exitcode is not None
    return process.exitcode


def _call(arguments: Sequence[object], environment: Mapping[str, str], said: Path) -> None:
    os.setsid()
    os.environ.update(environment)
    nothing = os.open(os.devnull, os.O_RDWR)
    errors = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream, handle in enumerate((nothing, nothing, errors)):
        os.dup2(handle, stream)
    sys.argv = ["atinuke-bench", *map(str, arguments)]
    multiprocessing.forkserver.util.spawnv_passfds = _fork_server  # type: ignore[attr-defined]
    cli.main()


def _fork_server(path: bytes, words: Sequence[str], handles: Sequence[int]) -> int:
    """In place of a new Python: fork what has all modules; its pid. Other helpers of multiprocessing are started."""
    code = words[-1]
    if "forkserver" not in code:
        return _exec(path, words, handles)
    pid = os.fork()
    if pid:
        return pid
    # As a new program would have it: no other files are open, and signals mean what they mean.
    for handle in range(3, _MOST_HANDLES):
        if handle not in handles:
            with contextlib.suppress(OSError):
                os.close(handle)
    for kind in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(kind, signal.SIG_DFL)
    gc.freeze()
    try:
        exec(code, {})
    finally:
        os._exit(0)
