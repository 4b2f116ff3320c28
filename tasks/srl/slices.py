"""Scores of semantic roles by role, and by how far an argument is from its predicate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from datasets import Dataset

from atinuke_bench.metrics.metric import Answers, Measured
from atinuke_bench.tasks.srl.events import EXCLUDED_ROLES
from atinuke_bench.tasks.srl.totals import Counts, distance_slice
from atinuke_bench.training.task import Slices


def by_role_and_distance(examples: Dataset, answers: Answers, measured: Measured) -> Slices:
    """F1, precision and recall with the number of gold arguments; `V` is shown, though the score leaves it out."""
    totals = measured.details
    return {
        "role": {role: _slice(counts) for role, counts in (totals.roles | totals.excluded).items()},
        "words between predicate and argument": {name: _slice(counts) for name, counts in totals.distances.items()},
    }


def roles_and_distances_of(examples: Dataset, gold: Sequence[Any]) -> list[dict[str, list[str]]]:
    """The slices that the arguments of each predicate lie in."""
    found = []
    for predicate, spans in zip(examples["predicate"][:], gold, strict=True):
        roles = {role.removeprefix("C-") for _, _, role in spans}
        apart = [
            max(start - predicate - 1, predicate - end - 1, 0)
            for start, end, role in spans
            if role not in EXCLUDED_ROLES
        ]
        distances = sorted(set(map(distance_slice, apart)))
        found.append({"role": sorted(roles), "words between predicate and argument": distances})
    return found


def _slice(counts: Counts) -> dict[str, float | None]:
    return {
        "f1": counts.f1,
        "precision": counts.precision,
        "recall": counts.recall,
        "num": counts.correct + counts.missed,
    }
