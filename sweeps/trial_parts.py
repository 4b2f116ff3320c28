"""What a trial of several parts keeps of each: `parts` among its attributes, one record a part that has begun.

    {"part": its label, "folder": run folder as the store names it, "training_flops": …,
     "score": …, "floor": …, "cost": {…}}

Score, floor and cost are there once the part has finished. A trial of one part needs none of it: it has `folder` alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from optuna.trial import FrozenTrial

from atinuke_bench.sweeps.definition import StudyConfig
from atinuke_bench.sweeps.parts import Scored, together, value_of
from atinuke_bench.sweeps.race import is_score

Record = dict[str, Any]


def records_of(trial: FrozenTrial) -> list[Record]:
    """What is kept of each part."""
    return [dict(record) for record in trial.user_attrs.get("parts", [])]


def value_at(config: StudyConfig, trial: FrozenTrial, place: int, now: Scored) -> float | None:
    """The value of a part's score with those of the parts of its share before it; None where one is missing."""
    places = together(place, config.parts)
    records = records_of(trial)
    scored = []
    for other in places[:-1]:
        if other >= len(records) or records[other].get("score") is None:
            return None
        scored.append(Scored(records[other]["score"], records[other].get("floor")))
    return value_of([config.parts[other] for other in places], [*scored, now], config.aggregate)


def best_so_far(history: Iterable[Record], *, higher_is_better: bool) -> Iterator[tuple[int, float]]:
    """Step (epochs done) and best finite score up to it.

    >>> history = [{"epoch": epoch, "score": score} for epoch, score in enumerate([None, 50.0, 40.0, 60.0])]
    >>> list(best_so_far(history, higher_is_better=True))
    [(2, 50.0), (3, 50.0), (4, 60.0)]
    """
    best: float | None = None
    for record in history:
        score = record["score"]
        if is_score(score):
            is_better = best is None or (score > best) == higher_is_better
            best = score if is_better else best
        if best is not None:
            yield record["epoch"] + 1, best


def with_cost(trial: FrozenTrial, place: int, training_flops: float) -> Record:
    """Attributes of a trial once a part has cost so much."""
    records = records_of(trial)
    if place >= len(records):
        return {"training_flops": training_flops}
    records[place]["training_flops"] = training_flops
    return {"parts": records, "training_flops": sum(record.get("training_flops", 0) for record in records)}


def with_score(trial: FrozenTrial, place: int, scored: Scored, cost: Mapping[str, Any]) -> list[Record]:
    """The records of a trial whose part has finished."""
    records = records_of(trial)
    records[place] |= {"score": scored.score, "floor": scored.floor, "cost": dict(cost)}
    return records


def dearest(costs: Sequence[Mapping[str, Any]]) -> Record:
    """Of each cost of the last run the highest of all; None where one of them does not say it.

    >>> dearest([{"parameters": 30, "latency_seconds": None}, {"parameters": 20, "latency_seconds": 0.1}])
    {'parameters': 30, 'latency_seconds': None}
    """
    found: dict[str, list[Any]] = {name: [cost.get(name) for cost in costs] for name in costs[-1]}
    return {name: None if None in own else max(own) for name, own in found.items()}


def folders_of(trial: FrozenTrial) -> list[str]:
    """The run folders of a trial's parts so far, as the store names them."""
    kept = trial.user_attrs
    if "parts" in kept:
        return [part["folder"] for part in kept["parts"]]
    return [kept["folder"]] if "folder" in kept else []
