"""Decoding against a brute-force reference, ties included, and the threshold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from atinuke_bench.data.features import Ragged
from atinuke_bench.errors import DivergedError
from atinuke_bench.tasks.squad.decode import choose_null_threshold, decode_spans, probable_spans
from atinuke_bench.tasks.squad.rows import build_windows


def words_only():
    vocabulary = {token: i for i, token in enumerate(["[UNK]", "[CLS]", "[SEP]", "a", "b", "c"])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return tokenizer


TOKENIZER = words_only()

contexts = st.lists(st.sampled_from(["a", "b", "c", "dd"]), min_size=1, max_size=14).map(" ".join)


def rows_of(*arguments, **sizes):
    return build_windows(TOKENIZER, *arguments, **sizes).encoded


def num_positions(encoded):
    return int(encoded.lengths.sum())


def logits_of(encoded, seed, num_levels):
    """Few levels give many ties."""
    return np.random.default_rng(seed).integers(0, num_levels, (2, num_positions(encoded))).astype(np.float32)


def brute_force(encoded, start_logits, end_logits, contexts, max_answer_length):
    """Text and score of each question's best span."""
    offsets = encoded.ragged["input_ids"].offsets
    usable = encoded.ragged["context_mask"].values
    char_starts, char_ends = (encoded.host[name].values for name in ("char_starts", "char_ends"))
    results = []
    for row, context in enumerate(contexts):
        spans = []
        for window in np.flatnonzero(encoded.example_index == row):
            positions = [p for p in range(*offsets[window : window + 2]) if usable[p]]
            for first in positions:
                for last in positions:
                    if 0 <= last - first < max_answer_length:
                        score = start_logits[first] + end_logits[last]
                        spans.append(
                            (-score, window, first, last - first, context[char_starts[first] : char_ends[last]])
                        )
        negative, *_, text = min(spans)
        results.append((text, float(-negative)))
    return results


@settings(deadline=None, max_examples=150)
@given(
    rows=st.lists(contexts, min_size=1, max_size=4),
    seed=st.integers(0, 10_000),
    num_levels=st.sampled_from([1, 2, 3, 50]),
    max_answer_length=st.integers(1, 6),
    stride=st.integers(1, 6),
)
def test_decoding_equals_brute_force(rows, seed, num_levels, max_answer_length, stride):
    encoded = rows_of(["a b"] * len(rows), rows, max_length=11, stride=stride)
    start_logits, end_logits = logits_of(encoded, seed, num_levels)
    decoded = decode_spans(encoded, start_logits, end_logits, rows, max_answer_length=max_answer_length)
    expected = brute_force(encoded, start_logits, end_logits, rows, max_answer_length)
    assert decoded.texts == [text for text, _ in expected]
    first = encoded.ragged["input_ids"].offsets[:-1]
    null_scores = start_logits[first] + end_logits[first]
    for row, (_, score) in enumerate(expected):
        assert decoded.null_odds[row] == null_scores[encoded.example_index == row].min() - score


@settings(deadline=None, max_examples=60)
@given(
    rows=st.lists(contexts, min_size=1, max_size=3),
    seed=st.integers(0, 10_000),
    num_levels=st.sampled_from([1, 3, 50]),
    threshold=st.sampled_from([None, -3.0, 0.0, 2.0]),
)
def test_probabilities_of_all_spans_add_up_to_one_and_the_answer_is_first(rows, seed, num_levels, threshold):
    encoded = rows_of(["a b"] * len(rows), rows, max_length=11, stride=4)
    start, end = logits_of(encoded, seed, num_levels)
    decoded = decode_spans(encoded, start, end, rows, max_answer_length=4)
    listed = probable_spans(encoded, start, end, rows, threshold, max_answer_length=4, most=1000)
    few = probable_spans(encoded, start, end, rows, threshold, max_answer_length=4, most=2)
    for row, (spans, first) in enumerate(zip(listed, few, strict=True)):
        shares = [span["probability"] for span in spans]
        assert sum(shares) == pytest.approx(1)
        assert shares == sorted(shares, reverse=True)
        is_empty = threshold is not None and decoded.null_odds[row] > threshold
        assert spans[0]["text"] == ("" if is_empty else decoded.texts[row])
        assert spans[:2] == first
        assert sum(span["start"] is None for span in spans) == (threshold is not None)
        places = [(span["start"], span["text"]) for span in spans]
        assert len(set(places)) == len(places)
        assert all(rows[row].startswith(text, place) for place, text in places if place is not None)


def test_rows_in_another_order_are_decoded_alike():
    rows = ["a b c dd a b c dd a b", "c a b"] * 20
    encoded = rows_of(["a"] * 40, rows, max_length=8, stride=2)
    starts, ends = logits_of(encoded, 0, 1000)
    whole = decode_spans(encoded, starts, ends, rows, max_answer_length=3)
    assert len(encoded) > 64
    order = np.random.default_rng(1).permutation(len(encoded))
    offsets = encoded.ragged["input_ids"].offsets
    taken_starts, taken_ends = (Ragged(values, offsets).take(order).values for values in (starts, ends))
    shuffled = decode_spans(encoded.take(order), taken_starts, taken_ends, rows, max_answer_length=3)
    assert whole.texts == shuffled.texts == [text for text, _ in brute_force(encoded, starts, ends, rows, 3)]
    assert whole.null_odds.tolist() == shuffled.null_odds.tolist()


@pytest.mark.parametrize(("raised", "text"), [((), "a"), ((4,), "b"), ((3, 4), "a"), ((5,), "c")])
def test_ties_go_to_the_earlier_start_then_the_shorter_span(raised, text):
    encoded = rows_of(["a"], ["a b c"])
    logits = np.zeros(num_positions(encoded))
    logits[list(raised)] = 1.0
    assert decode_spans(encoded, logits, logits, ["a b c"]).texts == [text]


def test_a_context_without_tokens_gives_the_empty_answer():
    encoded = rows_of(["a"], [" "])
    logits = np.ones(num_positions(encoded))
    decoded = decode_spans(encoded, logits, logits, [" "])
    assert decoded.texts == [""]
    assert decoded.null_odds.tolist() == [2.0]


def test_logits_that_are_not_finite():
    encoded = rows_of(["a"], ["b"])
    logits = np.zeros(num_positions(encoded))
    with pytest.raises(DivergedError, match="not finite"):
        decode_spans(encoded, logits + np.nan, logits, ["b"])


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

    threshold = choose_null_threshold(scores, has_answer, odds)
    best = max(mean_score(at) for at in (-9.0, *odds))
    assert mean_score(threshold) == pytest.approx(best)
    assert threshold <= min(at for at in (np.inf, *odds) if at == np.inf or mean_score(at) >= best - 1e-9)


def test_threshold_below_all_odds_leaves_everything_unanswered():
    odds = np.array([-2.0, -3.0])
    threshold = choose_null_threshold(np.zeros(2), np.array([True, False]), odds)
    assert (odds > threshold).all()
