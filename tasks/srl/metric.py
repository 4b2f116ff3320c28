"""The F1 of arguments of srl-eval.pl, and the figures beside it.

The predicates of a sentence are no separate evidence: where its document is not known, they are drawn together.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from atinuke_bench.data.bio import LabelledSpan
from atinuke_bench.metrics.metric import Answers, Figures, Measured, Metric, SumSample
from atinuke_bench.tasks.srl.propositions import Propositions
from atinuke_bench.tasks.srl.show import SrlDisplay
from atinuke_bench.tasks.srl.totals import Totals, f1_from_counts, totals_of


class SrlMetric(Metric):
    """Predictions are argument spans; the id of an example is `<sentence>-<number of the predicate's word>`."""

    name = "f1"
    unit = "sentence"
    display = SrlDisplay()

    def measure(self, answers: Answers) -> Measured:
        totals = _count(answers)
        scores = (totals.proposition_f1 / 100).tolist()
        return Measured(_figures(totals), scores, _sample(answers.ids, totals), totals)

    def sample(self, answers: Answers) -> SumSample:
        return _sample(answers.ids, _count(answers))

    def unit_of(self, example: str) -> str:
        return sentence_of(example)

    def to_stored(self, prediction: Sequence[LabelledSpan]) -> list[list[int | str]]:
        return [list(span) for span in prediction]

    def from_stored(self, prediction: str, gold: str) -> tuple[list[LabelledSpan], list[LabelledSpan]]:
        return _spans(prediction), _spans(gold)


F1 = SrlMetric()
METRICS = {"srl": (F1,)}


def _spans(text: str) -> list[LabelledSpan]:
    return [(start, end, role) for start, end, role in json.loads(text)]


def sentence_of(example: str) -> str:
    """The id of an example's sentence."""
    return example.rpartition("-")[0]


def _count(answers: Answers) -> Totals:
    """The counts of the answers, each a proposition, and of their sentences in the order of the answers."""
    numbers: dict[str, int] = {}
    sentence = [numbers.setdefault(sentence_of(id_), len(numbers)) for id_ in answers.ids]
    index = [int(id_.rpartition("-")[2]) for id_ in answers.ids]
    # The lemma is the same on both sides and need not be known.
    lemmas = [""] * len(answers)
    gold, predicted = (
        Propositions.build(len(numbers), sentence, index, lemmas, spans) for spans in (answers.gold, answers.predicted)
    )
    return totals_of(gold, predicted)


def _sample(ids: Sequence[str], totals: Totals) -> SumSample:
    return SumSample(tuple(ids), totals.by_proposition.astype(np.float64), f1_from_counts)


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
