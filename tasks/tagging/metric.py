"""F1 of chunks (entities, phrases) as conlleval and seqeval print it, and the accuracy of tags.

A prediction is the tags of a sentence's words, in the scheme of the corpus. What is a chunk, `chunks.py` says.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from atinuke_bench.metrics.metric import Answers, Figures, Floats, Measured, Metric, SumSample, ratio
from atinuke_bench.tasks.tagging.chunks import Compared, compare, split_tag
from atinuke_bench.tasks.tagging.show import ChunkDisplay, TagDisplay

Tags = Sequence[str]


class _TagMetric(Metric):
    """What both have in common: how predictions are kept."""

    unit = "sentence"
    display = TagDisplay()

    def to_stored(self, prediction: Tags) -> list[str]:
        return list(prediction)

    def from_stored(self, prediction: str, gold: str) -> tuple[list[str], list[str]]:
        ours, theirs = json.loads(gold), json.loads(prediction)
        for tags in (ours, theirs):
            if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
                raise ValueError(f"a prediction is a list of tags; found {tags!r:.60}")
        if len(ours) != len(theirs):
            raise ValueError(f"each word has one tag; found {len(theirs)} for {len(ours)} words")
        return theirs, ours


class ChunkF1(_TagMetric):
    """Micro-averaged F1 over all chunks; `accuracy` is over the tags of all words, `O` too, as conlleval prints it.

    `phrases` are the gold chunks and `found` the predicted ones, in conlleval's words.
    """

    name = "seqeval_f1"
    display = ChunkDisplay()

    def measure(self, answers: Answers) -> Measured:
        compared = compare(answers.gold, answers.predicted)
        counts = compared.by_sentence
        empty = counts[:, 1:].sum(axis=1) == 0
        scores = np.where(empty, 1.0, f1_from_counts(counts) / 100)
        return Measured(_figures(compared), scores.tolist(), _chunk_sample(answers.ids, counts), compared)

    def sample(self, answers: Answers) -> SumSample:
        return _chunk_sample(answers.ids, compare(answers.gold, answers.predicted).by_sentence)

    def from_stored(self, prediction: str, gold: str) -> tuple[list[str], list[str]]:
        both = super().from_stored(prediction, gold)
        for tags in both:
            for tag in tags:
                split_tag(tag)
        return both


class TagAccuracy(_TagMetric):
    """Share of words with the right tag; `sentence_accuracy` is that of sentences whose tags are all right."""

    name = "accuracy"

    def measure(self, answers: Answers) -> Measured:
        counts = _count_right(answers)
        sample = SumSample(tuple(answers.ids), counts, accuracy_from_counts)
        whole = 100.0 * float(np.mean(counts[:, 0] == counts[:, 1]))
        figures: Figures = {"accuracy": sample.value(), "sentence_accuracy": whole, "tokens": int(counts[:, 1].sum())}
        return Measured(figures, (counts[:, 0] / counts[:, 1]).tolist(), sample)


SEQEVAL_F1, ACCURACY = ChunkF1(), TagAccuracy()


def precision_recall_f1(correct: float, predicted: float, gold: float) -> dict[str, float]:
    """The three figures of counts of chunks, in conlleval's order of operations; 0 where there is nothing.

    >>> precision_recall_f1(1, 2, 4)
    {'precision': 50.0, 'recall': 25.0, 'f1': 33.333333333333336}
    """
    precision = 100 * correct / predicted if predicted else 0.0
    recall = 100 * correct / gold if gold else 0.0
    total = precision + recall
    return {"precision": precision, "recall": recall, "f1": 2 * precision * recall / total if total > 0 else 0.0}


def f1_from_counts(sums: Floats) -> Floats:  # [B, 3] -> [B]
    """F1 of correct, predicted and gold chunks."""
    return 100 * ratio(2 * sums[:, 0], sums[:, 1] + sums[:, 2])


def accuracy_from_counts(sums: Floats) -> Floats:  # [B, 2] -> [B]
    """Percentage of right words among all."""
    return 100 * ratio(sums[:, 0], sums[:, 1])


def _figures(compared: Compared) -> Figures:
    correct, found, phrases = int(compared.is_correct.sum()), len(compared.predicted), len(compared.gold)
    figures = precision_recall_f1(correct, found, phrases)
    return {
        "seqeval_f1": figures["f1"],
        "precision": figures["precision"],
        "recall": figures["recall"],
        "accuracy": 100.0 * float(compared.right_words.mean()),
        "tokens": len(compared.right_words),
        "phrases": phrases,
        "found": found,
        "correct": correct,
    }


def _chunk_sample(ids: Sequence[str], counts: Floats) -> SumSample:
    return SumSample(tuple(ids), counts, f1_from_counts)


def _count_right(answers: Answers) -> Floats:  # [S, 2]
    """Right words and all words of each sentence."""
    pairs = zip(answers.gold, answers.predicted, strict=True)
    counts = [(sum(map(str.__eq__, gold, predicted)), len(gold)) for gold, predicted in pairs]
    return np.array(counts, dtype=np.float64).reshape(-1, 2)
