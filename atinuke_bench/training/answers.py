"""How the answers of an evaluation differ, whatever a task's answers are, and the floor to compare with.

A core that gives one answer to everything may have a fair score: that of the commonest answer.
"""

from __future__ import annotations

import json
import logging
import math
from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from typing import Any

from datasets import Dataset

from atinuke_bench.data.hold_out import limit_rows
from atinuke_bench.errors import AtinukeBenchError, first_line
from atinuke_bench.training.evaluate import Evaluation, evaluate
from atinuke_bench.training.prepare import PreparedRun

log = logging.getLogger(__name__)


def spread_of(answers: Iterable[Any]) -> dict[str, float]:
    """`entropy` of answers in nats, and `commonest`, the share of the one that is given most; of none no figure.

    Answers are as they are stored. A number counts as the nearest of two digits: two of a regression are never equal.

    >>> spread_of(["yes", "yes", "no", "yes"])
    {'entropy': 0.5623351446188083, 'commonest': 0.75}
    """
    counts = Counter(_key(answer) for answer in answers)
    total = sum(counts.values())
    if not total:
        return {}
    shares = [count / total for count in counts.values()]
    return {"entropy": math.fsum(share * math.log(1 / share) for share in shares), "commonest": max(shares)}


def _key(answer: Any) -> str:
    return f"{answer:.2g}" if isinstance(answer, float) else json.dumps(answer, sort_keys=True)


class AnswerCounts:
    """What an epoch's line says of the answers on the selection slice."""

    def __init__(self, prepared: PreparedRun) -> None:
        self.prepared = prepared

    def record(self, evaluation: Evaluation) -> dict[str, float | None]:
        """The number of answers, how they spread, the commonest right answer's share, and the score of the floor."""
        own = spread_of(row.prediction for row in evaluation.predictions)
        better = {"higher_is_better": self.prepared.task.metric.higher_is_better}
        return {"num": len(evaluation.predictions), **own, **self._of_the_data, **better}

    @cached_property
    def _of_the_data(self) -> dict[str, float | None]:
        """Of the right answers and of the floor; made once, since they are the same at every epoch."""
        task, examples = self.prepared.task, self.prepared.selection_examples
        right = spread_of(task.data.gold(task.data.labelled(examples)))
        return {"commonest_right": right.get("commonest"), "floor": self._floor(examples)}

    def _floor(self, examples: Dataset) -> float | None:
        """The floor's score on the slice, learned from as many examples as the slice has, so that it costs no more.

        None for a loss, which the loss of the training itself shows to fall or not.
        """
        prepared, task = self.prepared, self.prepared.task
        if not task.metric.higher_is_better:
            return None
        train = prepared.train_examples
        if len(train) > len(examples):
            train = train.select(limit_rows(len(train), max(2, len(examples))))
        try:
            figures = evaluate(task, examples, task.floor(train, examples, prepared.run)).figures
        except AtinukeBenchError as error:
            log.warning("the floor on the selection slice is unknown: %s", first_line(error))
            return None
        score = figures.get(task.metric.name)
        return None if score is None else float(score)
