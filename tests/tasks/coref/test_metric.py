"""The metric of coreference: samples of documents, and predictions as they are stored."""

from __future__ import annotations

import json

import numpy as np
import pytest

from atinuke_bench.data.conll.read import read_documents
from atinuke_bench.errors import DataError
from atinuke_bench.metrics.metric import Answers, SumSample
from atinuke_bench.tasks.coref.metric import METRICS, flat_scores
from atinuke_bench.tasks.coref.scorer import DocumentCounts, count_document, scores, total

METRIC = METRICS["coref"][0]


@pytest.fixture
def answers(folder):
    gold = [document.clusters for document in read_documents(folder / "train.v4_gold_conll")]
    predicted = [clusters[number % 3 :] for number, clusters in enumerate(gold)]
    return Answers([str(number) for number in range(len(gold))], predicted, gold)


def test_resampling_recomputes_the_corpus_score(answers):
    counts = list(map(count_document, answers.gold, answers.predicted))
    measured = METRIC.measure(answers)
    picked = np.array([0, 0, 3, 5])
    weights = np.stack([np.bincount(picked, minlength=len(counts)), np.ones(len(counts))])
    sampled = measured.sample.values(weights)
    assert sampled[0] == pytest.approx(scores(total([counts[row] for row in picked])).conll_f1)
    assert sampled[1] == pytest.approx(flat_scores(total(counts))["conll_f1"])
    assert measured.figures == flat_scores(total(counts))
    assert flat_scores(DocumentCounts())["conll_f1"] == 0


def test_the_sample_alone_is_that_of_the_measure(answers):
    sample, alone = METRIC.measure(answers).sample, METRIC.sample(answers)
    assert isinstance(sample, SumSample)
    assert isinstance(alone, SumSample)
    assert alone.units == sample.units == tuple(answers.ids)
    assert (alone.statistics == sample.statistics).all()


def test_stored_answers_are_read_back(answers):
    stored = [json.dumps(METRIC.to_stored(clusters)) for clusters in answers.predicted]
    rows = {"id": answers.ids, "prediction": stored, "gold": list(map(json.dumps, answers.gold)), "score": None}
    read = METRIC.read(rows)
    assert (read.predicted, read.gold) == (answers.predicted, answers.gold)
    with pytest.raises(ValueError, match="not predictions of conll_f1"):
        METRIC.read({**rows, "prediction": ["3"] * len(stored)})


def test_a_repeated_mention_is_named_with_its_document():
    with pytest.raises(DataError, match=r"document 'd1': mention \(0, 0\) occurs twice in the response"):
        METRIC.measure(Answers(["d1"], [[[(0, 0)], [(0, 0)]]], [[]]))
