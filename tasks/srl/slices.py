"""Scores of semantic roles by role, and by how far an argument is from its predicate."""

from __future__ import annotations

from datasets import Dataset

from atinuke_bench.metrics.metric import Answers, Measured
from atinuke_bench.tasks.srl.totals import Counts
from atinuke_bench.training.task import Slices


def by_role_and_distance(examples: Dataset, answers: Answers, measured: Measured) -> Slices:
    """F1, precision and recall with the number of gold arguments; `V` is shown, though the score leaves it out."""
    totals = measured.details
    return {
        "role": {role: _slice(counts) for role, counts in (totals.roles | totals.excluded).items()},
        "words between predicate and argument": {name: _slice(counts) for name, counts in totals.distances.items()},
    }


def _slice(counts: Counts) -> dict[str, float | None]:
    return {
        "f1": counts.f1,
        "precision": counts.precision,
        "recall": counts.recall,
        "num": counts.correct + counts.missed,
    }
