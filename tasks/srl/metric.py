"""The F1 of arguments of srl-eval.pl, and the figures beside it. A sentence is what is drawn when it is resampled."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from atinuke_bench.data.bio import LabelledSpan
from atinuke_bench.metrics.metric import Answers, Figures, Measured, Metric, SumSample
from atinuke_bench.tasks.srl.propositions import Propositions
from atinuke_bench.tasks.srl.totals import Totals, f1_from_counts, totals_of


class SrlMetric(Metric):
    """Predictions are argument spans; the id of an example is `<sentence>-<number of the predicate's word>`."""

    name = "f1"
    unit = "sentence"

    def measure(self, answers: Answers) -> Measured:
        sentences, totals = _count(answers)
        scores = (totals.proposition_f1 / 100).tolist()
        return Measured(_figures(totals), scores, _sample(sentences, totals), totals)

    def sample(self, answers: Answers) -> SumSample:
        return _sample(*_count(answers))

    def to_stored(self, prediction: Sequence[LabelledSpan]) -> list[list[int | str]]:
        return [list(span) for span in prediction]

    def from_stored(self, prediction: str, gold: str) -> tuple[list[LabelledSpan], list[LabelledSpan]]:
        return _spans(prediction), _spans(gold)


METRICS = {"srl": (SrlMetric(),)}


def _spans(text: str) -> list[LabelledSpan]:
    return [(start, end, role) for start, end, role in json.loads(text)]


def _count(answers: Answers) -> tuple[tuple[str, ...], Totals]:
    """The sentences in the order of the answers, and the counts of these."""
    places = [id_.rpartition("-") for id_ in answers.ids]
    numbers: dict[str, int] = {}
    sentence = [numbers.setdefault(key, len(numbers)) for key, _, _ in places]
    index = [int(word) for _, _, word in places]
    # The lemma is the same on both sides and need not be known.
    lemmas = [""] * len(places)
    gold, predicted = (
        Propositions.build(len(numbers), sentence, index, lemmas, spans) for spans in (answers.gold, answers.predicted)
    )
    return tuple(numbers), totals_of(gold, predicted)


def _sample(sentences: tuple[str, ...], totals: Totals) -> SumSample:
    return SumSample(sentences, totals.by_sentence.astype(np.float64), f1_from_counts)


def _figures(totals: Totals) -> Figures:
    overall, unlabelled = totals.overall, totals.unlabelled
    return {
        "f1": overall.f1,
        "precision": overall.precision,
        "recall": overall.recall,
        "unlabelled_f1": unlabelled.f1,
        "unlabelled_precision": unlabelled.precision,
        "unlabelled_recall": unlabelled.recall,
        "perfect_propositions": 100.0 * totals.num_perfect / len(totals.by_proposition),
        "correct": overall.correct,
        "excess": overall.excess,
        "missed": overall.missed,
    }
