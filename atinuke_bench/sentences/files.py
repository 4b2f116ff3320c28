"""Gold and predictions of two files, joined on the example id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from atinuke_bench.errors import DataError
from atinuke_bench.metrics.metric import Answers, Figures, Metric

Label = int | float


def score_aligned(
    metric: Metric,
    labels: tuple[str, ...] | None,
    gold: Mapping[str, Label],
    predicted: Mapping[str, Label],
    *,
    where: str | None = None,
) -> Figures:
    """The figures of predicted labels, by number or as scores, and `total`, the number of examples; DataError."""
    answers = align(gold, predicted, where=where)
    if labels is not None:
        predictions, truth = ([labels[int(label)] for label in side] for side in (answers.predicted, answers.gold))
        answers = Answers(answers.ids, predictions, truth)
    return {**metric.measure(answers).figures, "total": len(answers)}


def align(gold: Mapping[str, Label], predicted: Mapping[str, Label], *, where: str | None = None) -> Answers:
    """Join gold and predicted labels on the example id.

    Examples without a gold label (-1, NaN) are left out and may have a prediction or none. Raises DataError, its place
    being `where`, when an example has no prediction, when a prediction belongs to no example, or when none is labelled.

    >>> align({"a": 0, "b": 1, "c": -1}, {"b": 1, "a": 1}).predicted
    [1, 1]
    """
    return join({identifier: label if label >= 0 else None for identifier, label in gold.items()}, predicted, where)


def join(gold: Mapping[str, Any], predicted: Mapping[str, Any], where: str | None = None) -> Answers:
    """The same of any labels, of which None is not known.

    >>> join({"a": "yes", "b": None}, {"a": "no"}).gold
    ['yes']
    """
    ids = tuple(identifier for identifier, label in gold.items() if label is not None)
    if not ids:
        raise DataError("no example has a gold label, so nothing can be scored", path=where)
    _require_none("every example needs a prediction; without one", [i for i in ids if i not in predicted], where)
    _require_none("every prediction needs an example; unknown", [i for i in predicted if i not in gold], where)
    return Answers(ids, [predicted[i] for i in ids], [gold[i] for i in ids])


def _require_none(rule: str, ids: list[str], where: str | None) -> None:
    if ids:
        shown = ", ".join(repr(identifier) for identifier in ids[:5])
        more = f" and {len(ids) - 5} more" if len(ids) > 5 else ""
        raise DataError(f"{rule}: {shown}{more}", path=where)
