"""Whether the quick suite can distinguish its cores: a look at the finished runs of `make bench`.

    python benchmarks/quick_calibration.py runs/quick

Prints the mean score of every core on every task, how far the trained ones are apart, and what makes a task useless as
a test: all trained cores at the floor, or all at the top. Exit status 1 when a task is.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import defaultdict
from pathlib import Path
from statistics import fmean

from atinuke_bench.run_folder import find_runs

#: Points that one trained core must be above the floor, and one below the top.
ABOVE_FLOOR, BELOW_TOP = 5.0, 1.0
FLOOR = "majority"


def mean_scores(store: Path) -> dict[str, dict[str, float]]:
    """Task -> core -> mean score over the seeds; NaN where a score is not defined."""
    scores: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for folder in find_runs(store):
        if folder.is_finished():
            run, score = folder.read_config(), folder.read_result()["score"]
            scores[run.task][run.core.name].append(math.nan if score is None else score)
    return {task: {core: fmean(values) for core, values in cores.items()} for task, cores in scores.items()}


def faults(means: dict[str, float]) -> list[str]:
    """What is wrong with a task, by the mean scores of its cores.

    >>> faults({"majority": 33.0, "bilstm": 90.0, "atinuke": 80.0}), faults({"majority": 33.0, "atinuke": 34.0})
    ([], ['no core is 5 points above the floor'])
    """
    trained = [score for core, score in means.items() if core != FLOOR]
    floor = means[FLOOR]
    found = []
    # A constant answer has no correlation with anything: every defined score is above such a floor.
    if not math.isnan(floor) and max(trained) < floor + ABOVE_FLOOR:
        found.append(f"no core is {ABOVE_FLOOR:g} points above the floor")
    if min(trained) > 100 - BELOW_TOP:
        found.append("every core is at the top")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", type=Path)
    means = mean_scores(parser.parse_args().store)
    if not means:
        sys.exit("no finished runs")
    is_bad = False
    for task, cores in sorted(means.items()):
        found = faults(cores)
        is_bad |= bool(found)
        trained = [score for core, score in cores.items() if core != FLOOR]
        columns = [f"{core} {score:5.1f}" for core, score in sorted(cores.items())]
        print(f"{task:12}", *columns, f"apart {max(trained) - min(trained):5.1f}", "; ".join(found))
    sys.exit(is_bad)


if __name__ == "__main__":
    main()
