"""Stored predictions as corpora that can be resampled: the official metric of any multiset of their units.

A unit is what is drawn: an example, a sentence (SRL) or a document (coreference). Letters: B resamples, N units, D
sums. Every corpus answers `values(weights [B, N]) -> [B]`, the metric when unit n occurs weights[b, n] times; NaN
where the metric cannot be computed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from atinuke_bench.tasks.coref.scorer import CONLL_METRICS, count_document
from atinuke_bench.tasks.srl.metric import METRICS

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SumCorpus:
    """A metric that is a function of sums over units: means, F1, Matthews' and Pearson's correlation, CoNLL F1."""

    ids: tuple[str, ...]
    units: Floats  # [N, D]
    finish: Callable[[Floats], Floats]  # [B, D] -> [B]

    def values(self, weights: Floats) -> Floats:
        return self.finish(weights @ self.units)


@dataclass(frozen=True)
class RankCorpus:
    """Spearman's correlation: ranks are those within the resample, ties sharing their mean rank."""

    ids: tuple[str, ...]
    gold: Floats  # [N]
    predicted: Floats  # [N]

    def values(self, weights: Floats) -> Floats:
        x, y = (_weighted_ranks(series, weights) for series in (self.gold, self.predicted))
        sums = [(weights * part).sum(axis=1) for part in (np.ones_like(x), x, y, x * x, y * y, x * y)]
        return _correlation(np.stack(sums, axis=1))


Corpus = SumCorpus | RankCorpus

_DTYPES = {"id": object, "prediction": object, "gold": object, "score": np.float64}


class _Reader(NamedTuple):
    """How the predictions of some metric become a corpus."""

    name: str
    read: Callable[[pd.DataFrame], Corpus]


def corpus_of(predictions: pa.Table | pd.DataFrame, task: str, metric: str, recorded: float) -> Corpus:
    """The corpus of a run's predictions (id, prediction, gold, score) whose metric is the recorded score.

    A metric is tried by its name; ValueError when no reading of the predictions gives the recorded score, since
    statistics of another figure would be shown under this one's name.
    """
    if not len(predictions):
        raise ValueError("no scored predictions")
    # Columns of Python's own strings: readers go through them one by one, which Arrow's are slow at.
    columns = {name: np.asarray(predictions[name], dtype=kind) for name, kind in _DTYPES.items()}
    rows = pd.DataFrame({name: pd.Series(values, dtype=_DTYPES[name]) for name, values in columns.items()})
    ordered = rows if rows["id"].is_monotonic_increasing else rows.sort_values("id", kind="stable")
    found = []
    for reader in _readers(task, metric):
        try:
            corpus = reader.read(ordered)
        except (ValueError, TypeError, KeyError, IndexError):
            continue
        value = float(corpus.values(np.ones((1, len(corpus.ids))))[0])
        if abs(value - recorded) < 1e-6:
            return corpus
        found.append(f"{reader.name} {value:.4f}")
    shown = f": {', '.join(found)}" if found else ""
    raise ValueError(f"the predictions do not give the recorded {metric} {recorded:.4f}{shown}")


def _readers(task: str, metric: str) -> list[_Reader]:
    family = task.partition("/")[0]
    means = [_Reader("mean score in %", _mean(100.0)), _Reader("mean score", _mean(1.0))]
    by_name = {
        "matthews_correlation": [_Reader("Matthews' correlation", _matthews)],
        "pearson": [_Reader("Pearson's correlation", _pearson)],
        "spearman": [_Reader("Spearman's correlation", _spearman)],
        "conll_f1": [_Reader("CoNLL F1", _conll)],
        "bits_per_byte": [_Reader("bits per byte", _per_unit("gold", "bytes", 1 / math.log(2)))],
        "masked_loss": [_Reader("loss of masked tokens", _per_unit("prediction", "scored", 1.0))],
        "f1": [_Reader("F1 of arguments", _arguments) if family == "srl" else _Reader("F1 of class 1", _binary_f1)],
    }
    return [*by_name.get(metric, []), *means]


