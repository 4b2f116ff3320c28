"""Decoding against a brute-force reference, ties included; the threshold and the rule baselines."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from atinuke_bench.errors import ConfigError, DivergedError
from atinuke_bench.tasks.squad.decode import (
    Candidate,
    always_unanswerable,
    apply_null_threshold,
    choose_null_threshold,
    decode_spans,
    sliding_window_answer,
)
from atinuke_bench.tasks.squad.rows import build_windows


def words_only():
    vocabulary = {token: i for i, token in enumerate(["[UNK]", "[CLS]", "[SEP]", "a", "b", "c"])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return tokenizer


TOKENIZER = words_only()

contexts = st.lists(st.sampled_from(["a", "b", "c", "dd"]), min_size=1, max_size=14).map(" ".join)


def logits_of(windows, seed, num_levels):
    """Few levels give many ties."""
    return np.random.default_rng(seed).integers(0, num_levels, (2, len(windows.input_ids))).astype(np.float32)


def brute_force(windows, start_logits, end_logits, contexts, max_answer_length, num_best):
    results = []
    for row, context in enumerate(contexts):
        spans = []
        for window in np.flatnonzero(windows.example_index == row):
            usable = [p for p in range(*windows.offsets[window : window + 2]) if windows.context_mask[p]]
            for first in usable:
                for last in usable:
                    if 0 <= last - first < max_answer_length:
                        score = start_logits[first] + end_logits[last]
                        begin, end = int(windows.char_starts[first]), int(windows.char_ends[last])
                        spans.append((-score, window, first, last - first, begin, end))
        best, seen = {}, set()
        for negative, _, _, _, begin, end in sorted(spans):
            if len(seen) == num_best:
                break
            if (begin, end) not in seen:
                seen.add((begin, end))
                text = context[begin:end]
                best.setdefault(text, Candidate(text, float(-negative), begin, end))
        results.append(list(best.values()))
    return results


@settings(deadline=None, max_examples=150)
@given(
    rows=st.lists(contexts, min_size=1, max_size=4),
    seed=st.integers(0, 10_000),
    num_levels=st.sampled_from([1, 2, 3, 50]),
    max_answer_length=st.integers(1, 6),
    num_best=st.sampled_from([1, 2, 5, 1000]),
    stride=st.integers(1, 6),
)
def test_decoding_equals_brute_force(rows, seed, num_levels, max_answer_length, num_best, stride):
    windows = build_windows(TOKENIZER, ["a b"] * len(rows), rows, max_length=11, stride=stride)
    start_logits, end_logits = logits_of(windows, seed, num_levels)
    decoded = decode_spans(
        windows, start_logits, end_logits, rows, max_answer_length=max_answer_length, num_best=num_best
    )
    expected = brute_force(windows, start_logits, end_logits, rows, max_answer_length, num_best)
    assert decoded.num_best == expected
    null_scores = start_logits[windows.offsets[:-1]] + end_logits[windows.offsets[:-1]]
    for row in range(len(rows)):
        assert decoded.null_scores[row] == null_scores[windows.example_index == row].min()
        assert decoded.null_odds[row] == decoded.null_scores[row] - expected[row][0].score
    assert decoded.texts == [candidates[0].text for candidates in expected]


def test_many_blocks_of_windows_equal_brute_force():
    rows = ["a b c dd a b c dd a b"] * 30
    windows = build_windows(TOKENIZER, ["a"] * 30, rows, max_length=8, stride=2)
    start_logits, end_logits = logits_of(windows, 0, 4)
    decoded = decode_spans(windows, start_logits, end_logits, rows, max_answer_length=3, num_best=4)
    assert windows.num_windows > 64
    assert decoded.num_best == brute_force(windows, start_logits, end_logits, rows, 3, 4)


def test_ties_go_to_the_earlier_start_then_the_shorter_span():
    windows = build_windows(TOKENIZER, ["a"], ["a b c"])
    zeros = np.zeros(len(windows.input_ids))
    best = decode_spans(windows, zeros, zeros, ["a b c"]).num_best[0]
    assert [candidate.text for candidate in best] == ["a", "a b", "a b c", "b", "b c", "c"]
    assert best[0] == Candidate("a", 0.0, 0, 1)


def test_a_repeated_text_stays_once_with_its_best_score():
    windows = build_windows(TOKENIZER, ["a"], ["b c b"])
    logits = np.zeros(len(windows.input_ids))
    logits[5] = 1.0
    best = decode_spans(windows, logits, logits, ["b c b"], max_answer_length=1).num_best[0]
    assert best == [Candidate("b", 2.0, 4, 5), Candidate("c", 0.0, 2, 3)]


def test_a_context_without_tokens_gives_the_empty_answer():
    windows = build_windows(TOKENIZER, ["a"], [" "])
    logits = np.ones(len(windows.input_ids))
    decoded = decode_spans(windows, logits, logits, [" "])
    assert decoded.num_best == [[Candidate("", 0.0, 0, 0)]]
    assert decoded.null_odds.tolist() == [2.0]


def test_bad_logits_and_sizes():
    windows = build_windows(TOKENIZER, ["a"], ["b"])
    logits = np.zeros(len(windows.input_ids))
    with pytest.raises(DivergedError, match="not finite"):
        decode_spans(windows, logits + np.nan, logits, ["b"])
    with pytest.raises(ConfigError, match="at least 1, got 0 and 20"):
        decode_spans(windows, logits, logits, ["b"], max_answer_length=0)


@settings(deadline=None, max_examples=100)
@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.booleans(), st.sampled_from([-1.5, 0.0, 0.25, 3.0])), min_size=1
    )
)
def test_threshold_is_the_best_that_can_be_applied(rows):
    scores, has_answer, odds = (np.array(column) for column in zip(*rows, strict=True))
    scores = np.where(has_answer, scores, 0.0)

    def mean_score(threshold):
        return 100.0 * np.where(odds > threshold, ~has_answer, scores).mean()

    threshold, best = choose_null_threshold(scores, has_answer, odds)
    assert mean_score(threshold) == pytest.approx(best)
    assert best == pytest.approx(max(mean_score(at) for at in (-9.0, *odds)))
    assert threshold <= min(at for at in (np.inf, *odds) if at == np.inf or mean_score(at) >= best - 1e-9)


def test_threshold_below_all_odds_leaves_everything_unanswered():
    odds = np.array([-2.0, -3.0])
    threshold, best = choose_null_threshold(np.zeros(2), np.array([True, False]), odds)
    assert best == 50.0
    assert apply_null_threshold(["x", "y"], odds, threshold) == ["", ""]


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


def test_always_unanswerable():
    assert always_unanswerable(["q1", "q2"]) == {"q1": "", "q2": ""}
