"""Does the product survive damaged files? Mutates every kind of file that it reads and calls the readers.

    python benchmarks/fuzz.py --count 200                 # of each target, in a temporary folder
    python benchmarks/fuzz.py --only 'score:*' --count 5000 --folder /tmp/fuzz --seed 7
    python benchmarks/fuzz.py --count 100000 --seconds 60 # as many of each target as a minute of a processor takes

Refused with one short line is right, whatever is in a file. Everything else is a finding: a traceback, a hang of over
10 s more than the file took as it was, over 2 GB of memory, a message of several lines or with control characters, a
run that a report neither shows nor names as a gap, and another score where a change keeps the meaning. The exit status
is 1 where there are findings; each names target, case and seed, which repeat it. The materials stay in `--folder` and
are used again.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false", WANDB_MODE="disabled", HF_HUB_OFFLINE="1")

#: Seconds without a word after which a worker is killed: C code that no signal interrupts.
_SILENCE = 150


@dataclass
class Outcome:
    """Cases that were carried out, and findings: by target and problem, one case that shows it and how many do."""

    num_cases: Counter[str] = field(default_factory=Counter)
    examples: dict[tuple[str, str], str] = field(default_factory=dict)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, target: str, number: int, change: str, problem: str | None) -> None:
        self.num_cases[target] += 1
        if problem is not None:
            self.counts[target, problem] += 1
            self.examples.setdefault((target, problem), f"case {number} ({change})")

    def lines(self) -> list[str]:
        """A line a finding, then one with totals."""
        found = [f"{target}: {problem} [{self.examples[key]}, {count} times]"
                 for key, count in sorted(self.counts.items()) for target, problem in [key]]  # fmt: skip
        total = f"{self.num_cases.total()} mutations of {len(self.num_cases)} kinds of files"
        return [*found, f"{total}, {self.counts.total()} findings of {len(found)} kinds"]


@dataclass(frozen=True)
class Extent:
    """Which cases of each target are carried out: `count` from `first` on, or those that `seconds` of work allow."""

    count: int
    first: int = 0
    seconds: float = float("inf")


def fuzz(root: Path, names: list[str], extent: Extent, seed: int, until: float = float("inf")) -> Outcome:
    """Carry out cases of each target in worker processes, one after the other, until a time."""
    outcome, place = Outcome(), (0, extent.first)
    while place[0] < len(names) and time.time() < until:
        place = _one_worker(root, names, place, extent, seed, outcome, until)
    return outcome


def _one_worker(
    root: Path, names: list[str], place: tuple[int, int], extent: Extent, seed: int, outcome: Outcome, until: float
) -> tuple[int, int]:
    """The place (target, case) after the last one; a worker that dies or hangs is a finding of the case it was at."""
    first, count = extent.first, extent.count
    order = json.dumps([names[place[0] :], place[1], first, count, extent.seconds, seed])
    command = [sys.executable, __file__, "--worker", order]
    worker = subprocess.Popen([*command, "--folder", str(root)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert worker.stdout is not None
    os.set_blocking(worker.stdout.fileno(), False)
    current, problem, buffer = place, "", b""
    with selectors.DefaultSelector() as selector:
        selector.register(worker.stdout, selectors.EVENT_READ)
        while time.time() < until:
            if not selector.select(timeout=_SILENCE):
                problem = f"hang: no answer within {_SILENCE} s"
                break
            if not (piece := worker.stdout.read()):
                break
            *lines, buffer = (buffer + piece).split(b"\n")
            for name, number, *ending in map(json.loads, lines):
                if names[current[0] : current[0] + 1] not in ([], [name]):
                    _tell(names[current[0]], outcome)
                current = (names.index(name) if name else len(names), number)
                if ending:
                    outcome.add(name, number, *ending)
                    current = (current[0], number + 1)
    if time.time() >= until:
        current, problem = (len(names), first), ""
    worker.kill()
    errors = worker.communicate()[1].decode(errors="replace").strip().splitlines()
    if current[0] < len(names) and current[1] >= first + count:
        current = (current[0] + 1, first)
    if current[0] < len(names) and (problem or worker.returncode):
        outcome.add(names[current[0]], current[1], "?", problem or f"died: {errors[-1:]}")
        current = (current[0], current[1] + 1) if current > place else (current[0] + 1, first)
    return current


def _tell(target: str, outcome: Outcome) -> None:
    found = sum(count for (name, _), count in outcome.counts.items() if name == target)
    print(f"{target}: {outcome.num_cases[target]} mutations, {found} findings", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=50, help="cases of each target")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="of work on each target, at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", default=["*"], help="patterns of targets")
    parser.add_argument("--folder", type=Path, help="where the materials are kept; a temporary folder if not given")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after this time")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = given.folder or Path(scratch)
        os.environ["ATINUKE_CACHE"] = str(root / "cache")
        from fuzzing.cases import work
        from fuzzing.materials import write_parts
        from fuzzing.targets import all_targets

        if given.worker:
            work(root, *json.loads(given.worker))
            return
        chosen = [target for target in all_targets() if any(fnmatch.fnmatchcase(target.name, p) for p in given.only)]
        root.mkdir(parents=True, exist_ok=True)
        write_parts(root, [target.file for target in chosen])
        outcome = fuzz(
            root,
            [target.name for target in chosen],
            Extent(given.count, given.first, given.seconds),
            given.seed,
            time.time() + 60 * given.minutes,
        )
    print("\n".join(outcome.lines()))
    raise SystemExit(bool(outcome.counts))


if __name__ == "__main__":
    main()
