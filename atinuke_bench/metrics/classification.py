"""Metrics of classification and similarity tasks, by the official definitions of GLUE and SNLI.

All are percentages: accuracy and F1 from 0 to 100, correlations from -100 to 100, which is how GLUE prints them (its
matthews_correlation, pearson and spearman times 100). What cannot be computed is None, never 0 or NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from atinuke_bench.metrics.display import NumberDisplay
from atinuke_bench.metrics.metric import Answers, Floats, Measured, Metric, Sample, SumSample, mean_sample, ratio


def accuracy(gold: ArrayLike, predicted: ArrayLike) -> float:
    """Share of labels that are right.

    >>> accuracy([0, 1, 2, 2], [0, 1, 2, 0])
    75.0
    """
    gold, predicted = _labels(gold, predicted)
    return 100.0 * float(np.mean(gold == predicted))


def f1(gold: ArrayLike, predicted: ArrayLike) -> float:
    """F1 of what is labelled 1 rather than 0; 0 when none of it is found, as in GLUE's scorer.

    >>> f1([1, 1, 0, 0], [1, 0, 1, 0])
    50.0
    """
    gold, predicted = _labels(gold, predicted)
    assert max(gold.max(), predicted.max()) <= 1, "F1 is of one class against the rest; name it, as ClassMetric does"
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
    # Not scipy's `pearsonr`: it warns of constant series, refuses one number, overflows at 1e308 and loses digits at
    # 1e-320.
    one, other = _direction(gold), _direction(predicted)
    assert np.shape(gold) == np.shape(predicted), f"shapes {np.shape(gold)} and {np.shape(predicted)}"
    if one is None or other is None:
        return None
    return 100.0 * min(max(float(np.dot(one, other)), -1.0), 1.0)


def spearman(gold: ArrayLike, predicted: ArrayLike) -> float | None:
    """Correlation of the ranks of two series, ties sharing their average rank; None as in `pearson`.

    >>> round(spearman([0, 1, 2, 3], [0.1, 0.2, 30.0, 4.0]), 6), spearman([0, 1, 2], [4, 4, 4])
    (80.0, None)
    """
    if not (np.isfinite(gold).all() and np.isfinite(predicted).all()):
        return None
    from scipy.stats import rankdata  # a second to load, which no other metric should wait for

    return pearson(rankdata(gold), rankdata(predicted))


def macro_f1(gold: ArrayLike, predicted: ArrayLike) -> float:
    """Mean of the F1 of every class that is right or predicted anywhere, as scikit-learn's `f1_score` has it.

    >>> macro_f1([0, 0, 1, 1], [0, 1, 1, 1])
    73.33333333333334
    """
    gold, predicted = _labels(gold, predicted)
    num_classes = int(max(gold.max(), predicted.max())) + 1
    of_gold, of_predicted = np.bincount(gold, minlength=num_classes), np.bincount(predicted, minlength=num_classes)
    right = np.bincount(gold[gold == predicted], minlength=num_classes)
    occurs = of_gold + of_predicted > 0
    return 100.0 * float(np.mean(2 * right[occurs] / (of_gold + of_predicted)[occurs]))


#: The figures by their official names, as scorers print them.
FIGURES: dict[str, Callable[[ArrayLike, ArrayLike], float | None]] = {
    "accuracy": accuracy,
    "f1": f1,
    "macro_f1": macro_f1,
    "matthews_correlation": matthews_correlation,
    "pearson": pearson,
    "spearman": spearman,
}


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
    # Scaled twice, so that squares of huge and tiny numbers stay in the range of a float.
    scaled = values / np.abs(values).max()
    deviations = scaled - scaled.mean()
    widest = np.abs(deviations).max()
    if widest == 0:
        return None
    deviations /= widest
    return deviations / np.linalg.norm(deviations)


def _dot(left: Sequence[int], right: Sequence[int]) -> int:
    return sum(a * b for a, b in zip(left, right, strict=True))


# --- metric objects ---------------------------------------------------------------------------------------------------


def _bare(name: str) -> str:
    """The figure that a name is of, without the class."""
    return name.partition("(")[0]


@dataclass(frozen=True)
class ClassMetric(Metric):
    """Accuracy, F1 of one class or of all, or Matthews' correlation, of labels by name.

    `beside` names further figures. Where the name says which class it is of, as `f1(spam)` does, so does the figure's.
    """

    name: str
    beside: tuple[str, ...] = ()
    #: The class that F1 is of; there is no F1 without it.
    positive: str | None = None

    def __post_init__(self) -> None:
        names = (self.name, *self.beside)
        known = {"accuracy", "f1", "macro_f1", "matthews_correlation"}
        assert {_bare(name) for name in names} <= known, f"no such figure among {names}"
        assert "f1" not in map(_bare, names) or self.positive is not None, "F1 is of one class, which `positive` names"

    @property
    def bounds(self) -> tuple[float, float]:  # type: ignore[override]
        return (-100.0 if self.name == "matthews_correlation" else 0.0), 100.0

    def measure(self, answers: Answers) -> Measured:
        gold, predicted = np.asarray(answers.gold), np.asarray(answers.predicted)
        classes, codes = np.unique(np.concatenate([gold, predicted]), return_inverse=True)
        sides = codes[: len(gold)], codes[len(gold) :]
        is_positive = gold == self.positive, predicted == self.positive
        figures = {
            name: FIGURES[_bare(name)](*(is_positive if _bare(name) == "f1" else sides))
            for name in (self.name, *self.beside)
        }
        right = (gold == predicted).astype(np.float64)
        samples: dict[str, Callable[[], Sample]] = {
            "accuracy": lambda: mean_sample(answers.ids, right.tolist()),
            "f1": lambda: _f1_sample(answers.ids, *is_positive),
            "macro_f1": lambda: _macro_f1_sample(answers.ids, *sides, len(classes)),
            "matthews_correlation": lambda: _matthews_sample(answers.ids, *sides, len(classes)),
        }
        return Measured(figures, right.tolist(), samples[_bare(self.name)]())

    def from_stored(self, prediction: str, gold: str) -> tuple[str, str]:
        return prediction, gold


@dataclass(frozen=True)
class CorrelationMetric(Metric):
    """Pearson's or Spearman's correlation of scores; `beside` names further figures."""

    name: str
    beside: tuple[str, ...] = ()
    bounds = (-100.0, 100.0)
    display = NumberDisplay()

    def measure(self, answers: Answers) -> Measured:
        gold, predicted = (np.asarray(side, dtype=np.float64) for side in (answers.gold, answers.predicted))
        figures = {name: FIGURES[name](gold, predicted) for name in (self.name, *self.beside)}
        sample: Sample
        if self.name == "spearman":
            sample = RankSample(tuple(answers.ids), gold, predicted)
        else:
            sample = _pearson_sample(answers.ids, gold, predicted)
        return Measured(figures, [None] * len(answers), sample)

    def from_stored(self, prediction: str, gold: str) -> tuple[float, float]:
        return float(prediction), float(gold)


@dataclass(frozen=True)
class RankSample(Sample):
    """Spearman's correlation, which is no function of sums: values are ranked within each resample."""

    units: tuple[str, ...]
    gold: Floats  # [N]
    predicted: Floats  # [N]

    def values(self, weights: Floats) -> Floats:
        x, y = (_weighted_ranks(series, weights) for series in (self.gold, self.predicted))
        sums = [(weights * part).sum(axis=1) for part in (np.ones_like(x), x, y, x * x, y * y, x * y)]
        return _correlation(np.stack(sums, axis=1))


