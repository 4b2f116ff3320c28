"""Figures as conlleval and seqeval print them, for any tags."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest

from atinuke_bench.metrics.metric import Answers
from atinuke_bench.tasks.tagging.metric import ACCURACY, SEQEVAL_F1


def answers_of(gold, predicted):
    return Answers([str(number) for number in range(len(gold))], predicted, gold)


def measure(gold, predicted):
    return SEQEVAL_F1.measure(answers_of(gold, predicted))


# --- the published rules, one word after another ----------------------------------------------------------------------


def ends(before, tag, last, kind):
    """conlleval's and seqeval's rules for the end of a chunk before this word."""
    if before in ("E", "S"):
        return True
    if before in ("B", "I") and tag in ("B", "S", "O"):
        return True
    return before != "O" and last != kind


def begins(before, tag, last, kind):
    if tag in ("B", "S"):
        return True
    if before in ("E", "S", "O") and tag in ("E", "I"):
        return True
    return tag != "O" and last != kind


def conlleval(gold, predicted):
    """Tokens, phrases, found, correct and right tags, in one pass that follows both sides at once."""
    tokens = phrases = found = correct = right = 0
    inside = False
    last = [("O", ""), ("O", "")]
    for ours, theirs in zip(gold, predicted, strict=True):
        for place, tags in enumerate([*zip(ours, theirs, strict=True), ("O", "O")]):
            now = [(tag.partition("-")[0], tag.partition("-")[2]) for tag in tags]
            end = [ends(b, t, lk, k) for (b, lk), (t, k) in zip(last, now, strict=True)]
            begin = [begins(b, t, lk, k) for (b, lk), (t, k) in zip(last, now, strict=True)]
            if inside:
                if all(end) and last[0][1] == last[1][1]:
                    correct, inside = correct + 1, False
                elif end[0] != end[1] or now[0][1] != now[1][1]:
                    inside = False
            if all(begin) and now[0][1] == now[1][1]:
                inside = True
            phrases, found = phrases + begin[0], found + begin[1]
            if place < len(ours):
                tokens, right = tokens + 1, right + (tags[0] == tags[1])
            last = now
    return {"tokens": tokens, "phrases": phrases, "found": found, "correct": correct, "right": right}


def random_case(draw, letters):
    tags = ["O", *(f"{letter}-{kind}" for letter in letters for kind in ("PER", "LOC", "A-B")[: draw.randint(1, 3)])]
    gold = [[draw.choice(tags) for _ in range(draw.randint(1, 12))] for _ in range(draw.randint(1, 6))]
    return gold, [[tag if draw.random() < 0.7 else draw.choice(tags) for tag in own] for own in gold]


@pytest.mark.parametrize("letters", ["BI", "BIES"])
def test_equals_the_published_rules_on_2000_random_cases(letters):
    draw = random.Random(7)
    for _ in range(2000):
        gold, predicted = random_case(draw, letters)
        expected = conlleval(gold, predicted)
        right = expected.pop("right")
        measured = measure(gold, predicted)
        figures = measured.figures
        assert {name: figures[name] for name in expected} == expected
        assert figures["accuracy"] == pytest.approx(100 * right / expected["tokens"])
        precision = 100 * expected["correct"] / expected["found"] if expected["found"] else 0
        recall = 100 * expected["correct"] / expected["phrases"] if expected["phrases"] else 0
        assert (figures["precision"], figures["recall"]) == (precision, recall)
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0
        assert figures["seqeval_f1"] == pytest.approx(f1)
        assert measured.sample.value() == pytest.approx(f1)


@pytest.mark.parametrize(
    ("gold", "predicted", "counts"),
    [
        # conlleval on these, by hand: phrases, found, correct.
        (["O", "I-PER", "I-PER"], ["O", "B-PER", "I-PER"], (1, 1, 1)),  # an I after O begins one
        (["B-PER", "I-LOC"], ["B-PER", "B-LOC"], (2, 2, 2)),  # and so does an I of another type
        (["B-PER", "I-PER"], ["B-PER", "B-PER"], (1, 2, 0)),
        (["I-PER", "I-PER"], ["I-PER", "O"], (1, 1, 0)),
        (["O", "O"], ["O", "O"], (0, 0, 0)),
        (["B", "I", "O"], ["B", "I", "O"], (1, 1, 1)),  # tags without types
        (["U-PER", "B-LOC", "L-LOC"], ["U-PER", "U-LOC", "U-LOC"], (2, 3, 1)),
        (["S-X", "S-X", "B-X", "M-X", "E-X"], ["B-X", "E-X", "B-X", "M-X", "E-X"], (3, 2, 1)),
    ],
)
def test_broken_tags_and_other_letters(gold, predicted, counts):
    figures = measure([gold], [predicted]).figures
    assert tuple(figures[name] for name in ("phrases", "found", "correct")) == counts


def test_no_chunk_spans_two_sentences():
    figures = measure([["B-PER"], ["I-PER"]], [["B-PER"], ["I-PER"]]).figures
    assert (figures["phrases"], figures["correct"]) == (2, 2)


def test_scores_and_sample_are_of_sentences():
    measured = measure([["B-X", "O"], ["O"], ["B-X", "B-X"]], [["B-X", "O"], ["O"], ["B-X", "O"]])
    assert measured.scores == pytest.approx([1.0, 1.0, 2 / 3])
    weights = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 3.0]])
    assert measured.sample.values(weights) == pytest.approx([100.0, 200 / 3])
    assert SEQEVAL_F1.sample(answers_of([["B-X"]], [["O"]])).value() == 0.0


def test_accuracy_counts_words():
    measured = ACCURACY.measure(answers_of([["DET", "NOUN"], ["VERB"]], [["DET", "VERB"], ["VERB"]]))
    assert measured.figures == {"accuracy": pytest.approx(200 / 3), "sentence_accuracy": 50.0, "tokens": 3}
    assert measured.scores == [0.5, 1.0]
    assert measured.sample.values(np.array([[2.0, 1.0]])) == pytest.approx([60.0])


def test_what_is_stored_is_read_again_or_refused():
    tags = ["B-PER", "O"]
    assert SEQEVAL_F1.from_stored(json.dumps(SEQEVAL_F1.to_stored(tags)), json.dumps(tags)) == (tags, tags)
    for metric, text in ((SEQEVAL_F1, '["NOUN", "O"]'), (ACCURACY, '["DET"]'), (ACCURACY, "[1, 2]"), (ACCURACY, "3")):
        with pytest.raises(ValueError, match="tag"):
            metric.from_stored(text, json.dumps(tags))
