"""Figures of documents by hand; those of stored rows are the same."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from atinuke_bench.metrics.metric import Answers
from atinuke_bench.registry import load_metric
from atinuke_bench.tasks.lm.metric import SUMS

# Two documents; the second is half unknown.
DOCUMENTS = [(6.0, 4, 1, 3, 0, 0), (2.0, 2, 2, 4, 2, 3)]
SIZES = (10, 6)


def answers(documents=DOCUMENTS, sizes=SIZES):
    predicted = [dict(zip(SUMS, sums, strict=True)) for sums in documents]
    return Answers([f"d{number}" for number in range(len(sizes))], predicted, [{"bytes": size} for size in sizes])


def test_the_figures_of_each_objective():
    shared = {
        "num_scored_tokens": 6,
        "num_bytes": 16,
        "unknown_percent": pytest.approx(100 * 2 / 7),
        "hidden_percent": pytest.approx(100 * 3 / 16),
    }
    causal = load_metric("lm", "bits_per_byte").measure(answers())
    assert causal.figures == {
        "bits_per_byte": pytest.approx(8 / math.log(2) / 13),
        "perplexity": pytest.approx(math.exp(8 / 6)),
        "loss": pytest.approx(8 / 6),
        "accuracy": 50,
        **shared,
    }
    assert causal.scores == pytest.approx([6 / math.log(2) / 10, 2 / math.log(2) / 3])
    masked = load_metric("lm", "masked_loss").measure(answers())
    assert masked.figures == {
        "masked_loss": pytest.approx(8 / 6),
        "masked_perplexity": pytest.approx(math.exp(8 / 6)),
        "masked_accuracy": 50,
        **shared,
    }
    assert masked.scores == [1.5, 1.0]


@pytest.mark.parametrize("name", ["bits_per_byte", "masked_loss"])
def test_a_sample_is_of_documents_and_stored_rows_give_the_same(name):
    metric = load_metric("lm", name)
    measured = metric.measure(answers())
    assert measured.sample.units == ("d0", "d1")
    assert measured.sample.value() == pytest.approx(measured.figures[name])
    weights = np.array([[2.0, 0.0], [0.0, 2.0]])
    assert measured.sample.values(weights) == pytest.approx(measured.scores)
    rows = {
        "id": ["d0", "d1"],
        "prediction": [json.dumps(metric.to_stored(document)) for document in answers().predicted],
        "gold": [json.dumps(gold) for gold in answers().gold],
        "score": measured.scores,
    }
    again = metric.measure(metric.read(rows))
    assert again.figures == measured.figures
    assert again.scores == measured.scores
    with pytest.raises(ValueError, match=f"not predictions of {name}"):
        metric.read({**rows, "prediction": ["1", "0"]})
    with pytest.raises(ValueError, match=f"not predictions of {name}"):
        metric.read({**rows, "gold": rows["prediction"]})


def test_what_cannot_be_computed_is_missing():
    metric = load_metric("lm", "masked_loss")
    measured = metric.measure(answers([(0.0, 0, 0, 0, 0, 0), (3.0, 2, 1, 5, 0, 0)]))
    assert measured.figures["masked_loss"] == 1.5
    assert measured.scores == [None, 1.5]  # a document of which nothing was hidden
    assert math.isnan(measured.sample.values(np.array([[2.0, 0.0]]))[0])
    broken = metric.measure(answers([(math.nan, 4, 1, 3, 0, 0), (2.0, 2, 2, 4, 2, 0)]))
    assert broken.figures["masked_loss"] is broken.figures["masked_perplexity"] is None
    assert broken.figures["masked_accuracy"] == 50
    assert load_metric("lm", "bits_per_byte").measure(answers([(1e9, 1, 0, 1, 0, 0)], [1])).figures[
        "perplexity"
    ] == pytest.approx(math.exp(700))


def test_text_that_is_all_hidden_has_no_bits_per_byte():
    metric = load_metric("lm", "bits_per_byte")
    measured = metric.measure(answers([(0.1, 4, 4, 4, 4, 10), (0.2, 2, 2, 4, 4, 6)]))
    assert measured.figures["bits_per_byte"] is None
    assert measured.figures["hidden_percent"] == 100
    assert measured.scores == [None, None]


def test_what_an_older_run_stored_gives_its_own_figure():
    metric = load_metric("lm", "bits_per_byte")
    stored = json.dumps({"nats": 2.0, "scored": 2, "right": 2, "tokens": 4, "unknown": 2})
    rows = {"id": ["d0"], "prediction": [stored], "gold": [json.dumps({"bytes": 6})], "score": [0.5]}
    assert metric.measure(metric.read(rows)).figures["bits_per_byte"] == pytest.approx(2 / math.log(2) / 6)


@pytest.mark.parametrize("num_words", [2, 50, 2000])
def test_hiding_words_at_random_never_betters_bits_per_byte(num_words):
    """A simulation: a model that knows every frequency, and text of which more and more words are [UNK]."""
    draw = np.random.default_rng(num_words)
    words = np.minimum(draw.zipf(1.5, 200_000), num_words)  # 0 is [UNK]
    fate = draw.random(len(words))
    figures, with_hidden_bytes = [], []
    for share in (0.0, 0.02, 0.1, 0.5, 0.9):
        shown = np.where(fate < share, 0, words)
        counts = np.bincount(shown)
        nats = -np.log(counts[shown] / len(shown)).sum()
        document = (nats, len(shown), 0, len(shown), int(counts[0]), 6 * int(counts[0]))
        measured = load_metric("lm", "bits_per_byte").measure(answers([document], [6 * len(shown)]))
        figures.append(measured.figures["bits_per_byte"])
        with_hidden_bytes.append(nats / math.log(2) / (6 * len(shown)))
    assert figures == sorted(figures)
    assert with_hidden_bytes[-1] < 0.9 * with_hidden_bytes[0] or num_words == 2  # what counting them would reward
