"""Whether a trial is shown worse than another: a paired test over the held-out examples that both were scored on.

Trials of one study select on the same slice, so that what each example added to the two scores can be compared example
by example (`selection_record.py`); what makes examples hard for all drops out. The error of a difference has two parts:
that of the examples, drawn by their units, and the luck of training, once the study has seen configurations with
several seeds. Sources: the racing of Maron and Moore 1994 and of F-race (Birattari et al. 2002).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from atinuke_bench.errors import RunFolderError
from atinuke_bench.metrics.units import FEWEST_UNITS
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.selection_record import SelectionRecord, read_selection
from atinuke_bench.sweeps.parts import Aggregate, Part, Scored, floor_of, weights

Floats = NDArray[np.float64]

#: A trial is given up where the chance of a difference this large, were it not worse, is below this (one-sided).
LEVEL = 0.1
#: No run is judged before this part of its epochs. At first some learn nothing, with a low rate or on a hard task, and
#: end well; judged from the first epoch on, searches lost 14 to 39 F1 on a task of `benchmarks/sweep_budget.py`.
GRACE = 0.2


#: Files whose content is kept: those of the best trials and of all that run.
_MOST_FILES = 200


@dataclass(frozen=True)
class Outcome:
    """What one run came to: its best score so far, and what each unit added to it, in points."""

    part: Part
    scored: Scored
    units: Mapping[str, float]


@dataclass(frozen=True)
class Difference:
    """How much better a trial is than another, in the study's own points, and the standard error of that."""

    mean: float
    error: float

    @property
    def is_worse(self) -> bool:
        """Whether it is shown to be worse."""
        return self.mean < -NormalDist().inv_cdf(1 - LEVEL) * self.error

    @property
    def in_errors(self) -> float:
        """The difference in standard errors; without any error, nothing or infinitely many."""
        return self.mean / self.error if self.error else math.copysign(math.inf, self.mean) if self.mean else 0.0


class Outcomes:
    """Reads what runs came to from their folders, each file once for as long as it stays what it is."""

    def __init__(self, *, higher_is_better: bool) -> None:
        self.higher_is_better = higher_is_better
        #: By file: its time and size, and what was read.
        self._files: dict[Path, tuple[tuple[int, int], Any]] = {}

    def of(self, part: Part, folder: RunFolder, num_epochs: int | None = None) -> Outcome | None:
        """Of a run after so many of its epochs, or all; None where its folder does not say."""
        lines: list[dict[str, Any]] = self._read(folder.history, folder.read_history) or []
        history = [line for line in lines[:num_epochs] if is_score(line["score"])]
        record: SelectionRecord | None = self._read(folder.selection, lambda: _selection_of(folder))
        if not history or record is None:
            return None
        best = (max if self.higher_is_better else min)(history, key=lambda line: line["score"])
        if best["epoch"] not in record.epochs:
            return None
        scored = Scored(best["score"], floor_of(history))
        return Outcome(part, scored, record.by_unit(best["epoch"]))

    def _read(self, path: Path, read: Callable[[], Any]) -> Any:
        """What a file holds; None where it is not there."""
        try:
            found = path.stat()
        except OSError:
            return None
        stamp = found.st_mtime_ns, found.st_size
        known, content = self._files.pop(path, (None, None))
        if known != stamp:
            content = read()
        # The last to be used comes last.
        self._files[path] = stamp, content
        if len(self._files) > _MOST_FILES:
            del self._files[next(iter(self._files))]
        return content


def _selection_of(folder: RunFolder) -> SelectionRecord | None:
    try:
        return read_selection(folder.selection)
    except RunFolderError:
        return None


def is_score(value: object) -> TypeGuard[float]:
    """Whether a history's score is a number."""
    return isinstance(value, int | float) and math.isfinite(value)


def difference(
    ours: Sequence[Sequence[Outcome]],
    theirs: Sequence[Sequence[Outcome]],
    aggregate: Aggregate,
    *,
    higher_is_better: bool = True,
    luck: float = 0.0,
) -> Difference | None:
    """How much better one trial is than another; each is given by the outcomes of its parts, seed by seed.

    Both have the same parts. `luck` is the variance of a trial's value over seeds. None where there is too little to
    compare: other units, or fewer than 8 of them.
    """
    parts = [outcome.part for outcome in ours[0]]
    scored = [outcome.scored for outcome in theirs[0]]
    own_weights = weights(parts, scored, aggregate)
    if own_weights is None:
        return None
    mean, variance = 0.0, luck / len(ours) + luck / len(theirs)
    for place, weight in enumerate(own_weights):
        values = _unit_values([ours, theirs], place)
        if values is None:
            return None
        gaps = values[0] - values[1]
        mean += weight * float(gaps.mean())
        variance += weight**2 * float(gaps.var(ddof=1)) / len(gaps)
    return Difference(mean if higher_is_better else -mean, math.sqrt(variance))


def examples_error(found: Sequence[Sequence[Sequence[Outcome]]], aggregate: Aggregate) -> Floats | None:
    """The covariance [K, K] of the errors that held-out examples make in the values of K trials.

    Each trial is given by the outcomes of its parts, seed by seed. None where their units differ or are under 8.
    """
    first = found[0][0]
    own_weights = weights([outcome.part for outcome in first], [outcome.scored for outcome in first], aggregate)
    if own_weights is None:
        return None
    errors = np.zeros((len(found), len(found)))
    for place, weight in enumerate(own_weights):
        values = _unit_values(found, place)
        if values is None:
            return None
        errors += weight**2 * np.cov(values, ddof=1).reshape(errors.shape) / values.shape[1]
    return errors


def _unit_values(found: Sequence[Sequence[Sequence[Outcome]]], place: int) -> Floats | None:
    """What the score of a part would be if every unit were as that one [K, units], of K trials.

    None where their units differ or are under 8.
    """
    names = found[0][0][place].units.keys()
    outcomes = [[seed[place].units for seed in seeds] for seeds in found]
    if len(names) < FEWEST_UNITS or any(one.keys() != names for seeds in outcomes for one in seeds):
        return None
    # The mean over seeds: an example that is hard for a configuration may be so with every seed.
    means = [np.mean([[one[name] for name in names] for one in seeds], axis=0) for seeds in outcomes]
    return np.array(means) * len(names)


def luck_of(values: Sequence[Sequence[float]]) -> float:
    """The variance of values over seeds, pooled over configurations that have several; 0 where none has.

    >>> luck_of([[60.0, 62.0], [50.0]])
    2.0
    """
    known = [own for own in values if len(own) > 1]
    squares = sum(statistics.variance(own) * (len(own) - 1) for own in known)
    return squares / sum(len(own) - 1 for own in known) if known else 0.0
