"""The CoNLL F1 of documents, and the figures beside it. A document is what is drawn when a score is resampled.

Letters: N documents, B resamples, M metrics of the CoNLL mean.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from atinuke_bench.metrics.metric import Answers, Figures, Floats, Measured, Metric, SumSample, ratio
from atinuke_bench.tasks.coref.clusters import Clusters, as_spans
from atinuke_bench.tasks.coref.counts import Counts, Overlap, b_cubed, ceaf_e, muc, overlap_of, require_few_repeats
from atinuke_bench.tasks.coref.scorer import CONLL_METRICS, NAMES, DocumentCounts, counts_of, scores, total
from atinuke_bench.tasks.coref.show import CorefDisplay


class CorefMetric(Metric):
    """Predictions are clusters of spans."""

    name = "conll_f1"
    unit = "document"
    display = CorefDisplay()

    def measure(self, answers: Answers) -> Measured:
        counts = list(map(counts_of, _overlaps(answers)))
        conll_counts = [[getattr(document, name) for name in CONLL_METRICS] for document in counts]
        return Measured(flat_scores(total(counts)), list(map(_own_score, counts)), _sample(answers.ids, conll_counts))

    def sample(self, answers: Answers) -> SumSample:
        return _sample(answers.ids, [[muc(both), b_cubed(both), ceaf_e(both)] for both in _overlaps(answers)])

    def to_stored(self, prediction: Clusters) -> list[list[list[int]]]:
        return [[list(span) for span in cluster] for cluster in prediction]

    def from_stored(self, prediction: str, gold: str) -> tuple[Clusters, Clusters]:
        return as_spans(json.loads(prediction)), as_spans(json.loads(gold))


CONLL_F1 = CorefMetric()
METRICS = {"coref": (CONLL_F1,)}


def flat_scores(counts: DocumentCounts) -> Figures:
    """`conll_f1` and, for every metric, `<metric>_recall`, `<metric>_precision` and `<metric>_f1`."""
    found = scores(counts)
    parts = {f"{name}_{part}": value for name in NAMES for part, value in vars(getattr(found, name)).items()}
    return {"conll_f1": found.conll_f1, **parts}


def _own_score(counts: DocumentCounts) -> float | None:
    """A document's CoNLL F1; None where neither side has a mention: nothing was to be found, and nothing is wrong."""
    has_mentions = counts.mentions.recall_den or counts.mentions.precision_den
    return scores(counts).conll_f1 if has_mentions else None


def _overlaps(answers: Answers) -> list[Overlap]:
    documents = zip(answers.ids, answers.gold, answers.predicted, strict=True)
    overlaps = [overlap_of(gold, predicted, name=id_) for id_, gold, predicted in documents]
    require_few_repeats(overlaps)
    return overlaps


def _sample(ids: Sequence[str], counts: Sequence[Sequence[Counts]]) -> SumSample:
    statistics = np.array(counts, dtype=np.float64).reshape(len(ids), -1)  # [N, M * 4]
    return SumSample(tuple(ids), statistics, _conll_f1)


def _conll_f1(sums: Floats) -> Floats:  # [B, M * 4] -> [B]
    parts = sums.reshape(len(sums), len(CONLL_METRICS), len(Counts._fields))
    recall, precision = ratio(parts[..., 0], parts[..., 1]), ratio(parts[..., 2], parts[..., 3])
    f1 = 100 * ratio(2 * precision * recall, precision + recall)
    return np.where(np.isclose(f1, 100, rtol=1e-9, atol=0), 100.0, f1).mean(axis=1)
