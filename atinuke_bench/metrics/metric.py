"""What a task is judged by, as one object: figures, selection, intervals, tests and `verify` all come from it.

A *unit* is what is independent and so is drawn when a score is resampled: an example, a sentence, a document. A metric
knows examples; `by_unit` in `units.py` puts together those that its data names as one unit.
Letters: N units, B resamples, D sums.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atinuke_bench.metrics.display import Display

Floats = NDArray[np.float64]
Figures = dict[str, float | None]


@dataclass(frozen=True)
class Answers:
    """Labelled examples in order: id, what was predicted, what is right; `scores` where a run has stored them.

    `units` names the unit that each example lies in; None where the data names none.
    """

    ids: Sequence[str]
    predicted: Sequence[Any]
    gold: Sequence[Any]
    scores: Sequence[float | None] | None = None
    units: Sequence[str | None] | None = None

    def __len__(self) -> int:
        return len(self.ids)


class Sample(ABC):
    """The units of a test set, from which the primary figure of any multiset of them can be computed."""

    #: Names of the units. Two samples with the same names can be paired.
    units: tuple[str, ...]

    @abstractmethod
    def values(self, weights: Floats) -> Floats:  # [B, N] -> [B]
        """The figure when unit n occurs weights[b, n] times; NaN where it cannot be computed."""

    def value(self) -> float:
        """The figure of the units as they are."""
        return float(self.values(np.ones((1, len(self.units))))[0])


@dataclass(frozen=True)
class SumSample(Sample):
    """A figure that is a function of sums over units: means, F1, Matthews' and Pearson's correlation, CoNLL F1."""

    units: tuple[str, ...]
    statistics: Floats  # [N, D]
    finish: Callable[[Floats], Floats]  # [B, D] -> [B]

    def values(self, weights: Floats) -> Floats:
        return self.finish(weights @ self.statistics)


@dataclass(frozen=True)
class Measured:
    """What predictions are worth.

    `figures` holds the official figures by their official names, None where one cannot be computed; `scores` one number
    an example, which is stored beside its prediction; `details` what the family's slices are made from.
    """

    figures: Figures
    scores: Sequence[float | None]
    sample: Sample
    details: Any = None


class Metric(ABC):
    """The official metric of a task. `name` is its primary figure, by which epochs and cores are ranked."""

    name: str
    higher_is_better: bool = True
    #: Lowest and highest value.
    bounds: tuple[float, float] = (0.0, 100.0)
    #: What is drawn where the data names no units: the noun for `unit_of`.
    unit: str = "example"
    #: How examples and stored answers are shown to readers.
    display: Display = Display()

    @abstractmethod
    def measure(self, answers: Answers) -> Measured:
        """All figures of at least one labelled example; `figures[name]` equals the sample's value up to rounding."""

    def sample(self, answers: Answers) -> Sample:
        """The sample alone, for a metric that has it from stored scores at less cost."""
        return self.measure(answers).sample

    def unit_of(self, example: str) -> str:
        """The unit of an example, by its id, where the data names none: itself."""
        return example

    def to_stored(self, prediction: Any) -> Any:
        """A prediction as it is stored: a text, or plain data that becomes JSON."""
        return prediction

    def from_stored(self, prediction: str, gold: str) -> tuple[Any, Any]:
        """A stored prediction and right answer as `measure` takes them; ValueError."""
        return json.loads(prediction), json.loads(gold)

    def read(self, rows: Mapping[str, Sequence[Any]]) -> Answers:
        """Answers from the columns of a run's `predictions.parquet`; ValueError.

        They are id, prediction, gold, score and, in runs that recorded it, unit.
        """
        try:
            pairs = [self.from_stored(*pair) for pair in zip(rows["prediction"], rows["gold"], strict=True)]
        except (KeyError, TypeError, IndexError) as error:
            raise ValueError(f"not predictions of {self.name} ({type(error).__name__}: {error})") from error
        predicted, gold = ([pair[side] for pair in pairs] for side in (0, 1))
        units = tuple(rows["unit"]) if "unit" in rows else None
        return Answers(tuple(rows["id"]), predicted, gold, rows["score"], units)


def mean_sample(ids: Sequence[str], scores: Sequence[float | None]) -> SumSample:
    """Scores from 0 to 1 as a sample whose figure is their mean in percent.

    >>> mean_sample(["a", "b"], [1.0, 0.5]).value()
    75.0
    """
    values = 100.0 * np.asarray(scores, dtype=np.float64)
    return SumSample(tuple(ids), np.stack([values, np.ones_like(values)], axis=1), lambda sums: sums[:, 0] / sums[:, 1])


def ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Quotients; 0 where there is nothing to divide by."""
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)
