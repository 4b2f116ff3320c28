"""Stored predictions as the samples of their task's metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from atinuke_bench import registry
from atinuke_bench.errors import AtinukeBenchError
from atinuke_bench.metrics.metric import Metric, Sample
from atinuke_bench.metrics.units import by_unit

from ..reading.frame import Frame

Units = tuple[str | None, ...]


class ContradictedError(ValueError):
    """A run's predictions do not give the score that it recorded."""


@dataclass(frozen=True)
class StoredSample:
    """What a metric makes of the predictions of a run, and the units of these that the run recorded, if it did."""

    metric: Metric
    ids: tuple[str, ...]
    units: Units | None
    sample: Sample

    def by_unit(self, units: Sequence[str | None] | None) -> Sample:
        """The sample that draws these units of the examples."""
        return by_unit(self.metric, self.ids, units, self.sample)


def read_sample(frame: Frame, run: int) -> StoredSample:
    """The sample of a run's predictions; RunFolderError, or ValueError as in `sample_of`."""
    task, metric, score = (frame.value(run, name) for name in ("task", "metric", "score"))
    return sample_of(frame.predictions(run), task, metric, score)


def sample_of(predictions: pa.Table, task: str, metric: str, recorded: float) -> StoredSample:
    """The sample of predictions (id, prediction, gold, score, unit; by id) whose value is the recorded score.

    ValueError with the reason where there is none; statistics of another figure would be shown under this one's name.
    """
    if not len(predictions):
        raise ValueError("no scored predictions")
    try:
        judge: Metric = registry.load_metric(task, metric)
        answers = judge.read(predictions.to_pydict())
        sample = judge.sample(answers)
        value = sample.value()
    except AtinukeBenchError as error:
        raise ValueError(f"not tested: {error}") from error
    # A plug-in's metric may fail in any way; the report is made of the other runs.
    except Exception as error:
        raise ValueError(f"not tested: {metric} of {task} failed ({type(error).__name__}: {error})") from error
    if not abs(value - recorded) < 1e-6:
        shown = f"{recorded:.4f}; they give {value:.4f}"
        raise ContradictedError(f"the predictions do not give the recorded {metric} {shown}")
    units = None if answers.units is None or not any(answers.units) else tuple(answers.units)
    return StoredSample(judge, tuple(answers.ids), units, sample)
