"""From start and end logits to SQuAD answers, the v2.0 no-answer threshold, and the rule baselines.

Letters: W windows, P positions of all windows together, Q questions, T context tokens of a window, A longest answer in
tokens, K size of the n-best list.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from atinuke_bench.errors import ConfigError, DivergedError
from atinuke_bench.tasks.squad.rows import SquadWindows

Array = NDArray[Any]

_WINDOWS_PER_BLOCK = 32  # bounds memory: [32, 384, 30] float32 scores are 15 MB


class Candidate(NamedTuple):
    """One possible answer: `context[start:end]`, and the sum of its start and end logit."""

    text: str
    score: float
    start: int
    end: int


@dataclass(frozen=True)
class SquadDecoded:
    """Answers of Q questions, in order.

    `num_best[q]` holds up to K candidates with different texts, best first, and is never empty. `null_scores` is the
    smallest [CLS] score over a question's windows; `null_odds` is that less the best candidate's score, so that a
    large value speaks for "unanswerable". Both are float64 [Q].
    """

    num_best: list[list[Candidate]]
    null_scores: Array
    null_odds: Array

    @property
    def texts(self) -> list[str]:
        """The best answer of each question, never "" unless its context has no token."""
        return [candidates[0].text for candidates in self.num_best]

    @property
    def scores(self) -> Array:
        """float64 [Q], the score of each best answer."""
        return np.array([candidates[0].score for candidates in self.num_best])


def decode_spans(
    windows: SquadWindows,
    start_logits: Array,
    end_logits: Array,
    contexts: Sequence[str],
    *,
    max_answer_length: int = 30,
    num_best: int = 20,
) -> SquadDecoded:
    """The best spans of every question over all its windows.

    `start_logits` and `end_logits` are [P], in the order of `windows`; `contexts` has one text per question. A span
    begins and ends on context tokens of one window and holds at most `max_answer_length` tokens; its score is the sum
    of two logits in float32. Order: higher score, then earlier window, earlier start, fewer tokens. The K best
    distinct spans are taken; of those with the same text the first stays, so that the list may be shorter than K. A
    span seen in several windows counts in the window where it scores best. A context without tokens gives "" with
    score 0. Raises DivergedError when a logit is not finite, ConfigError for sizes below 1.
    Source: Devlin et al. 2019, run_squad.py.
    """
    start_logits, end_logits = (np.asarray(logits, np.float32) for logits in (start_logits, end_logits))
    assert start_logits.shape == end_logits.shape == windows.input_ids.shape, "one logit per position"
    assert np.bincount(windows.example_index, minlength=len(contexts)).all(), "every question needs its windows"
    if max_answer_length < 1 or num_best < 1:
        raise ConfigError(f"max_answer_length and num_best must be at least 1, got {max_answer_length} and {num_best}")
    if not (np.isfinite(start_logits).all() and np.isfinite(end_logits).all()):
        raise DivergedError("start or end logits are not finite; no answer can be decoded")
    blocks = [
        _best_of_block(
            windows, start_logits, end_logits, slice(first, first + _WINDOWS_PER_BLOCK), max_answer_length, num_best
        )
        for first in range(0, windows.num_windows, _WINDOWS_PER_BLOCK)
    ]
    scores, first_positions, last_positions, window = (np.concatenate(column) for column in zip(*blocks, strict=True))
    question = windows.example_index[window]
    begin, end = windows.char_starts[first_positions], windows.char_ends[last_positions]
    kept = _best_of_questions(scores, question, begin, end, num_best)
    best = _candidates(contexts, question[kept], scores[kept], begin[kept], end[kept])
    cls = windows.offsets[:-1]
    null_scores = np.full(len(contexts), np.inf)
    np.minimum.at(null_scores, windows.example_index, (start_logits[cls] + end_logits[cls]).astype(np.float64))
    return SquadDecoded(best, null_scores, null_scores - [candidates[0].score for candidates in best])


def _best_of_block(
    windows: SquadWindows, start_logits: Array, end_logits: Array, block: slice, max_answer_length: int, num_best: int
) -> tuple[Array, Array, Array, Array]:
    """(score, first position, last position, window) of each window's K best spans, in order of window and rank."""
    begin = windows.offsets[:-1][block]
    lengths = windows.offsets[1:][block] - begin
    column = np.arange(lengths.max())
    inside = column < lengths[:, None]
    position = np.where(inside, begin[:, None] + column, 0)
    usable = inside & windows.context_mask[position]
    starts = np.where(usable, start_logits[position], -np.inf)
    ends = np.pad(
        np.where(usable, end_logits[position], -np.inf), ((0, 0), (0, max_answer_length - 1)), constant_values=-np.inf
    )
    scores = starts[:, :, None] + sliding_window_view(ends, max_answer_length, axis=1)  # [block, T, A]
    # The K-th best of the best spans per start is a bound that the K best spans all reach.
    per_start = scores.max(axis=2)
    rank = min(num_best, per_start.shape[1])
    bound = np.partition(per_start, -rank, axis=1)[:, -rank]
    row, start, extra = np.nonzero((scores >= bound[:, None, None]) & (scores > -np.inf))
    values = scores[row, start, extra]
    # `nonzero` lists by window, start and length, which is the order wanted among equals; lexsort is stable.
    order = np.lexsort((-values, row))
    order = order[_rank_in_group(row[order]) < num_best]
    first = begin[row[order]] + start[order]
    return values[order], first, first + extra[order], row[order] + block.start


