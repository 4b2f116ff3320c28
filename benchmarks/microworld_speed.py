"""How many examples a second the microworld generates, task by task, on one core, and how memory grows with them.

    python benchmarks/microworld_speed.py [--seconds 2] [--task snli]

Prints examples per processor second, their ratio to the aim of 5,000, and the growth of the peak resident size between
the first and the last tenth of the examples (constant memory: none).
"""

from __future__ import annotations

import argparse
import resource
import time
from itertools import islice

from atinuke_bench.config import MicroworldConfig
from atinuke_bench.microworld import RECIPES, examples

AIM = 5_000
_ENDLESS = 10**9


def measure(task: str, seconds: float) -> tuple[float, int]:
    """Examples per processor second, and kilobytes by which the peak grew after the first tenth."""
    split = next(iter(RECIPES[task].sizes))
    stream = examples(task, split, MicroworldConfig(train=_ENDLESS))
    list(islice(stream, 50))
    started, num, first = time.process_time(), 0, 0
    while (spent := time.process_time() - started) < seconds:
        for _ in islice(stream, 100):
            num += 1
        if first == 0 and spent > seconds / 10:
            first = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return num / spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - first


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2.0, help="processor seconds for each task")
    parser.add_argument("--task", choices=RECIPES, help="this task alone")
    arguments = parser.parse_args()
    for task in [arguments.task] if arguments.task else RECIPES:
        rate, growth = measure(task, arguments.seconds)
        print(f"{task:12} {rate:9,.0f} examples/s  {rate / AIM:5.2f} of the aim  peak grew by {growth:,} kB")


if __name__ == "__main__":
    main()
