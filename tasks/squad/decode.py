"""From start and end logits to SQuAD answers, and the threshold beyond which v2.0 gives none.

Letters: W windows, P positions of all windows together, Q questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from atinuke_bench.data.features import Encoded
from atinuke_bench.errors import DivergedError
from atinuke_bench.heads.probabilities import softmax
from atinuke_bench.training.task import Outputs

Array = NDArray[Any]
#: Answers to a question that are listed with their probabilities.
MOST_SPANS = 10


class BestSpans(NamedTuple):
    """The best span of each of Q questions, in order.

    A text is "" only where the context has no token. `null_odds`, float64 [Q], is the smallest [CLS] score over a
    question's windows less the best span's score, so that a large value speaks for "unanswerable".
    """

    texts: list[str]
    null_odds: Array


def flat_logits(outputs: Outputs, encoded: Encoded) -> tuple[Array, Array]:
    """Start and end logits, float32 [P] in the order of the rows, from padded ones in any order of batches."""
    offsets = encoded.ragged["input_ids"].offsets
    start, end = np.empty((2, offsets[-1]), np.float32)
    for output in outputs:
        rows, columns = output["rows"], np.arange(output["start"].shape[1])
        inside = columns < encoded.lengths[rows][:, None]  # (B, L)
        places = (offsets[rows][:, None] + columns)[inside]
        start[places], end[places] = output["start"][inside], output["end"][inside]
    return start, end


def decode_spans(
    encoded: Encoded, start_logits: Array, end_logits: Array, contexts: Sequence[str], *, max_answer_length: int = 30
) -> BestSpans:
    """The best span of every question over all its windows.

    `start_logits` and `end_logits` are [P], in the order of the rows; `contexts` has one text per question. A span
    begins and ends on context tokens of one window and holds at most `max_answer_length` tokens; its score is the sum
    of two logits in float32. Among equals the earlier window, then the earlier start, then fewer tokens win. A context
    without tokens gives "" with score 0. Raises DivergedError when a logit is not finite.
    Source: Devlin et al. 2019, run_squad.py.
    """
    start_logits, end_logits = (np.asarray(logits, np.float32) for logits in (start_logits, end_logits))
    offsets = encoded.ragged["input_ids"].offsets
    assert start_logits.shape == end_logits.shape == (offsets[-1],), "one logit per position"
    assert np.bincount(encoded.example_index, minlength=len(contexts)).all(), "every question needs its windows"
    if not (np.isfinite(start_logits).all() and np.isfinite(end_logits).all()):
        raise DivergedError("start or end logits are not finite; no answer can be decoded")
    scores, last = _best_from_each_start(encoded, start_logits, end_logits, max_answer_length)
    question = np.repeat(encoded.example_index, encoded.lengths)  # [P]
    highest = np.full(len(contexts), -np.inf, np.float32)
    np.maximum.at(highest, question, scores)
    # `unique` gives the first of the equals, which is the earliest window and start.
    best = np.flatnonzero((scores == highest[question]) & (scores > -np.inf))
    answered, place = np.unique(question[best], return_index=True)
    begin = encoded.host["char_starts"].values[best[place]]
    end = encoded.host["char_ends"].values[last[best[place]]]
    texts = [""] * len(contexts)
    for row, *span in zip(answered.tolist(), begin.tolist(), end.tolist(), strict=True):
        texts[row] = contexts[row][slice(*span)]
    null_scores = np.full(len(contexts), np.inf)
    np.minimum.at(null_scores, encoded.example_index, start_logits[offsets[:-1]] + end_logits[offsets[:-1]])
    return BestSpans(texts, null_scores - np.where(np.isfinite(highest), highest, 0).astype(np.float64))


def probable_spans(
    encoded: Encoded,
    start_logits: Array,
    end_logits: Array,
    contexts: Sequence[str],
    null_threshold: float | None,
    *,
    max_answer_length: int = 30,
    most: int = MOST_SPANS,
) -> list[list[dict[str, Any]]]:
    """The `most` most probable spans of every question: `text`, `start` in the context, and `probability`.

    The probabilities of all spans that may be answers add up to 1, those that are not listed included; a span that
    several windows hold has its best score there. With a threshold no answer is one of them (`text` "", no `start`).
    Arguments and order are those of `decode_spans`, whose answer is the first one.
    """
    best = decode_spans(encoded, start_logits, end_logits, contexts, max_answer_length=max_answer_length)
    question = np.repeat(encoded.example_index, encoded.lengths)  # [P]
    begins, ends = encoded.host["char_starts"].values, encoded.host["char_ends"].values
    spans = _all_spans(encoded, start_logits, end_logits, max_answer_length)
    found = []
    for number, context in enumerate(contexts):
        score, first, last = (part[question[spans[1]] == number] for part in spans)
        order = np.lexsort((last, first, -score))
        score, places = score[order].astype(np.float64), np.stack([begins[first[order]], ends[last[order]]], axis=1)
        _, kept = np.unique(places, axis=0, return_index=True)  # the first, and so the best, of the same place
        kept.sort()
        score, places = score[kept], places[kept]
        answers = [(context[slice(*place)], place[0]) for place in places[:most].tolist()]
        if null_threshold is not None:
            odds = best.null_odds[number] - null_threshold + (score[0] if len(score) else 0.0)
            rank = int((score >= odds).sum())
            score = np.insert(score, rank, odds)
            answers = [*answers[:rank], ("", None), *answers[rank:]][:most] if rank < most else answers
        shares = softmax(score) if len(score) else np.ones(1)
        answers = answers or [("", None)]
        found.append(
            [
                {"text": text, "start": start, "probability": share}
                for (text, start), share in zip(answers, shares.tolist(), strict=False)
            ]
        )
    return found


def _all_spans(encoded: Encoded, starts: Array, ends: Array, max_answer_length: int) -> tuple[Array, Array, Array]:
    """Score, first and last position of every span that may be an answer."""
    usable = encoded.ragged["context_mask"].values.astype(bool)
    window = np.repeat(np.arange(len(encoded)), encoded.lengths)
    firsts, lasts = [], []
    for extra in range(min(max_answer_length, encoded.lengths.max())):
        first = np.arange(len(usable) - extra)
        first = first[usable[first] & usable[first + extra] & (window[first] == window[first + extra])]
        firsts.append(first)
        lasts.append(first + extra)
    first, last = np.concatenate(firsts), np.concatenate(lasts)
    return starts[first] + ends[last], first, last


def _best_from_each_start(encoded: Encoded, starts: Array, ends: Array, max_answer_length: int) -> tuple[Array, Array]:
    """Score and last position, both [P], of the best span that begins at each position; -inf where none may begin."""
    usable = encoded.ragged["context_mask"].values
    starts, ends = (np.where(usable, logits, -np.inf) for logits in (starts, ends))
    window = np.repeat(np.arange(len(encoded)), encoded.lengths)
    scores, last = starts + ends, np.arange(len(starts))
    for extra in range(1, min(max_answer_length, encoded.lengths.max())):
        longer = starts[:-extra] + ends[extra:]
        better = np.flatnonzero((longer > scores[:-extra]) & (window[:-extra] == window[extra:]))
        scores[better], last[better] = longer[better], better + extra
    return scores, last


def choose_null_threshold(scores: Array, has_answer: Array, null_odds: Array) -> float:
    """The threshold on null odds with the highest mean score on a selection slice.

    `scores` [Q] is the score (0 to 1) of each question's best non-empty answer; a question whose odds exceed the
    threshold is left unanswered, and scores 1 if `has_answer` [Q] is false. Among equals the lowest threshold wins,
    which gives the fewest answers. It is the official `best_f1_thresh`, with two differences: questions with equal odds
    are answered together, since no threshold separates them, and when nothing should be answered the threshold lies
    just below all odds, where the official script reports 0.

    >>> choose_null_threshold(np.array([1.0, 0.0]), np.array([True, False]), np.array([-2.0, 3.0]))
    -2.0
    """
    odds = np.asarray(null_odds, np.float64)
    order = np.argsort(odds, kind="stable")
    odds = odds[order]
    unanswered = 1.0 - np.asarray(has_answer, np.float64)[order]
    totals = unanswered.sum() + np.concatenate(([0.0], np.cumsum(np.asarray(scores)[order] - unanswered)))
    reachable = np.concatenate(([True], odds[1:] != odds[:-1], [True]))
    best = int(np.argmax(np.where(reachable, totals, -np.inf)))
    return float(odds[best - 1] if best else np.nextafter(odds[0], -np.inf))
