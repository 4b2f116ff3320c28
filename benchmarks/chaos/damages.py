"""Files of an interrupted run that are not as they were written: changed, cut short, emptied, swapped, or gone."""

from __future__ import annotations

import random
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from atinuke_bench.run_folder import RunFolder, find_runs
from chaos.commands import MOST_SECONDS, finish
from chaos.stores import NUM_RUNS, Store, differences
from chaos.strikes import Suite

#: Each file of an interrupted run or of what belongs to it, as a pattern below the run (or the store).
FILES = {
    "history.jsonl": "history.jsonl",
    "last.safetensors": "checkpoints/last.safetensors",
    "middle.safetensors": "checkpoints/middle.safetensors",
    "best.safetensors": "checkpoints/best.safetensors",
    "config.yaml": "config.yaml",
    "manifest.json": "manifest.json",
    "tokenizer.json": "tokenizer.json",
    "failure.json": "failure.json",
    ".wandb.json": ".wandb.json",
    "suite record": "runs/suites/kills.json",
    "feature cache": "cache/features/*.safetensors",
    "tokenizer cache": "cache/tokenizers/*.json",
}
_SHAPES = ("[]", "null", "3", '"text"', "{}", '{"schema": 99, "name": 3, "cells": {}, "class": [], "epoch": "0"}')


def flip(path: Path, other: Path | None, chance: random.Random) -> None:
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


def cut(path: Path, other: Path | None, chance: random.Random) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: chance.randrange(1, len(content))])


def empty(path: Path, other: Path | None, chance: random.Random) -> None:
    path.write_bytes(b"")


def swap(path: Path, other: Path | None, chance: random.Random) -> None:
    """The file of the same name of another run; its neighbour where no other run has one."""
    neighbours = [place for place in path.parent.iterdir() if place.suffix == path.suffix and place != path]
    path.write_bytes((other or chance.choice(sorted(neighbours) or [path])).read_bytes())


def reshape(path: Path, other: Path | None, chance: random.Random) -> None:
    path.write_text(chance.choice(_SHAPES))


def remove(path: Path, other: Path | None, chance: random.Random) -> None:
    path.unlink()


WAYS: dict[str, Callable[[Path, Path | None, random.Random], None]] = {
    "a bit flipped": flip,
    "cut short": cut,
    "emptied": empty,
    "another run's": swap,
    "JSON of another shape": reshape,
    "gone": remove,
}


@dataclass(frozen=True)
class Interrupted:
    """A store whose suite was ended in the middle of a run."""

    store: Store
    #: The unfinished run, relative to the store.
    run: Path

    def find(self, root: Path, file: str) -> Path | None:
        """A file of a copy of the store."""
        pattern = FILES[file]
        place = root if pattern.startswith(("runs/", "cache/")) else root / "runs" / self.run
        return next(iter(sorted(place.glob(pattern))), None)


@dataclass(frozen=True)
class Case:
    """What is damaged, and how."""

    file: str
    way: str
    seed: int


def cases(count: int, seed: int) -> list[Case]:
    """So many cases: every file in every way, in random order, then again with other bits."""
    found: list[Case] = []
    while len(found) < count:
        every = [Case(file, way, seed + len(found)) for file in FILES for way in WAYS]
        found += random.Random(seed + len(found)).sample(every, len(every))
    return found[:count]


def interrupt(store: Store, num_finished: int, kind: signal.Signals) -> Interrupted:
    """End the suite within the second epoch of a run, once so many others are finished."""
    suite = Suite(store, random.Random(0), 0.0)
    while suite.runs():
        runs = find_runs(store.runs)
        begun = [run for run in runs if not run.result.exists()]
        if len(runs) == num_finished + 1 and begun and _came_to_second_epoch(begun[0]):
            suite.kill(suite.pid, kind=kind)
            if not begun[0].result.exists():
                return Interrupted(store, begun[0].path.relative_to(store.runs))
    raise SystemExit(f"the suite was over before it could be interrupted; see {store.log}")


def _came_to_second_epoch(run: RunFolder) -> bool:
    """Wait until a run saves a state within its second epoch; False when it ends before."""
    until = time.monotonic() + MOST_SECONDS
    while not run.result.exists() and time.monotonic() < until:
        if run.middle_checkpoint.exists() and len(run.read_history()) == 1:
            return True
        time.sleep(0.005)
    return False


def carry_out(case: Case, base: Interrupted, other: Interrupted, store: Store, reference: Store) -> list[str]:
    """Damage a file of a copy, and let the suite go on; what is wrong after that."""
    shutil.copytree(base.store.root, store.root)
    store.log.unlink()
    path = base.find(store.root, case.file)
    if path is None:
        return ["there is no such file to damage"]
    WAYS[case.way](path, other.find(other.store.root, case.file), random.Random(f"{case.seed} {case}"))
    status = next((0 for _ in range(2) if finish(store.start_suite()) == 0), 1)
    wrong = [] if status == 0 else ["the suite does not finish"]
    if finish(store.start("verify", store.runs)) or f"{NUM_RUNS} finished runs, 0 damaged" not in store.said():
        wrong.append("verify")
    return wrong + differences(store, reference) + _unnamed(RunFolder(store.runs / base.run))


def _unnamed(run: RunFolder) -> list[str]:
    """Folders of what was set aside that no line of the run's log names."""
    said = run.log.read_text(errors="replace")
    return [
        f"{place.name} holds {sorted(path.name for path in place.iterdir())}, which the log does not say"
        for place in run.path.glob(".damaged-*")
        if not any(place.name in line and line.isprintable() for line in said.splitlines())
    ]


def set_aside(run: RunFolder) -> list[str]:
    """Names of the files that a run set aside as damaged."""
    return sorted(path.name for path in run.path.glob(".damaged-*/*"))
