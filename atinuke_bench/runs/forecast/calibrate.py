"""Probes of a suite's runs, side by side in processes like those of its runs, in about ten seconds."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from atinuke_bench.config import RunConfig
from atinuke_bench.errors import AtinukeBenchError, first_line
from atinuke_bench.runs.forecast.probe import Probe, probe
from atinuke_bench.runs.forecast.seconds import NO_TIME, Seconds
from atinuke_bench.runs.jobs.local import process_context
from atinuke_bench.training.execution import Execution
from atinuke_bench.training.launchers import forget_launcher, own_gpus

#: What a calibration takes unless the user says otherwise.
CALIBRATION_SECONDS = 10.0
#: So many times as long it takes at most where other programs keep the processors busy.
_MOST_PATIENCE = 6.0
#: What a probe takes besides its steps, on a usual machine: its process, its data, its files.
_AROUND_SECONDS = 1.0
#: A probe trains for so long at least and at most.
_LEAST_SECONDS, _MOST_SECONDS = 0.2, 2.0


@dataclass(frozen=True)
class Wish:
    """A run to probe. What is required is measured however long the others took; data alone may be."""

    key: str
    run: RunConfig
    is_required: bool
    trains: bool = True


@dataclass
class Calibration:
    """What was measured of each run, by its key, and why some could not be."""

    probes: dict[str, Probe] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    #: Until the first process could begin: what all of them need is loaded for it.
    loading: float = 0.0
    #: How long it all took, on the wall.
    seconds: float = 0.0


@dataclass
class _Running:
    wish: Wish
    process: BaseProcess
    connection: Connection
    started: float
    #: The GPU that is its alone, by its name for CUDA.
    gpu: str | None = None
    opened: float = 0.0
    found: Probe | str | None = None
    #: Of the process until its first word.
    opening: Seconds = NO_TIME
    reported: float = 0.0


def calibrate(
    wishes: Sequence[Wish], slots: int, seconds: float = CALIBRATION_SECONDS, execution: Execution | None = None
) -> Calibration:
    """Probe runs, as many side by side as the suite will have; after so many seconds only what is required."""
    execution = replace(execution or Execution(), show_progress=False, devices=1)
    context, gpus = process_context(), own_gpus()
    each = min(_MOST_SECONDS, max(_LEAST_SECONDS, seconds * slots / max(1, len(wishes)) - _AROUND_SECONDS))
    calibration, waiting, running = Calibration(), list(wishes), list[_Running]()
    began = time.perf_counter()
    first = context.Process(target=_nothing)
    first.start()
    first.join()
    loaded = time.perf_counter()
    calibration.loading = loaded - began
    patience = 1.0 if gpus else _MOST_PATIENCE
    with tempfile.TemporaryDirectory(prefix="atinuke-probe-") as folder:
        while waiting or running:
            while waiting and len(running) < slots:
                wish, passed = waiting.pop(0), time.perf_counter() - loaded
                if wish.is_required or not _is_over(calibration, passed, slots, seconds, patience):
                    gpu = next((name for name in gpus if name not in {one.gpu for one in running}), None)
                    running.append(_start(context, wish, Path(folder) / str(len(waiting)), each, execution, gpu))
            for one in _heard(running):
                running.remove(one)
                _take(calibration, one)
    calibration.seconds = time.perf_counter() - began
    return calibration


def _is_over(calibration: Calibration, passed: float, slots: int, seconds: float, patience: float) -> bool:
    """Whether the time is spent: that of the processors, so that a busy machine is measured as well as a quiet one."""
    if passed < seconds:
        return False
    spent = sum(probe.spent for probe in calibration.probes.values())
    return spent >= seconds * slots or passed > patience * seconds


def _nothing() -> None:
    """Ends at once: the server that it was forked from has then loaded all."""


def _start(context: Any, wish: Wish, place: Path, seconds: float, execution: Execution, gpu: str | None) -> _Running:
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(wish, place, seconds, execution, gpu, theirs))
    one = _Running(wish, process, ours, time.perf_counter(), gpu)
    process.start()
    theirs.close()  # so that the end of the process ends the connection
    return one


def _heard(running: list[_Running]) -> list[_Running]:
    """Read what processes say, once one of them says something; those that have ended."""
    ended = list[_Running]()
    if not running:  # what was left to measure was not required
        return ended
    by_connection = {one.connection: one for one in running}
    for connection in wait(list(by_connection)):
        one = by_connection[connection]  # type: ignore[index]
        try:
            word = one.connection.recv()
        except (EOFError, OSError):
            one.process.join()
            one.connection.close()
            ended.append(one)
            continue
        if isinstance(word, Seconds):
            one.opened, one.opening = time.perf_counter() - one.started, word
        else:
            one.found, one.reported = word, time.perf_counter()
    return ended


def _take(calibration: Calibration, one: _Running) -> None:
    if isinstance(one.found, Probe):
        around = one.opened + time.perf_counter() - one.reported
        process = Seconds(around, min(around, one.opening.processor))
        calibration.probes[one.wish.key] = replace(one.found, process=process)
    else:
        code = one.process.exitcode
        calibration.failures[one.wish.key] = one.found or f"its process ended with exit code {code}"


def _work(
    wish: Wish, folder: Path, seconds: float, execution: Execution, gpu: str | None, connection: Connection
) -> None:
    """Probe in a process of its own; what it finds, or why it cannot, goes through the connection."""
    forget_launcher()
    folder.mkdir(parents=True)
    own = {"OMP_NUM_THREADS": str(execution.threads), "TOKENIZERS_PARALLELISM": "false"}
    os.environ.update(own | {"ATINUKE_CACHE": str(folder / "cache")})
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    connection.send(Seconds(0.0, time.process_time()))
    import torch

    torch.set_num_threads(execution.threads)
    try:
        found = probe(wish.run, folder, seconds, execution, trains=wish.trains)
        connection.send(replace(found, spent=time.process_time()))
    except AtinukeBenchError as error:
        connection.send(first_line(error))
    except Exception as error:  # of a plug-in, or of a probe that is too small for a task: its runs are not known
        connection.send(first_line(error, with_class=True))
