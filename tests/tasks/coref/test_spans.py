"""Scores of spans in a band, and equal texts."""

from __future__ import annotations

import random

import torch

from atinuke_bench.tasks.coref.rows import lexical_columns
from atinuke_bench.tasks.coref.spans import banded_products, span_hashes


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
    by_text: dict[tuple[str, ...], set[int]] = {}
    for (start, end), value in zip(spans, hashes, strict=True):
        by_text.setdefault(tuple(words[start : end + 1]), set()).add(value)
    assert all(len(values) == 1 for values in by_text.values())
    assert len(set.union(*by_text.values())) == len(by_text) == 4 + 16 + 64


def draw_id(word):
    return int(lexical_columns([[word]])["word_id"][0])
