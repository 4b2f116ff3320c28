"""No label of a pair can be had from one text alone, from the words of both counted, or from their lengths.

Each shortcut is a ridge regression onto the labels, the simplest model that finds what a linear one can find.
"""

from __future__ import annotations

import re
from itertools import islice

import numpy as np
import pytest

from atinuke_bench.microworld import examples

NUM_TRAIN, NUM_TEST = 1800, 1500
#: Points of accuracy above chance that count as none, and the noise of 1,500 test examples (two standard errors).
TOLERANCE = 5.0
RELATIONS = ("snli", "glue/mnli", "glue/rte", "glue/mrpc", "glue/qqp", "glue/qnli", "glue/wnli")


def words_of(text: str) -> list[str]:
    return re.findall(r"\w+|[^\w\s]", text.lower())


def bag(texts: list[str], vocabulary: dict[str, int]) -> np.ndarray:
    counts = np.zeros((len(texts), len(vocabulary)), dtype=np.float32)
    for row, text in enumerate(texts):
        for word in words_of(text):
            if word in vocabulary:
                counts[row, vocabulary[word]] += 1
    return counts


def accuracy(features: np.ndarray, labels: np.ndarray) -> float:
    """Percent right on the last `NUM_TEST` rows of a model fitted to the rows before."""
    features = np.hstack([features, np.ones((len(features), 1), dtype=np.float32)])
    targets = np.eye(labels.max() + 1, dtype=np.float32)[labels]
    x, y = features[:-NUM_TEST], targets[:-NUM_TEST]
    weights = np.linalg.solve(x.T @ x + 3.0 * np.eye(x.shape[1], dtype=np.float32), x.T @ y)
    return 100 * float(np.mean((features[-NUM_TEST:] @ weights).argmax(axis=1) == labels[-NUM_TEST:]))


def shortcuts(first: list[str], second: list[str]) -> dict[str, np.ndarray]:
    """Features of each shortcut."""
    vocabulary = {word: at for at, word in enumerate(sorted({w for text in first + second for w in words_of(text)}))}
    one, two = bag(first, vocabulary), bag(second, vocabulary)
    lengths = np.stack([one.sum(axis=1), two.sum(axis=1)], axis=1)
    one_hot = [lengths[:, [side]] == np.arange(60) for side in (0, 1)]
    return {
        "second text alone": two,
        "first text alone": one,
        "words of both together": one + two,
        "words of each": np.hstack([one, two]),
        "lengths": np.hstack([lengths, *one_hot, lengths[:, [1]] - lengths[:, [0]] == np.arange(-30, 30)]).astype(
            np.float32
        ),
    }


@pytest.mark.parametrize("task", RELATIONS)
def test_no_shortcut_beats_the_floor(task):
    rows = list(islice(examples(task, "train"), NUM_TRAIN + NUM_TEST))
    labels = np.array([row["label"] for row in rows])
    floor = 100 * np.bincount(labels[-NUM_TEST:]).max() / NUM_TEST
    found = {
        name: accuracy(features, labels)
        for name, features in shortcuts([row["sentence1"] for row in rows], [row["sentence2"] for row in rows]).items()
    }
    assert max(found.values()) < floor + TOLERANCE, found


def test_a_question_does_not_say_whether_it_has_an_answer():
    rows = list(islice(examples("squad-v2.0", "train"), NUM_TRAIN + NUM_TEST))
    labels = np.array([int(not row["answers"]["text"]) for row in rows])
    assert abs(labels.mean() - 0.5) < 0.02
    questions = shortcuts([row["question"] for row in rows], [row["question"] for row in rows])
    assert accuracy(questions["second text alone"], labels) < 50 + TOLERANCE
    assert accuracy(questions["lengths"], labels) < 50 + TOLERANCE


def test_similarity_is_in_no_text_alone():
    rows = list(islice(examples("glue/stsb", "train"), NUM_TRAIN + NUM_TEST))
    labels = np.array([int(row["label"]) for row in rows])
    for name, features in shortcuts([row["sentence1"] for row in rows], [row["sentence2"] for row in rows]).items():
        assert accuracy(features, labels) < 100 / 6 + TOLERANCE, name


def test_a_planted_shortcut_is_found():
    rows = list(islice(examples("snli", "train"), NUM_TRAIN + NUM_TEST))
    labels = np.array([row["label"] for row in rows])
    second = [
        row["sentence2"] + (" Indeed." if row["label"] == 2 and number % 3 else "") for number, row in enumerate(rows)
    ]
    found = shortcuts([row["sentence1"] for row in rows], second)
    assert accuracy(found["second text alone"], labels) > 45
