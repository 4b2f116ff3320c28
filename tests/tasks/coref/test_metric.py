"""The metric of coreference: samples of documents, and predictions as they are stored."""

from __future__ import annotations

import json

import numpy as np
import pytest

from atinuke_bench.data.conll.read import read_documents
from atinuke_bench.errors import DataError
from atinuke_bench.metrics.metric import Answers, SumSample
from atinuke_bench.tasks.coref.clusters import Clusters
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


def test_a_document_without_mentions_on_either_side_has_no_score():
    nothing: Clusters = []
    found, missed = [[(0, 0), (2, 2)]], [[(4, 4), (5, 5)]]
    answers = Answers(["a", "b", "c", "d"], [nothing, found, nothing, found], [nothing, nothing, missed, found])
    measured = METRIC.measure(answers)
    assert measured.scores == [None, 0, 0, 100]
    # It adds nothing to what resamples are made of, and a corpus of such documents has the score that scorer.pl prints.
    assert not METRIC.sample(answers).statistics[0].any()
    alone = METRIC.measure(Answers(["a"], [nothing], [nothing]))
    assert (alone.scores, alone.figures["conll_f1"]) == ([None], 0)


def test_stored_answers_are_read_back(answers):
    stored = [json.dumps(METRIC.to_stored(clusters)) for clusters in answers.predicted]
    rows = {"id": answers.ids, "prediction": stored, "gold": list(map(json.dumps, answers.gold)), "score": None}
    read = METRIC.read(rows)
    assert (read.predicted, read.gold) == (answers.predicted, answers.gold)
    with pytest.raises(ValueError, match="not predictions of conll_f1"):
        METRIC.read({**rows, "prediction": ["3"] * len(stored)})


def test_more_repeats_than_the_official_scorer_drops_are_named_with_their_document():
    spans = [(place, place) for place in range(6)]
    answers = Answers(["d1", "d2"], [[spans, spans]] * 2, [[spans]] * 2)
    for measure in (METRIC.measure, METRIC.sample):
        with pytest.raises(DataError, match=r"found 12, the first is mention \(0, 0\) in document 'd1'"):
            measure(answers)
    assert METRIC.measure(Answers(["d1"], [[spans, spans]], [[spans]])).figures["conll_f1"] == 100


def test_the_sample_of_repeated_key_mentions_gives_their_score():
    answers = Answers(["d1"], [[[(0, 0), (1, 1)]]], [[[(0, 0), (1, 1)], [(1, 1), (2, 2)]]])
    measured = METRIC.measure(answers)
    assert measured.figures["conll_f1"] == pytest.approx((0 + 50 + 200 / 3) / 3)
    assert measured.sample.values(np.ones((1, 1))) == pytest.approx([measured.figures["conll_f1"]])
