"""Slices count every chunk or word once."""

from __future__ import annotations

from datasets import Dataset

from atinuke_bench.metrics.metric import Answers
from atinuke_bench.tasks.tagging.metric import ACCURACY, SEQEVAL_F1
from atinuke_bench.tasks.tagging.slices import by_type_and_words, types_and_length_of

LONG = ["O"] * 12


def slices_of(metric, gold, predicted, seen):
    answers = Answers([str(number) for number in range(len(gold))], predicted, gold)
    return by_type_and_words(Dataset.from_dict({"seen": seen}), answers, metric.measure(answers))


def test_chunks():
    gold = [["B-PER", "I-PER", "B-LOC"], [*LONG, "B-PER"]]
    predicted = [["B-PER", "I-PER", "B-PER"], [*LONG, "B-PER"]]
    slices = slices_of(SEQEVAL_F1, gold, predicted, [[True, False, True], [True] * 13])
    right = {"precision": 100.0, "recall": 100.0, "f1": 100.0, "num": 1}
    assert slices["type"] == {
        "LOC": {"precision": 0.0, "recall": 0.0, "f1": 0.0, "num": 1},
        "PER": {"precision": 200 / 3, "recall": 100.0, "f1": 80.0, "num": 2},
    }
    half = {"precision": 50.0, "recall": 50.0, "f1": 50.0, "num": 2}
    assert slices["all its words"] == {"in train": half, "not in train": right}
    assert slices["words in the sentence"] == {"1-9": half, "10-19": right}


def test_words():
    slices = slices_of(ACCURACY, [["DET", "NOUN"], ["NOUN"]], [["DET", "DET"], ["NOUN"]], [[True, False], [True]])
    assert slices["tag"] == {"DET": {"accuracy": 100.0, "num": 1}, "NOUN": {"accuracy": 50.0, "num": 2}}
    assert slices["word"] == {"in train": {"accuracy": 100.0, "num": 2}, "not in train": {"accuracy": 0.0, "num": 1}}
    assert slices["words in the sentence"] == {"1-9": {"accuracy": 200 / 3, "num": 3}}


def test_sentences_lie_in_the_slices_of_their_chunks_and_lengths():
    gold = [["B-PER", "I-PER", "O"], ["O"] * 12, ["B", "O"]]
    assert types_and_length_of(None, gold) == [
        {"type": ["PER"], "words in the sentence": ["1-9"]},
        {"type": [], "words in the sentence": ["10-19"]},
        {"type": ["chunk"], "words in the sentence": ["1-9"]},
    ]
    (plain,) = types_and_length_of(None, [["NOUN", "VERB", "NOUN"]])
    assert plain["tag"] == ["NOUN", "VERB"]