def _f1_sample(ids: Sequence[str], gold: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> SumSample:
    statistics = np.stack([2.0 * (gold & predicted), 1.0 * gold + predicted], axis=1)
    return SumSample(tuple(ids), statistics, lambda sums: 100 * ratio(sums[:, 0], sums[:, 1]))


def _matthews_sample(
    ids: Sequence[str], gold: NDArray[np.int64], predicted: NDArray[np.int64], num_classes: int
) -> SumSample:
    statistics = np.zeros((len(gold), num_classes**2))
    statistics[np.arange(len(gold)), gold * num_classes + predicted] = 1.0

    def finish(sums: Floats) -> Floats:
        table = sums.reshape(-1, num_classes, num_classes)
        total = table.sum(axis=(1, 2))
        of_gold, of_predicted = table.sum(axis=2), table.sum(axis=1)
        covariance = np.trace(table, axis1=1, axis2=2) * total - (of_gold * of_predicted).sum(axis=1)
        variances = [total**2 - (side**2).sum(axis=1) for side in (of_gold, of_predicted)]
        return 100 * ratio(covariance, np.sqrt(variances[0] * variances[1]))

    return SumSample(tuple(ids), statistics, finish)


def _macro_f1_sample(
    ids: Sequence[str], gold: NDArray[np.int64], predicted: NDArray[np.int64], num_classes: int
) -> SumSample:
    # For each class: how often it is right and predicted, and how often it is either, counted twice where it is both.
    rows = np.arange(len(gold))
    hits, claims = np.zeros((len(gold), num_classes)), np.zeros((len(gold), num_classes))
    hits[rows, gold] = gold == predicted
    claims[rows, gold] += 1
    claims[rows, predicted] += 1

    def finish(sums: Floats) -> Floats:
        both, either = sums[:, :num_classes], sums[:, num_classes:]
        return 100 * ratio(ratio(2 * both, either).sum(axis=1), (either > 0).sum(axis=1).astype(np.float64))

    return SumSample(tuple(ids), np.concatenate([hits, claims], axis=1), finish)


def _pearson_sample(ids: Sequence[str], gold: Floats, predicted: Floats) -> SumSample:
    gold, predicted = gold - gold.mean(), predicted - predicted.mean()
    parts = [np.ones_like(gold), gold, predicted, gold**2, predicted**2, gold * predicted]
    return SumSample(tuple(ids), np.stack(parts, axis=1), _correlation)


def _weighted_ranks(series: Floats, weights: Floats) -> Floats:  # [N], [B, N] -> [B, N]
    """The mean rank of each unit's value when unit n occurs weights[b, n] times."""
    levels, level = np.unique(series, return_inverse=True)
    order = np.argsort(level, kind="stable")
    starts = np.searchsorted(level[order], np.arange(len(levels)))
    counts = np.add.reduceat(weights[:, order], starts, axis=1)  # [B, levels]
    return (np.cumsum(counts, axis=1) - (counts - 1) / 2)[:, level]


def _correlation(sums: Floats) -> Floats:  # [B, 6] -> [B]
    num, x, y, xx, yy, xy = sums.T
    variances = (num * xx - x * x) * (num * yy - y * y)
    # A constant series has a variance of rounding errors.
    known = variances > 1e-18 * np.abs(num * xx * num * yy)
    return 100 * np.divide(num * xy - x * y, np.sqrt(np.abs(variances)), out=np.full(len(sums), np.nan), where=known)
