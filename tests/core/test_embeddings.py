"""Embeddings: their size, and what they add up."""

from __future__ import annotations

import pytest
import torch

from atinuke_bench.core.embeddings import PADDING_ID, Embeddings, ScaledEmbedding


@pytest.mark.parametrize("size", [16, 256])
@pytest.mark.parametrize("rms", [1.0, 0.5])
def test_vectors_have_the_size_asked_for_whatever_the_dimension(size, rms):
    table = ScaledEmbedding(2000, size, rms)
    assert table(torch.arange(2000)).square().mean().sqrt().item() == pytest.approx(rms, rel=0.02)
    assert table.weight.square().mean().sqrt().item() == pytest.approx(rms / size**0.5, rel=0.02)


def test_padding_is_zero_and_stays_so():
    table = ScaledEmbedding(5, 4, padding_idx=PADDING_ID)
    table(torch.arange(5)).sum().backward()
    assert (table.weight[PADDING_ID] == 0).all()
    assert table.weight.grad is not None
    assert (table.weight.grad[PADDING_ID] == 0).all()


def test_token_and_segment_vectors_are_added():
    embeddings = Embeddings(10, 4)
    ids, segments = torch.tensor([[3, 4]]), torch.tensor([[0, 1]])
    expected = 2 * (embeddings.token.weight[3:5] + embeddings.segment.weight)
    torch.testing.assert_close(embeddings(ids, segments, None), expected[None])
