"""What a run scores with some of its attention heads.

Legend of shapes: S scored sets of heads, B resamples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from atinuke_bench.core.attention_heads import pruned
from atinuke_bench.metrics.bootstrap import interval_of, resample_together
from atinuke_bench.metrics.metric import Answers, Floats, Measured, Sample
from atinuke_bench.metrics.units import FEWEST_UNITS, by_unit

from .opened import Opened

NUM_RESAMPLES = 1000
Interval = tuple[float, float] | None


@dataclass(frozen=True)
class Scored:
    """A run's answers with some of its heads, and what they are worth; `sample` draws units."""

    answers: Answers
    measured: Measured
    sample: Sample


@dataclass
class Scorer:
    """Scores a run with any set of its heads, each set once; `told` hears of every pass over the examples."""

    opened: Opened
    told: Callable[[], None] = lambda: None
    _known: dict[bytes, Scored] = field(default_factory=dict)

    @property
    def sign(self) -> int:
        """By which differences of the metric are multiplied, so that a worse score is a positive drop."""
        return 1 if self.opened.predictor.task.metric.higher_is_better else -1

    def with_all(self) -> Scored:
        return self.with_heads(np.ones(len(self.opened.heads), dtype=bool))

    def without(self, place: int) -> Scored:
        """Without one head, by its place among `Opened.heads`."""
        kept = np.ones(len(self.opened.heads), dtype=bool)
        kept[place] = False
        return self.with_heads(kept)

    def with_heads(self, kept: np.ndarray) -> Scored:  # (heads,) bool
        key = kept.tobytes()
        if key not in self._known:
            self._known[key] = self._score(kept)
            self.told()
        return self._known[key]

    def _score(self, kept: np.ndarray) -> Scored:
        opened, predictor, part = self.opened, self.opened.predictor, self.opened.on
        with pruned(opened.layers, opened.by_layer(kept)):
            predicted = predictor.decode(part.examples, part.encoded)
        task, ids = predictor.task, part.examples["id"][:]
        answers = Answers(ids, [predicted[id_] for id_ in ids], task.data.gold(part.examples))
        measured = task.metric.measure(answers)
        units = task.units(part.examples)
        return Scored(answers, measured, by_unit(task.metric, ids, units, measured.sample))


def resampled(samples: Sequence[Sample], seed: int) -> Floats | None:  # [S, B]
    """The figures of samples on the same resamples; None where there are too few units."""
    if len(samples[0].units) < FEWEST_UNITS:
        return None
    return resample_together(list(samples), NUM_RESAMPLES, np.random.default_rng(seed))


def interval(values: Floats | None, num_units: int) -> Interval:  # [B]
    return None if values is None else interval_of(values, num_units)


def ends(bounds: Interval) -> tuple[float | None, float | None]:
    return (None, None) if bounds is None else bounds
