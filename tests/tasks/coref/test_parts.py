"""Parts of coreference that need no run: spans, segments, the loss, decoding."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest
import torch

from atinuke_bench.data.conll.read import read_documents
from atinuke_bench.tasks.coref.decode import Scored, decode_clusters
from atinuke_bench.tasks.coref.floor import head_index
from atinuke_bench.tasks.coref.metric import DocumentCounts, count_document, scores, total
from atinuke_bench.tasks.coref.model import banded_products, marginal_loss
from atinuke_bench.tasks.coref.pairs import span_hashes
from atinuke_bench.tasks.coref.rows import cut_segments, genre_id, read_lexicon
from atinuke_bench.tasks.coref.task import flat_scores, resampler


def test_banded_products_are_the_band_of_the_full_product():
    starts, ends = torch.randn(150, 6), torch.randn(150, 6)
    full = starts @ ends.T
    banded = banded_products(starts, ends, 20)
    for start in range(150):
        num = min(20, 150 - start)
        torch.testing.assert_close(banded[start, :num], full[start, start : start + num])
        assert (banded[start, num:] == 0).all()


def test_span_hashes_are_equal_for_equal_words_alone():
    draw = random.Random(0)
    words = [draw.choice("abcd") for _ in range(3000)]
    ids = torch.tensor([draw_id(word) for word in words])
    spans = [(start, start + width) for start in range(2900) for width in range(3)]
    hashes = span_hashes(ids, *torch.tensor(spans).T).tolist()
    by_text = {}
    for (start, end), value in zip(spans, hashes, strict=True):
        by_text.setdefault(tuple(words[start : end + 1]), set()).add(value)
    assert all(len(values) == 1 for values in by_text.values())
    assert len(set.union(*by_text.values())) == len(by_text) == 4 + 16 + 64


def draw_id(word):
    return int(read_lexicon([[word]]).word_id[0])


def test_the_head_of_a_span_is_that_of_the_rules():
    words = [
        "the",
        "old",
        "margin",
        "of",
        "the",
        "river",
        ",",
        "which",
        "Anna",
        "and",
        "her",
        "mother",
        "'s",
        "friend",
        "knew",
    ]
    limits = read_lexicon([words]).head_limit
    for start in range(len(words)):
        for end in range(start, len(words)):
            assert min(limits[start], end) == start + head_index(words[start : end + 1])


@pytest.mark.parametrize("overlap", [0, 4, 11, 30])
def test_segments_read_every_word_once_and_where_it_has_most_context(overlap):
    draw = random.Random(overlap)
    pieces = [[word + 10] * draw.choice([1, 1, 2, 5, 40]) for word in range(200)]
    segments = cut_segments(pieces, 18, overlap, (1, 2))
    assert segments.lengths.max() <= 18
    assert segments.lengths.sum() == len(segments.piece_ids) == len(segments.piece_word)
    read = segments.piece_word >= 0
    assert segments.piece_word[read].tolist() == sorted(segments.piece_word[read].tolist())
    for word, own in enumerate(pieces):
        assert (segments.piece_word == word).sum() == min(len(own), 16)
        assert set(segments.piece_ids[segments.piece_word == word]) == {word + 10}
    ends = np.cumsum(segments.lengths)
    for start, end in zip(ends - segments.lengths, ends, strict=True):
        assert (segments.piece_ids[start], segments.piece_ids[end - 1]) == (1, 2)
    ids = [segments.piece_ids[start + 1 : end - 1] for start, end in zip(ends - segments.lengths, ends, strict=True)]
    assert all(set(later) - set(earlier) for earlier, later in pairwise(ids))


def test_overlapping_segments_give_context_on_both_sides():
    segments = cut_segments([[word + 10] for word in range(100)], 22, 10, (1, 2))
    places = np.concatenate([np.arange(length) for length in segments.lengths])
    lengths = np.repeat(segments.lengths, segments.lengths)
    for word in range(10, 90):
        place = int(np.flatnonzero(segments.piece_word == word)[0])
        assert min(places[place], lengths[place] - 1 - places[place]) >= 5


def test_marginal_loss_sums_over_gold_antecedents():
    links = torch.tensor([[-1e4, -1e4], [0.0, -1e4], [1.0, 2.0], [3.0, 0.5]])
    antecedents = torch.tensor([[0, 0], [0, 0], [0, 1], [0, 2]])
    cluster = torch.tensor([7, 7, 7, -1])
    expected = [0.0, np.log(2), np.log(1 + np.e + np.e**2) - np.log(np.e + np.e**2), np.log(1 + np.e**3 + np.e**0.5)]
    assert marginal_loss(links, antecedents, cluster).item() == pytest.approx(np.mean(expected), rel=1e-4)


def test_mentions_that_cross_are_never_answered():
    draw = np.random.default_rng(0)
    spans = sorted(
        {(int(s), int(s + w)) for s, w in zip(draw.integers(0, 60, 80), draw.integers(0, 9, 80), strict=True)}
    )
    starts, ends = np.array(spans).T
    antecedent = np.maximum(np.arange(len(spans))[:, None] - np.arange(1, 6), 0)
    link_score = np.where(antecedent < np.arange(len(spans))[:, None], draw.normal(size=(len(spans), 5)), -1e4)
    clusters = decode_clusters(
        Scored(starts, ends, draw.normal(size=len(spans)), antecedent, link_score), keep_singletons=True
    )
    found = sorted(span for cluster in clusters for span in cluster)
    assert len(found) == len(set(found)) > 10
    assert not any(a[0] < b[0] <= a[1] < b[1] for a in found for b in found)
    assert clusters == sorted(clusters, key=lambda cluster: cluster[0])


def test_resampling_recomputes_the_corpus_score(folder):
    key = [document.clusters for document in read_documents(folder / "train.v4_gold_conll")]
    counts = [count_document(gold, gold[number % 3 :]) for number, gold in enumerate(key)]
    picked = np.array([0, 0, 3, 5])
    assert resampler(counts)(picked) == pytest.approx(scores(total([counts[row] for row in picked])).conll_f1)
    assert resampler(counts)(np.arange(len(counts))) == pytest.approx(flat_scores(total(counts))["conll_f1"])
    assert flat_scores(DocumentCounts())["conll_f1"] == 0


def test_genres_are_those_of_ontonotes():
    assert [genre_id(genre) for genre in ("bc", "wb", "litbank", None)] == [1, 7, 0, 0]
