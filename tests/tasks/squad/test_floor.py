"""Answers by rule: word overlap in v1.1, none in v2.0."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atinuke_bench.tasks.squad.files import read_squad
from atinuke_bench.tasks.squad.floor import _SENTENCE_BREAK, _pairs, _phrases, _words, sliding_window_answer
from atinuke_bench.training.evaluate import evaluate
from atinuke_bench.training.prepare import prepare


def test_the_sliding_window_prefers_the_overlapping_sentence():
    context = "Paris is in France. The tower of Paris was built by Gustave Eiffel, in 1889!\nIt rains."
    assert sliding_window_answer("Who built the tower of Paris?", context) == "Gustave Eiffel"
    assert sliding_window_answer("tower Paris?", "The tower of Paris.") == "The tower of Paris"
    assert sliding_window_answer("Why?", " … ") == "…"


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=40), st.text(min_size=1, max_size=80).filter(str.strip))
def test_the_sliding_window_answers_with_context(question, context):
    answer = sliding_window_answer(question, context)
    assert answer
    assert answer in context


@pytest.mark.parametrize("version", ["1.1", "2.0"])
def test_floor(squad_run, version):
    prepared = prepare(squad_run(version, core="majority"))
    examples = prepared.evaluation_splits["dev"]
    floor = prepared.task.floor(prepared.train_examples, examples, prepared.run)
    figures = evaluate(prepared.task, examples, floor).figures
    if version == "1.1":
        assert all(floor[id_].text for id_ in floor)
        assert set(figures) == {"exact_match", "f1"}
    else:
        assert {answer.text for answer in floor.values()} == {""}
        assert (figures["exact"], figures["HasAns_f1"], figures["NoAns_f1"]) == (pytest.approx(100 / 3), 0.0, 100.0)
        assert not any(name.startswith("best_") for name in figures)


def _directly(question: str, context: str) -> str:
    """The answer by its definition: every window of the whole context for every candidate."""
    words = _words(context)
    if not words:
        return context.strip()
    asked = _words(question)
    asked_words = {word.text for word in asked}
    asked_features = asked_words | set(_pairs(asked))
    borders = [0, *(match.start() for match in _SENTENCE_BREAK.finditer(context)), len(context)]
    sentences = [[word for word in words if begin <= word.start < end] for begin, end in pairwise(borders)]
    sentences = [sentence for sentence in sentences if sentence]
    overlaps = [len(asked_features & ({word.text for word in s} | set(_pairs(s)))) for s in sentences]
    best = [s for s, overlap in zip(sentences, overlaps, strict=True) if overlap == max(overlaps)]
    candidates = [phrase for sentence in best for phrase in _phrases(sentence, context, asked_words)] or best[:1]
    counts = Counter(word.text for word in words)

    def value(phrase):
        wanted = asked_words | {word.text for word in phrase}
        values = [math.log(1 + 1 / counts[word.text]) if word.text in wanted else 0.0 for word in words]
        sums = np.concatenate(([0.0], np.cumsum(values)))
        size = min(len(wanted), len(values))
        return round(float((sums[size:] - sums[:-size]).max()), 9)

    chosen = max(candidates, key=value)
    return context[chosen[0].start : chosen[-1].end]


# Few words, so that many phrases are equal or nearly so; long stretches without a full stop.
VOCABULARY = st.sampled_from([*"abcdefg", "the", "of", "Ada", "Ben", "1815", ",", ". X", "\n"])


@settings(deadline=None, max_examples=400)
@given(st.lists(VOCABULARY, max_size=8), st.lists(VOCABULARY, min_size=1, max_size=120))
def test_answers_are_those_of_the_definition(question, context):
    asked, text = " ".join(question), " ".join(context)
    if text.strip():
        assert sliding_window_answer(asked, text) == _directly(asked, text)


@pytest.mark.data
def test_answers_to_official_questions_are_those_of_the_definition(data_dir: Path):
    columns = read_squad(data_dir / "squad/v1.1/dev-v1.1.json", unanswerable=False)
    for question, context in zip(columns["question"], columns["context"], strict=True):
        assert sliding_window_answer(question, context) == _directly(question, context)
