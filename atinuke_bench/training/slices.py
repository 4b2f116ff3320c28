"""Scores of parts of a split by a column of its data, for any metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from datasets import Dataset

from atinuke_bench.metrics.metric import Answers, Measured, Metric
from atinuke_bench.training.task import Members, Slicer, Slices

#: How the columns that hold slices begin.
SLICE = "slice "
#: What an empty value is called.
_NONE = "none"


def with_columns(inner: Slicer | None, metric: Metric, columns: Mapping[str | int, str]) -> Slicer | None:
    """A slicer that adds to another one's slices those of some columns: name of the slice -> column of the examples."""
    if not columns:
        return inner

    def slices(examples: Dataset, answers: Answers, measured: Measured) -> Slices:
        found = {} if inner is None else inner(examples, answers, measured)
        for name, column in columns.items():
            found[str(name)] = _by_value(metric, answers, examples[column][:])
        return found

    return slices


def members_with_columns(inner: Members | None, columns: Mapping[str | int, str]) -> Members:
    """What says of each example which of the slices of `with_columns` it lies in."""

    def members(examples: Dataset, gold: Sequence[Any]) -> list[dict[str, list[str]]]:
        found = [{} for _ in gold] if inner is None else inner(examples, gold)
        for name, column in columns.items():
            for own, value in zip(found, examples[column][:], strict=True):
                own[str(name)] = [value or _NONE]
        return found

    return members


def _by_value(metric: Metric, answers: Answers, values: list[str]) -> dict[str, dict[str, float | None]]:
    """The metric's figures of the examples with each value, in order of value, and how many these are."""
    members: dict[str, list[int]] = {}
    for place, value in enumerate(values):
        members.setdefault(value or _NONE, []).append(place)
    return {
        value: {**metric.measure(_only(answers, places)).figures, "num": len(places)}
        for value, places in sorted(members.items())
    }


def _only(answers: Answers, places: list[int]) -> Answers:
    ids, predicted, gold = (
        [column[place] for place in places] for column in (answers.ids, answers.predicted, answers.gold)
    )
    return Answers(ids, predicted, gold)
