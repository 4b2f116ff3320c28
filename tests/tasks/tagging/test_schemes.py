"""Which scheme tags are of, and that every scheme gives back the chunks that were written in it."""

from __future__ import annotations

import random

import numpy as np
import pytest

from atinuke_bench.tasks.tagging.chunks import find_chunks
from atinuke_bench.tasks.tagging.schemes import SCHEMES, recognise
from atinuke_bench.tasks.tagging.tagset import IGNORED, TagSet


def random_spans(draw, num_words):
    spans, place = [], 0
    while place < num_words:
        end = min(num_words - 1, place + draw.randint(0, 2))
        if draw.random() < 0.6:
            spans.append((place, end, draw.choice(["PER", "LOC"])))
        place = end + 1
    return spans


def spans_of(tags):
    types: dict[str, int] = {}
    found = find_chunks([tags], types)
    names = list(types)
    triples = zip(found.start.tolist(), found.end.tolist(), found.kind.tolist(), strict=True)
    return [(start, end, names[kind]) for start, end, kind in triples]


@pytest.mark.parametrize("name", SCHEMES)
def test_chunks_survive_their_tags_and_the_scheme_is_recognised(name):
    draw, corpus = random.Random(name), []
    for _ in range(300):
        num_words = draw.randint(1, 12)
        spans = random_spans(draw, num_words)
        corpus.append(SCHEMES[name].write(spans, num_words))
        assert spans_of(corpus[-1]) == spans
    assert recognise(corpus) == name
    tagset = TagSet.of(corpus)
    assert tagset == TagSet(name, ("LOC", "PER"))
    numbers, place = tagset.encode(corpus), 0
    for tags in corpus:
        assert tagset.decode(numbers[place : place + len(tags)]) == tags
        place += len(tags)


@pytest.mark.parametrize(
    ("tags", "scheme"),
    [
        (["O", "I-X", "O"], "iob1"),
        (["I-X", "B-X"], "iob1"),
        (["B-X", "O", "I-X"], "iob2"),  # broken, since no IOB1 begins with B
        (["B-X", "B-X"], "iob2"),
        (["B", "I", "O"], "iob2"),
        (["S-X", "O"], "bioes"),
        (["B-X", "L-X"], "bilou"),
        (["B-X", "E-X", "M-X"], "bmes"),
        (["B-X", "M-X", "L-X"], "plain"),  # letters of no one scheme
        (["O", "O"], "plain"),
        (["S", "E"], "plain"),
        (["B-X", "I"], "plain"),
        (["b-x", "O"], "plain"),
        (["NOUN", "O"], "plain"),
        (["B-"], "plain"),
    ],
)
def test_recognised_by_what_is_there(tags, scheme):
    assert recognise([tags]) == scheme


def test_what_a_set_lacks_is_not_learned():
    assert TagSet("iob1", ("PER",)).encode([["I-PER", "B-PER", "I-LOC"], ["O"]]).tolist() == [1, 1, IGNORED, 0]
    assert TagSet("plain", ("DET",)).encode([["DET", "NOUN"]]).tolist() == [0, IGNORED]
    assert TagSet("iob2", ("PER",)).decode(np.array([2, 2, 0, 2])) == ["B-PER", "I-PER", "O", "B-PER"]
