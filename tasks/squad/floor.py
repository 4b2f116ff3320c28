"""Answers by rule: the phrase that word overlap prefers (v1.1), or none at all (v2.0)."""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from datasets import Dataset
from numpy.typing import NDArray

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
    windows = _Windows(words, asked_words)
    chosen = max(candidates, key=lambda phrase: windows.value(frozenset(word.text for word in phrase)))
    return context[chosen[0].start : chosen[-1].end]


def _words(text: str) -> list[_Word]:
    return [_Word(match.group().lower(), match.start(), match.end()) for match in _WORD.finditer(text)]


def _pairs(words: Sequence[_Word]) -> Iterator[tuple[str, str]]:
    return ((left.text, right.text) for left, right in pairwise(words))


def _sentences(context: str, words: Sequence[_Word]) -> Iterator[list[_Word]]:
    starts = [word.start for word in words]
    borders = [bisect_left(starts, match.start()) for match in _SENTENCE_BREAK.finditer(context)]
    for begin, end in pairwise([0, *borders, len(words)]):
        if begin < end:
            yield list(words[begin:end])


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


class _Windows:
    """The best window of a context for each phrase, in time that grows with how often the phrase's words occur.

    The words of the question have the same windows for all phrases of one size, and are summed once a size. What a
    phrase adds changes those windows alone that its words are in. Equal phrases are asked once.
    """

    def __init__(self, words: Sequence[_Word], asked: set[str]) -> None:
        self.asked = asked
        places: defaultdict[str, list[int]] = defaultdict(list)
        for place, word in enumerate(words):
            places[word.text].append(place)
        self.places = {text: np.array(found) for text, found in places.items()}
        self.weights = {text: math.log(1 + 1 / len(found)) for text, found in places.items()}
        values = np.array([self.weights[word.text] if word.text in asked else 0.0 for word in words])
        self.sums = np.concatenate(([0.0], np.cumsum(values)))  # of the words of the question
        self.by_size: dict[int, tuple[NDArray[np.float64], float]] = {}
        self.known: dict[frozenset[str], float] = {}

    def value(self, phrase: frozenset[str]) -> float:
        """The largest sum of weights over all windows of as many words as question and phrase have."""
        if phrase not in self.known:
            # Sums carry rounding noise, which must not decide between equals.
            self.known[phrase] = round(self._value(phrase - self.asked), 9)
        return self.known[phrase]

    def _value(self, added: frozenset[str]) -> float:
        num_words = len(self.sums) - 1
        size = min(len(self.asked) + len(added), num_words)
        if size not in self.by_size:
            asked = self.sums[size:] - self.sums[:-size]
            self.by_size[size] = asked, float(asked.max())
        asked, best = self.by_size[size]
        if not added:
            return best
        places = np.concatenate([self.places[text] for text in added])
        weights = np.concatenate([np.full(len(self.places[text]), self.weights[text]) for text in added])
        order = np.argsort(places)
        places, sums = places[order], np.concatenate(([0.0], np.cumsum(weights[order])))
        last = num_words - size
        if size * len(places) < num_words:  # the windows that hold an added word; else all of them
            starts = (places[:, None] - np.arange(size)).ravel().clip(0, last)
        else:
            starts = np.arange(last + 1)
        first, end = np.searchsorted(places, starts), np.searchsorted(places, starts + size)
        return max(best, float((asked[starts] + sums[end] - sums[first]).max()))
