"""What one trial carries out: a run of each task of its study, before them runs on less data where the study has these.

Letters in comments: T tasks of a study.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from atinuke_bench.config import Declaration, Frozen

#: How the scores of several tasks become one. `normalised`: each as a share of the way from the floor's score to the
#: highest there is, in percent, so that a task whose floor is high weighs no less; `mean`: as they are, as GLUE does.
Aggregate = Literal["normalised", "mean"]


class StudyTask(Frozen):
    """A task of a study, with what task and config say, kept so that a study can be read without loading the task."""

    task: str
    #: What the task is, where a file declares it, so that every process that joins has it.
    declaration: Declaration | None = Field(None, exclude_if=lambda declared: declared is None)
    metric: str
    higher_is_better: bool
    max_epochs: int
    #: The highest value of the metric; None where it has none.
    highest: float | None = 100.0


@dataclass(frozen=True)
class Part:
    """One run of a trial."""

    task: StudyTask
    #: Of the train data; None for all that the study trains on.
    share: float | None = None

    @property
    def label(self) -> str:
        """
        >>> snli = StudyTask(task="snli", metric="accuracy", higher_is_better=True, max_epochs=5)
        >>> Part(snli).label, Part(snli, 0.25).label
        ('snli', 'snli on 0.25 of the data')
        """
        return self.task.task if self.share is None else f"{self.task.task} on {self.share:g} of the data"


@dataclass(frozen=True)
class Scored:
    """The selection score of a part, and the floor's on the same slice, where that has one.

    Of a floor without a score, as of a constant answer that correlates with nothing, 0 stands for it.
    """

    score: float
    floor: float | None


def plan_parts(tasks: Sequence[StudyTask], shares: Sequence[float]) -> tuple[Part, ...]:
    """The parts of every trial in their order: each share of the data over all tasks, the smallest first, then all."""
    return tuple(Part(task, share) for share in (*sorted(shares), None) for task in tasks)


def weights(parts: Sequence[Part], scored: Sequence[Scored], aggregate: Aggregate) -> list[float] | None:
    """What a point of each part's score adds to the value of the parts together; None where a metric has no highest
    value above its floor.

    >>> snli = StudyTask(task="snli", metric="accuracy", higher_is_better=True, max_epochs=5)
    >>> [weights([Part(snli)] * 2, [Scored(66, 33), Scored(75, 50)], kind) for kind in ("mean", "normalised")][0]
    [0.5, 0.5]
    """
    if len(parts) == 1 or aggregate == "mean":
        return [1 / len(parts)] * len(parts)
    found = []
    for part, own in zip(parts, scored, strict=True):
        floor = own.floor or 0.0
        if part.task.highest is None or floor >= part.task.highest:
            return None
        found.append(100.0 / (part.task.highest - floor) / len(parts))
    return found


def value_of(parts: Sequence[Part], scored: Sequence[Scored], aggregate: Aggregate) -> float | None:
    """The value of parts of one share together: of one part its score; None where it cannot be computed.

    >>> snli = StudyTask(task="snli", metric="accuracy", higher_is_better=True, max_epochs=5)
    >>> value_of([Part(snli)] * 2, [Scored(60, 20), Scored(75, 50)], "normalised")
    50.0
    """
    own = weights(parts, scored, aggregate)
    if own is None:
        return None
    if len(parts) == 1:
        return scored[0].score
    above = [one.score - (one.floor or 0.0 if aggregate == "normalised" else 0.0) for one in scored]
    value = math.fsum(weight * score for weight, score in zip(own, above, strict=True))
    return round(value, 10)


def measure_of(tasks: Sequence[StudyTask], aggregate: Aggregate) -> str:
    """What trials are ranked by, in words."""
    if len(tasks) == 1:
        return tasks[0].metric
    return f"mean of {'normalised ' if aggregate == 'normalised' else ''}scores of {len(tasks)} tasks"


def together(place: int, parts: Sequence[Part]) -> Sequence[int]:
    """The places of the parts of the same share up to `place`: those whose scores make a value there."""
    return [other for other in range(place + 1) if parts[other].share == parts[place].share]


def floor_of(history: Sequence[Mapping[str, object]]) -> float | None:
    """The floor on the selection slice, as a run's history has it."""
    answers = history[0].get("answers") if history else None
    floor = answers.get("floor") if isinstance(answers, dict) else None
    return float(floor) if isinstance(floor, int | float) else None
