"""Samples of examples as samples of what is independent: articles, documents, premises.

Letters: N examples, U units, B resamples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from atinuke_bench.metrics.metric import Floats, Metric, Sample, SumSample

#: Below this an interval is not what it says: with 3 to 6 units a 95 % interval holds the truth in 75 to 92 % of
#: simulated test sets, from 8 on in 92 % or more (`benchmarks/interval_coverage.py`).
FEWEST_UNITS = 8
#: Weights are handled in parts of at most so many, which bounds memory on large test sets.
WEIGHTS_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class GroupedSample(Sample):
    """A sample whose units are groups of another one's: what lies in a unit is drawn together."""

    units: tuple[str, ...]
    members: Sample
    place: NDArray[np.int64]  # [N], the number of each member's unit

    def values(self, weights: Floats) -> Floats:
        size = max(1, WEIGHTS_AT_ONCE // len(self.place))
        parts = range(0, len(weights), size)
        return np.concatenate([self.members.values(weights[start : start + size, self.place]) for start in parts])


def by_unit(metric: Metric, ids: Sequence[str], units: Sequence[str | None] | None, sample: Sample) -> Sample:
    """A metric's sample of some examples, drawn by their units, or by those of the metric where they have none.

    A sample that does not draw examples is left as it is: its metric has chosen.
    """
    if units is None and type(metric).unit_of is Metric.unit_of and len(set(ids)) == len(ids):
        return sample  # every example is a unit
    return grouped(sample, unit_names(metric, ids, units, sample))


def unit_names(metric: Metric, ids: Sequence[str], units: Sequence[str | None] | None, sample: Sample) -> Sequence[str]:
    """The unit that each member of a metric's sample of some examples is drawn with."""
    if sample.units != tuple(ids):
        return sample.units
    named = [None] * len(ids) if units is None else units
    return [metric.unit_of(id_) if unit is None else unit for id_, unit in zip(ids, named, strict=True)]


def unit_noun(metric: Metric, units: Sequence[str | None] | None, noun: str | None) -> str:
    """What the units of `by_unit` are called; `noun` is what the data calls its own."""
    return metric.unit if noun is None or units is None or None in units else noun


def too_few(noun: str, num_units: int) -> str:
    """Why a score on so few units has neither interval nor test; empty where they are enough."""
    if num_units >= FEWEST_UNITS:
        return ""
    return f"its test set has {num_units} units ({noun}), and an interval needs {FEWEST_UNITS}"


def grouped(sample: Sample, units: Sequence[str]) -> Sample:
    """A sample whose unit n lies in the larger unit `units[n]`; these come in the order of their first members.

    >>> from atinuke_bench.metrics.metric import mean_sample
    >>> articles = grouped(mean_sample(["q1", "q2", "q3"], [1.0, 0.0, 1.0]), ["Ada", "Ada", "Lagos"])
    >>> articles.units, articles.values(np.array([[1.0, 0.0], [1.0, 1.0]])).round(1).tolist()
    (('Ada', 'Lagos'), [50.0, 66.7])
    """
    numbers: dict[str, int] = {}
    place = np.array([numbers.setdefault(unit, len(numbers)) for unit in units], dtype=np.int64)
    names = tuple(numbers)
    if names == sample.units:
        return sample
    if not isinstance(sample, SumSample):
        return GroupedSample(names, sample, place)
    sums = np.zeros((len(names), sample.statistics.shape[1]))
    np.add.at(sums, place, sample.statistics)
    return replace(sample, units=names, statistics=sums)
