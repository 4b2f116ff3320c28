"""Short trainings of one run at several learning rates, and the range in which the loss falls best.

Smith 2017 raises the rate within one training; separate ones keep the run's own warm-up, and say at which rates it
stays well. None is a run of the store: their folder holds nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from atinuke_bench.config import RunConfig
from atinuke_bench.errors import DivergedError
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.step_record import read_steps
from atinuke_bench.training.execution import Execution
from atinuke_bench.training.prepare import PreparedRun, prepare
from atinuke_bench.training.train import train_and_evaluate

#: Rates from this part of the run's own to this many times it, each the same factor above the one before.
SPAN, NUM_RATES = 30.0, 7
#: Examples of each training, and of each split that it must evaluate.
NUM_EXAMPLES, NUM_EVALUATED = 1000, 20
NUM_EPOCHS = 2
#: Rates whose loss fell by this share of what it fell by at the best one are as good.
AS_GOOD = 0.9


@dataclass(frozen=True)
class ScannedRate:
    """A training at a rate: the mean loss of its first and of its last tenth of steps; infinite where it diverged."""

    rate: float
    first: float
    last: float


@dataclass(frozen=True)
class RateScan:
    """What a scan has found. `low` and `high` bound the range of good rates; None where no loss fell."""

    own: float
    rates: tuple[ScannedRate, ...]
    best: float | None
    low: float | None
    high: float | None


def rates_around(rate: float) -> list[float]:
    """The rates that a scan tries.

    >>> [f"{one:.2g}" for one in rates_around(1e-3)]
    ['3.3e-05', '0.0001', '0.00032', '0.001', '0.0031', '0.0097', '0.03']
    """
    return [float(one) for one in rate * np.geomspace(1 / SPAN, SPAN, NUM_RATES)]


def scan_rates(run: RunConfig, place: Path, say: Callable[[ScannedRate], None] | None = None) -> RateScan:
    """Train a run for a short while at each rate, in folders of `place`; what is there is not trained again."""
    found = []
    for rate in rates_around(run.training.learning_rate):
        scanned = _train(_shortened(run, rate), place / f"rate-{rate:.2e}", rate)
        found.append(scanned)
        if say is not None:
            say(scanned)
    return summary(run.training.learning_rate, found)


def summary(own: float, rates: list[ScannedRate]) -> RateScan:
    """The range around the rate of the lowest loss in which it fell nearly as far.

    >>> scan = summary(1e-3, [ScannedRate(r, 2.0, last) for r, last in ((1e-4, 1.9), (1e-3, 1.05), (1e-2, 1.0))])
    >>> scan.best, scan.low, scan.high
    (0.01, 0.001, 0.01)
    """
    fell = [one.first - one.last if math.isfinite(one.last) else -math.inf for one in rates]
    best = int(np.argmax(fell))
    if not fell[best] > 0:
        return RateScan(own, tuple(rates), None, None, None)
    low = high = best
    while low > 0 and fell[low - 1] >= AS_GOOD * fell[best]:
        low -= 1
    while high + 1 < len(rates) and fell[high + 1] >= AS_GOOD * fell[best]:
        high += 1
    return RateScan(own, tuple(rates), rates[best].rate, rates[low].rate, rates[high].rate)


def _shortened(run: RunConfig, rate: float) -> PreparedRun:
    limit = min(NUM_EXAMPLES, run.training.train_limit or NUM_EXAMPLES)
    changed = {"learning_rate": rate, "max_epochs": NUM_EPOCHS, "train_limit": limit, "select_on": "held-out"}
    if run.training.core_learning_rate is not None:
        changed["core_learning_rate"] = run.training.core_learning_rate * rate / run.training.learning_rate
    prepared = prepare(run.model_copy(update={"training": run.training.model_copy(update=changed)}))
    loaded, train = prepared.loaded, prepared.task.splits.train
    splits = {
        name: rows if name == train else rows.select(range(min(NUM_EVALUATED, len(rows))))
        for name, rows in loaded.splits.items()
    }
    # Another data set, so that no cache takes the part for the whole.
    files = {**loaded.files, "cut for a scan of rates": str(NUM_EVALUATED)}
    return replace(prepared, loaded=replace(loaded, splits=splits, files=files))


def _train(prepared: PreparedRun, place: Path, rate: float) -> ScannedRate:
    folder = RunFolder(place)
    try:
        train_and_evaluate(prepared, folder, Execution(show_progress=False, keeps_texts=False))
    except DivergedError:
        return ScannedRate(rate, math.nan, math.inf)
    loss = read_steps(folder.steps)["loss"]
    few = max(1, len(loss) // 10)
    first, last = float(np.mean(loss[:few])), float(np.mean(loss[-few:]))
    return ScannedRate(rate, first, last if math.isfinite(last) else math.inf)