def _rank_in_group(groups: Array) -> Array:
    """Each entry's number within its run of equal entries.

    >>> _rank_in_group(np.array([4, 4, 4, 7, 7])).tolist()
    [0, 1, 2, 0, 1]
    """
    index = np.arange(len(groups))
    is_first = np.ones(len(groups), bool)
    is_first[1:] = groups[1:] != groups[:-1]
    return index - np.maximum.accumulate(np.where(is_first, index, 0))


def _best_of_questions(scores: Array, question: Array, begin: Array, end: Array, num_best: int) -> Array:
    """Indices of each question's K best distinct spans, in order of question and rank."""
    order = np.lexsort((-scores, question))
    spans = np.stack([question, begin, end], axis=1)[order]
    by_span = np.lexsort((spans[:, 2], spans[:, 1], spans[:, 0]))  # stable: equal spans stay in order of rank
    repeated = np.zeros(len(order), bool)
    repeated[by_span[1:]] = (spans[by_span[1:]] == spans[by_span[:-1]]).all(axis=1)
    order = order[~repeated]
    return order[_rank_in_group(question[order]) < num_best]


def _candidates(contexts: Sequence[str], *columns: Array) -> list[list[Candidate]]:
    best: list[dict[str, Candidate]] = [{} for _ in contexts]
    for question, score, begin, end in zip(*(column.tolist() for column in columns), strict=True):
        text = contexts[question][begin:end]
        best[question].setdefault(text, Candidate(text, score, begin, end))
    return [list(found.values()) or [Candidate("", 0.0, 0, 0)] for found in best]


def choose_null_threshold(scores: Array, has_answer: Array, null_odds: Array) -> tuple[float, float]:
    """The threshold on null odds with the highest mean score, and that score in percent, on a selection slice.

    `scores` [Q] is the score (0 to 1) of each question's best non-empty answer; a question whose odds exceed the
    threshold is left unanswered, and scores 1 if `has_answer` [Q] is false. Among equals the lowest threshold, thus
    the fewest answers, wins. It is the official `best_f1_thresh`, with two differences: questions with equal odds are
    answered together, since no threshold separates them, and when nothing should be answered the threshold lies
    just below all odds, where the official script reports 0.

    >>> choose_null_threshold(np.array([1.0, 0.0]), np.array([True, False]), np.array([-2.0, 3.0]))
    (-2.0, 100.0)
    """
    odds = np.asarray(null_odds, np.float64)
    order = np.argsort(odds, kind="stable")
    odds = odds[order]
    unanswered = 1.0 - np.asarray(has_answer, np.float64)[order]
    totals = unanswered.sum() + np.concatenate(([0.0], np.cumsum(np.asarray(scores)[order] - unanswered)))
    reachable = np.concatenate(([True], odds[1:] != odds[:-1], [True]))
    best = int(np.argmax(np.where(reachable, totals, -np.inf)))
    threshold = odds[best - 1] if best else np.nextafter(odds[0], -np.inf)
    return float(threshold), float(100.0 * totals[best] / len(odds))


def apply_null_threshold(texts: Sequence[str], null_odds: Array, threshold: float) -> list[str]:
    """Answers with "" in place of those whose null odds exceed `threshold`.

    >>> apply_null_threshold(["Denver", "1999"], np.array([-1.0, 2.0]), 0.5)
    ['Denver', '']
    """
    return ["" if odds > threshold else text for text, odds in zip(texts, null_odds, strict=True)]


_WORD = re.compile(r"\w+(?:[-'’.,]\w+)*")
_SENTENCE_BREAK = re.compile(r"(?<=[.!?])[\"”')\]]*\s+(?=[A-Z0-9\"“'(\[])|\n+")
_FUNCTION_TEXT = (
    "a an the of in on at to by for from with and or but as is are was were be been has have had do does did it its "
    "this that these those which who whom whose what when where why how he she they his her their not than then there "
    "into also after before during between about over under up out"
)
_FUNCTION_WORDS = frozenset(_FUNCTION_TEXT.split())


class _Word(NamedTuple):
    text: str  # lower-cased
    start: int
    end: int


def sliding_window_answer(question: str, context: str) -> str:
    """The floor of v1.1: the phrase that a sliding window of word overlap prefers; always part of the context.

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


def always_unanswerable(ids: Iterable[str]) -> dict[str, str]:
    """The floor of v2.0: the empty prediction for every question.

    >>> always_unanswerable(["q1", "q2"])
    {'q1': '', 'q2': ''}
    """
    return dict.fromkeys(ids, "")
