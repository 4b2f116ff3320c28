"""From predictions to what is kept of them: figures, rows, slices. Every example is counted once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from datasets import Dataset

from atinuke_bench.metrics.metric import Answers, Figures, Sample
from atinuke_bench.metrics.units import by_unit, unit_names, unit_noun
from atinuke_bench.training.task import Slices, Task


@dataclass(frozen=True)
class Prediction:
    """One evaluated example: its id, what was predicted, what is right (None when unknown), and its own score.

    `unit` is what it is drawn with when the score is resampled, where the data names that.
    """

    id: str
    prediction: Any
    gold: Any
    score: float | None
    unit: str | None = None

    def as_row(self, split: str) -> dict[str, Any]:
        """The row of `predictions.parquet`; anything but text is stored as JSON."""
        return {
            "split": split,
            "id": self.id,
            "prediction": _as_text(self.prediction),
            "gold": None if self.gold is None else _as_text(self.gold),
            "score": self.score,
            "unit": self.unit,
        }


@dataclass(frozen=True)
class Evaluation:
    """The predictions of a split, and their figures where it has labels; `sample` draws units, for intervals."""

    predictions: list[Prediction]
    figures: Figures = field(default_factory=dict)
    sample: Sample | None = None
    #: What the units of the sample are called.
    unit: str = ""
    #: The metric's own sample, which draws examples, and the unit that each lies in.
    members: Sample | None = None
    units: Sequence[str] = ()
    slices: Slices = field(default_factory=dict)
    #: Of the split's tokens, those that are [UNK]; None where no tokenizer was used.
    unknown_percent: float | None = None


def evaluate(task: Task, examples: Dataset, predictions: Mapping[str, Any]) -> Evaluation:
    """What predictions, one for each example id, are worth; an internal error when the ids are not the same."""
    ids = examples["id"][:]
    assert len(predictions) == len(ids), f"{len(predictions)} predictions for {len(ids)} examples"
    labelled = task.data.labelled(examples)
    stored = {id_: task.metric.to_stored(predictions[id_]) for id_ in ids}
    if not len(labelled):
        return Evaluation([Prediction(id_, stored[id_], None, None) for id_ in ids])
    scored = labelled["id"][:]
    units = task.units(labelled)
    answers = Answers(scored, [predictions[id_] for id_ in scored], task.data.gold(labelled), units=units)
    measured = task.metric.measure(answers)
    columns = answers.gold, measured.scores, units or [None] * len(scored)
    known = dict(zip(scored, zip(*columns, strict=True), strict=True))
    return Evaluation(
        [Prediction(id_, stored[id_], *known.get(id_, (None, None))) for id_ in ids],
        measured.figures,
        by_unit(task.metric, scored, units, measured.sample),
        unit_noun(task.metric, units, None if task.unit is None else task.unit.noun),
        measured.sample,
        unit_names(task.metric, scored, units, measured.sample),
        {} if task.slices is None else task.slices(labelled, answers, measured),
    )


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
