"""Answers by rule: the phrase that word overlap prefers (v1.1), or none at all (v2.0)."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from datasets import Dataset

from atinuke_bench.config import RunConfig
from atinuke_bench.tasks.squad.metric import SquadAnswer

_WORD = re.compile(r"\w+(?:[-'’.,]\w+)*")
_SENTENCE_BREAK = re.compile(r"(?<=[.!?])[\"”')\]]*\s+(?=[A-Z0-9\"“'(\[])|\n+")
_FUNCTION_TEXT = (
    "a an the of in on at to by for from with and or but as is are was were be been has have had do does did it its "
    "this that these those which who whom whose what when where why how he she they his her their not than then there "
    "into also after before during between about over under up out"
)
_FUNCTION_WORDS = frozenset(_FUNCTION_TEXT.split())


def sliding_window(train: Dataset, examples: Dataset, run: RunConfig) -> dict[str, SquadAnswer]:
    """The floor of v1.1: `sliding_window_answer` to every question."""
    texts = {row["id"]: sliding_window_answer(row["question"], row["context"]) for row in examples}
    return {id_: SquadAnswer(text, text) for id_, text in texts.items()}


def always_unanswerable(train: Dataset, examples: Dataset, run: RunConfig) -> dict[str, SquadAnswer]:
    """The floor of v2.0: the empty prediction for every question."""
    return dict.fromkeys(examples["id"][:], SquadAnswer("", ""))


class _Word(NamedTuple):
    text: str  # lower-cased
    start: int
    end: int


def sliding_window_answer(question: str, context: str) -> str:
    """The phrase that a sliding window of word overlap prefers; always part of the context.

    Sentences with the largest overlap with the question (distinct words plus distinct word pairs in common) give the
    candidates: the longest runs of words that are neither function words nor in the question, broken by punctuation.
    A candidate's value: with S the distinct words of question and candidate, the largest sum over all windows of |S|
    words of the context of log(1 + 1 / count(w)) for the words w of the window that are in S, count(w) being w's in the
    context. The first of the best wins. Without candidates, the answer is the first of the sentences.

    Source: the sliding-window baseline of Rajpurkar et al. 2016 after Richardson et al. 2013 (MCTest), with phrases
    in place of the constituents of their parser.

    >>> sliding_window_answer("Where was Ada Lovelace born?", "Rain fell. Ada Lovelace was born in London, in 1815.")
    'London'
    """
    words = _words(context)
    if not words:
        return context.strip()
    asked = _words(question)
    asked_words = {word.text for word in asked}
    asked_features = asked_words | set(_pairs(asked))
    sentences = list(_sentences(context, words))
    overlaps = [len(asked_features & ({word.text for word in s} | set(_pairs(s)))) for s in sentences]
    best = [s for s, overlap in zip(sentences, overlaps, strict=True) if overlap == max(overlaps)]
    candidates = [phrase for sentence in best for phrase in _phrases(sentence, context, asked_words)] or best[:1]
    counts = Counter(word.text for word in words)
    weights = {text: math.log(1 + 1 / count) for text, count in counts.items()}
    chosen = max(candidates, key=lambda phrase: _window_value(words, weights, asked_words | {w.text for w in phrase}))
    return context[chosen[0].start : chosen[-1].end]


def _words(text: str) -> list[_Word]:
    return [_Word(match.group().lower(), match.start(), match.end()) for match in _WORD.finditer(text)]


def _pairs(words: Sequence[_Word]) -> Iterator[tuple[str, str]]:
    return ((left.text, right.text) for left, right in pairwise(words))


def _sentences(context: str, words: Sequence[_Word]) -> Iterator[list[_Word]]:
    begin = 0
    for end in [*(match.start() for match in _SENTENCE_BREAK.finditer(context)), len(context)]:
        sentence = [word for word in words if begin <= word.start < end]
        if sentence:
            yield sentence
        begin = end


def _phrases(sentence: Sequence[_Word], context: str, asked: set[str]) -> list[list[_Word]]:
    phrases: list[list[_Word]] = [[]]
    for word in sentence:
        phrase = phrases[-1]
        broken = phrase and context[phrase[-1].end : word.start].strip()
        excluded = word.text in _FUNCTION_WORDS or word.text in asked
        if broken or excluded:
            phrases.append([])
        if not excluded:
            phrases[-1].append(word)
    return [phrase for phrase in phrases if phrase]


def _window_value(words: Sequence[_Word], weights: dict[str, float], wanted: set[str]) -> float:
    values = np.array([weights[word.text] if word.text in wanted else 0.0 for word in words])
    sums = np.concatenate(([0.0], np.cumsum(values)))
    size = min(len(wanted), len(values))
    # Differences of running sums carry rounding noise, which must not decide between equals.
    return round(float((sums[size:] - sums[:-size]).max()), 9)
