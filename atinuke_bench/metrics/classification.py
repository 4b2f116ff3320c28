"""Metrics of classification and similarity tasks, by the official definitions of GLUE and SNLI.

All are percentages: accuracy and F1 from 0 to 100, correlations from -100 to 100, which is how GLUE prints them (its
matthews_correlation, pearson and spearman times 100). What cannot be computed is None, never 0 or NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from atinuke_bench.errors import DataError

Label = int | float


def accuracy(gold: ArrayLike, predicted: ArrayLike) -> float:
    """Share of labels that are right.

    >>> accuracy([0, 1, 2, 2], [0, 1, 2, 0])
    75.0
    """
    gold, predicted = _labels(gold, predicted)
    return 100.0 * float(np.mean(gold == predicted))


def f1(gold: ArrayLike, predicted: ArrayLike) -> float:
    """F1 of the class 1 (paraphrase, duplicate); 0 when no example of it is found, as in GLUE's scorer.

    >>> f1([1, 1, 0, 0], [1, 0, 1, 0])
    50.0
    """
    gold, predicted = _labels(gold, predicted)
    num_right = int(np.sum((gold == 1) & (predicted == 1)))
    num_claimed_or_true = int(np.sum(gold == 1) + np.sum(predicted == 1))
    return 100.0 * 2 * num_right / num_claimed_or_true if num_claimed_or_true else 0.0


def matthews_correlation(gold: ArrayLike, predicted: ArrayLike) -> float:
    """Correlation of two labellings of any number of classes; 0 when one side is constant.

    For two classes it is Matthews' coefficient (1975), for more Gorodkin's R_K (2004), as in GLUE's scorer.

    >>> matthews_correlation([1, 1, 0, 0], [1, 1, 1, 0]), matthews_correlation([1, 1, 0, 0], [1, 1, 1, 1])
    (57.73502691896258, 0.0)
    """
    gold, predicted = _labels(gold, predicted)
    num_classes = int(max(gold.max(), predicted.max())) + 1
    # Python's integers, since the products below overflow 64 bits on a set as large as MNLI.
    of_gold = [int(count) for count in np.bincount(gold, minlength=num_classes)]
    of_predicted = [int(count) for count in np.bincount(predicted, minlength=num_classes)]
    total = len(gold)
    covariance = int(np.sum(gold == predicted)) * total - _dot(of_gold, of_predicted)
    variances = (total**2 - _dot(of_gold, of_gold)) * (total**2 - _dot(of_predicted, of_predicted))
    return 100.0 * covariance / math.sqrt(variances) if variances else 0.0


def pearson(gold: ArrayLike, predicted: ArrayLike) -> float | None:
    """Linear correlation of two series of numbers; None when one is constant or holds a number that is not finite.

    >>> round(pearson([0, 1, 2, 1], [1, 3, 3, 3]), 6), pearson([0, 1, 2], [4, 4, 4])
    (81.649658, None)
    """
    directions = _direction(gold), _direction(predicted)
    assert np.shape(gold) == np.shape(predicted), f"shapes {np.shape(gold)} and {np.shape(predicted)}"
    if directions[0] is None or directions[1] is None:
        return None
    return 100.0 * min(max(float(np.dot(*directions)), -1.0), 1.0)


def spearman(gold: ArrayLike, predicted: ArrayLike) -> float | None:
    """Correlation of the ranks of two series, ties sharing their average rank; None as in `pearson`.

    >>> round(spearman([0, 1, 2, 3], [0.1, 0.2, 30.0, 4.0]), 6), spearman([0, 1, 2], [4, 4, 4])
    (80.0, None)
    """
    if not (np.isfinite(gold).all() and np.isfinite(predicted).all()):
        return None
    return pearson(average_ranks(gold), average_ranks(predicted))


def average_ranks(values: ArrayLike) -> NDArray[np.float64]:
    """Ranks from 1; equal values share the mean of the ranks they take up.

    >>> average_ranks([10, 30, 20, 20]).tolist()
    [1.0, 4.0, 2.5, 2.5]
    """
    _, inverse, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]


#: The official name of each metric, as scorers print it.
METRICS: dict[str, Callable[[ArrayLike, ArrayLike], float | None]] = {
    "accuracy": accuracy,
    "f1": f1,
    "matthews_correlation": matthews_correlation,
    "pearson": pearson,
    "spearman": spearman,
}


def compute(names: Iterable[str], gold: ArrayLike, predicted: ArrayLike) -> dict[str, float | None]:
    """Several metrics of the same predictions by name.

    >>> compute(["accuracy", "f1"], [1, 0], [1, 1])
    {'accuracy': 50.0, 'f1': 66.66666666666667}
    """
    return {name: METRICS[name](gold, predicted) for name in names}


def _labels(gold: ArrayLike, predicted: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    pair = np.asarray(gold, dtype=np.int64), np.asarray(predicted, dtype=np.int64)
    assert pair[0].shape == pair[1].shape == (len(pair[0]),), f"shapes {pair[0].shape} and {pair[1].shape}"
    assert len(pair[0]) > 0, "no examples"
    assert min(pair[0].min(), pair[1].min()) >= 0, "an unlabelled example cannot be scored"
    return pair


def _direction(series: ArrayLike) -> NDArray[np.float64] | None:
    """The deviations from the mean, scaled to length 1; None when there are none."""
    values = np.asarray(series, dtype=np.float64)
    if not np.isfinite(values).all() or len(values) == 0 or (values == values[0]).all():
        return None
    # Scaled twice, so that neither huge nor tiny numbers leave the range of a float when they are squared.
    scaled = values / np.abs(values).max()
    deviations = scaled - scaled.mean()
    widest = np.abs(deviations).max()
    if widest == 0:
        return None
    deviations /= widest
    return deviations / np.linalg.norm(deviations)


def _dot(left: Sequence[int], right: Sequence[int]) -> int:
    return sum(a * b for a, b in zip(left, right, strict=True))


# --- gold and predictions of two files --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Aligned:
    """Gold and predicted labels of the same examples, in the order of the gold ones."""

    ids: tuple[str, ...]
    gold: NDArray[np.float64] | NDArray[np.int64]
    predicted: NDArray[np.float64] | NDArray[np.int64]


def align(gold: Mapping[str, Label], predicted: Mapping[str, Label], *, where: str | None = None) -> Aligned:
    """Join gold and predicted labels on the example id.

    Examples without a gold label (-1, NaN) are left out and may have a prediction or none. Raises DataError, its place
    being `where`, when an example has no prediction, when a prediction belongs to no example, or when none is labelled.

    >>> align({"a": 0, "b": 1, "c": -1}, {"b": 1, "a": 1}).predicted.tolist()
    [1, 1]
    """
    ids = tuple(identifier for identifier, label in gold.items() if label >= 0)
    if not ids:
        raise DataError("no example has a gold label, so nothing can be scored", path=where)
    _require_none("every example needs a prediction; without one", [i for i in ids if i not in predicted], where)
    _require_none("every prediction needs an example; unknown", [i for i in predicted if i not in gold], where)
    return Aligned(ids, np.array([gold[i] for i in ids]), np.array([predicted[i] for i in ids]))


def _require_none(rule: str, ids: list[str], where: str | None) -> None:
    if ids:
        shown = ", ".join(repr(identifier) for identifier in ids[:5])
        more = f" and {len(ids) - 5} more" if len(ids) > 5 else ""
        raise DataError(f"{rule}: {shown}{more}", path=where)


# --- the GLUE average -------------------------------------------------------------------------------------------------

#: Metrics whose mean is a task's part of the average (Wang et al. 2019, section 3). The AX diagnostic has no part.
GLUE_METRICS: dict[str, tuple[str, ...]] = {
    "glue/cola": ("matthews_correlation",),
    "glue/sst2": ("accuracy",),
    "glue/mrpc": ("accuracy", "f1"),
    "glue/qqp": ("accuracy", "f1"),
    "glue/stsb": ("pearson", "spearman"),
    "glue/mnli": ("accuracy_matched", "accuracy_mismatched"),
    "glue/qnli": ("accuracy",),
    "glue/rte": ("accuracy",),
    "glue/wnli": ("accuracy",),
}


@dataclass(frozen=True)
class GlueAverage:
    """The GLUE average, or None with what is missing for it."""

    score: float | None
    missing: tuple[str, ...]


def glue_average(scores: Mapping[str, Mapping[str, float | None]], *, with_wnli: bool) -> GlueAverage:
    """The macro-average over tasks, a task with two metrics counting by their mean; None unless all are there.

    >>> glue_average({"glue/cola": {"matthews_correlation": 50.0}}, with_wnli=False).missing[:2]
    ('glue/sst2 accuracy', 'glue/mrpc accuracy')
    """
    wanted = {task: names for task, names in GLUE_METRICS.items() if with_wnli or task != "glue/wnli"}
    found = {task: [scores.get(task, {}).get(name) for name in names] for task, names in wanted.items()}
    missing = [
        f"{task} {name}"
        for task, names in wanted.items()
        for name, value in zip(names, found[task], strict=True)
        if value is None or not math.isfinite(value)
    ]
    if missing:
        return GlueAverage(None, tuple(missing))
    return GlueAverage(float(np.mean([np.mean(values) for values in found.values()])), ())
