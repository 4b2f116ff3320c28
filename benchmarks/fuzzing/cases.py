"""One mutation, carried out and judged, and a worker that carries out many of them under limits."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from fuzzing.mutations import SAME_MEANING, bomb, mutate, mutate_gzip, mutate_parquet
from fuzzing.targets import Target, all_targets, require_readable

#: Seconds and bytes that a case may take beyond what the file as it was takes, and what the worker has when it starts.
MOST_SECONDS, MOST_BYTES = 10, 2_000_000_000
#: What may be in the place of a file.
_PLACES = ("missing", "folder", "pipe", "link-to-itself", "link-to-nothing", "unreadable")


class Hang(BaseException):
    """A case took too long; no handler of the product's may swallow it."""


def run_case(target: Target, number: int, seed: int, root: Path, most_seconds: float) -> tuple[str, str | None]:
    """The change of a case, and what is wrong with how the product took it; None where nothing is."""
    draw = random.Random(f"{seed} {target.name} {number}")
    path = target.path(root)
    content = path.read_bytes()
    place, new, is_same = path, content, False
    if draw.random() < 0.03 and target.is_opened:
        change = draw.choice(_PLACES)
    elif target.same and draw.random() < 0.1:
        kind = draw.choice(target.same)
        change = draw.choice(list(SAME_MEANING[kind]))
        new, is_same = SAME_MEANING[kind][change](content), True
    elif target.kind == "gzip":
        place = path.with_name(f"{path.name}.gz")
        if draw.random() < 0.02:
            change, new = "gzip-bomb", bomb(draw.choice((b"\0", b"a b\n", b"[")), 3_000_000_000)
        else:
            change, new = mutate_gzip(content, draw)
    else:
        change, new = (mutate_parquet if target.kind == "parquet" else mutate)(content, draw)
    expected = target.call(root) if is_same else None
    path.unlink()
    try:
        _put(place, change, new)
        problem = judge(target, root, most_seconds)
        if is_same and problem is None and target.call(root) != expected:
            problem = "another score: the change keeps the meaning"
    finally:
        for found in {place, path}:
            _remove(found)
        path.write_bytes(content)
    return change, problem


def _put(place: Path, change: str, content: bytes) -> None:
    match change:
        case "missing":
            pass
        case "folder":
            place.mkdir()
        case "pipe":
            os.mkfifo(place)
        case "link-to-itself":
            place.symlink_to(place.name)
        case "link-to-nothing":
            place.symlink_to("nowhere")
        case "unreadable":
            place.write_bytes(content)
            place.chmod(0)
        case _:
            place.write_bytes(content)


def _remove(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)


def judge(target: Target, root: Path, most_seconds: float = MOST_SECONDS) -> str | None:
    """Call the reader; what is wrong with how it ends."""
    from atinuke_bench.errors import AtinukeBenchError

    try:
        with _limits(most_seconds):
            target.call(root)
    except AtinukeBenchError as error:
        try:
            require_readable(str(error))
        except AssertionError as wrong:
            return f"message: {wrong}"
    except Hang:
        return f"hang: over {most_seconds:.0f} s at {_place(sys.exc_info()[2])}"
    except MemoryError:
        return f"memory: over {MOST_BYTES:.0e} bytes at {_place(sys.exc_info()[2])}"
    except Exception as error:
        return f"{type(error).__name__} at {_place(sys.exc_info()[2])}: {str(error)[:120]!r}"
    return None


def _place(trace: Any) -> str:
    """The innermost line of the project."""
    own = [
        frame
        for frame in traceback.extract_tb(trace)
        if any(f"/{room}/" in frame.filename for room in ("atinuke_bench", "tasks", "sweeps", "reports"))
        and "site-packages" not in frame.filename
    ]
    frame = own[-1] if own else traceback.extract_tb(trace)[-1]
    return f"{'/'.join(Path(frame.filename).parts[-2:])}:{frame.lineno}"


@contextmanager
def _limits(seconds: float) -> Iterator[None]:
    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise Hang

    # Seconds of work, since a busy machine is no hang; and some more on the clock, since who waits does not work.
    timers = (signal.ITIMER_PROF, signal.SIGPROF, seconds), (signal.ITIMER_REAL, signal.SIGALRM, 3 * seconds)
    for timer, number, most in timers:
        signal.signal(number, stop)
        signal.setitimer(timer, most)
    try:
        yield
    finally:
        for timer, _, _ in timers:
            signal.setitimer(timer, 0)


def _data_bytes() -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmData"))


def work(root: Path, names: list[str], start: int, first: int, count: int, seconds: float, seed: int) -> None:
    """Carry out `count` cases of each target, or as many as `seconds` of work allow; of the first from `start` on.

    The begin and the end of each case are a line of JSON on standard output, and so is the end of all.
    """
    warnings.simplefilter("ignore")
    targets = {target.name: target for target in all_targets()}
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Libraries in C print; nothing of theirs gets between the lines for the parent.
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    for name in names:
        print(json.dumps([name, start]), file=channel, flush=True)
        resource.setrlimit(resource.RLIMIT_DATA, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        targets[name].call(root)  # imports count as no case's memory, nor as its time
        begin = time.process_time()
        targets[name].call(root)
        # A report draws for seconds, and on a busy machine for twice as many.
        most_seconds = MOST_SECONDS + 2 * (time.process_time() - begin)
        resource.setrlimit(resource.RLIMIT_DATA, (_data_bytes() + MOST_BYTES, resource.RLIM_INFINITY))
        for number in range(start, first + count):
            if time.process_time() - begin > seconds:
                break
            print(json.dumps([name, number]), file=channel, flush=True)
            change, problem = run_case(targets[name], number, seed, root, most_seconds)
            print(json.dumps([name, number, change, problem]), file=channel, flush=True)
        start = first
    print(json.dumps(["", first]), file=channel, flush=True)