def _mean(factor: float) -> Callable[[pd.DataFrame], Corpus]:
    def read(rows: pd.DataFrame) -> Corpus:
        scores = rows["score"].to_numpy(dtype=np.float64)
        units = np.stack([factor * scores, np.ones_like(scores)], axis=1)
        return SumCorpus(tuple(rows["id"]), units, lambda sums: sums[:, 0] / sums[:, 1])

    return read


def _per_unit(side: str, unit: str, factor: float) -> Callable[[pd.DataFrame], Corpus]:
    """The loss of all documents together over their bytes, which stand in the gold, or over their scored tokens."""

    def read(rows: pd.DataFrame) -> Corpus:
        losses = [factor * json.loads(text)["nats"] for text in rows["prediction"]]
        sizes = [json.loads(text)[unit] for text in rows[side]]
        units = np.array([losses, sizes], dtype=np.float64).T
        return SumCorpus(tuple(rows["id"]), units, lambda sums: _ratio(sums[:, 0], sums[:, 1]))

    return read


def _binary_f1(rows: pd.DataFrame) -> Corpus:
    gold, predicted = (rows[name].to_numpy() == "1" for name in ("gold", "prediction"))
    units = np.stack([2.0 * (gold & predicted), 1.0 * gold + predicted], axis=1)
    return SumCorpus(tuple(rows["id"]), units, lambda sums: 100 * _ratio(sums[:, 0], sums[:, 1]))


def _matthews(rows: pd.DataFrame) -> Corpus:
    codes, labels = pd.factorize(pd.concat([rows["gold"], rows["prediction"]]))
    num = len(labels)
    gold, predicted = np.split(codes, 2)
    units = np.zeros((len(rows), num * num))
    units[np.arange(len(rows)), gold * num + predicted] = 1.0

    def finish(sums: Floats) -> Floats:
        table = sums.reshape(-1, num, num)
        total = table.sum(axis=(1, 2))
        of_gold, of_predicted = table.sum(axis=2), table.sum(axis=1)
        covariance = np.trace(table, axis1=1, axis2=2) * total - (of_gold * of_predicted).sum(axis=1)
        variances = [total**2 - (side**2).sum(axis=1) for side in (of_gold, of_predicted)]
        return 100 * _ratio(covariance, np.sqrt(variances[0] * variances[1]))

    return SumCorpus(tuple(rows["id"]), units, finish)


def _pearson(rows: pd.DataFrame) -> Corpus:
    gold, predicted = _numbers(rows)
    gold, predicted = gold - gold.mean(), predicted - predicted.mean()
    parts = [np.ones_like(gold), gold, predicted, gold**2, predicted**2, gold * predicted]
    return SumCorpus(tuple(rows["id"]), np.stack(parts, axis=1), _correlation)


def _spearman(rows: pd.DataFrame) -> Corpus:
    return RankCorpus(tuple(rows["id"]), *_numbers(rows))


def _conll(rows: pd.DataFrame) -> Corpus:
    counted = []
    for gold, predicted in zip(rows["gold"], rows["prediction"], strict=True):
        key, response = ([list(map(tuple, cluster)) for cluster in json.loads(text)] for text in (gold, predicted))
        document = count_document(key, response)
        counted.append([part for name in CONLL_METRICS for part in getattr(document, name)])

    def finish(sums: Floats) -> Floats:
        parts = sums.reshape(len(sums), len(CONLL_METRICS), 4)
        recall, precision = _ratio(parts[..., 0], parts[..., 1]), _ratio(parts[..., 2], parts[..., 3])
        return 100 * _ratio(2 * precision * recall, precision + recall).mean(axis=1)

    return SumCorpus(tuple(rows["id"]), np.array(counted, dtype=np.float64), finish)


def _arguments(rows: pd.DataFrame) -> Corpus:
    metric = METRICS["srl"][0]
    sample = metric.sample(metric.read(rows))
    return SumCorpus(sample.units, sample.statistics, sample.finish)


def _numbers(rows: pd.DataFrame) -> tuple[Floats, Floats]:
    gold, predicted = (rows[name].astype(np.float64).to_numpy() for name in ("gold", "prediction"))
    return gold, predicted


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


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)
