"""Self-attention against its definition, written out with loops in float64."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from atinuke_bench.core.attention import SelfAttention, Visibility, visibility
from atinuke_bench.core.positions import alibi_slopes, rotations

SIZE, HEADS = 12, 3


def naive_attention(
    layer: SelfAttention,
    hidden: Tensor,
    lengths: list[int],
    causal: bool,
    turned: bool = False,
    window: int | None = None,
    slopes: list[float] | None = None,
) -> Tensor:
    """softmax(QK' / sqrt(K)) V head by head and query by query."""
    head_size = SIZE // HEADS
    queries, keys, values = layer.qkv(hidden).chunk(3, dim=-1)
    mixed = torch.zeros_like(hidden)
    for row, length in enumerate(lengths):
        for head in range(HEADS):
            part = slice(head * head_size, (head + 1) * head_size)
            for place in range(length):
                last = place + 1 if causal else length
                seen = [at for at in range(last) if window is None or abs(place - at) <= window]
                query, key = queries[row, place, part], keys[row, seen, part]
                if turned:
                    query, key = turn(query, place), torch.stack([turn(k, at) for at, k in zip(seen, key, strict=True)])
                scores = key @ query / math.sqrt(head_size)
                if slopes is not None:
                    scores = scores - torch.tensor([slopes[head] * abs(place - at) for at in seen])
                mixed[row, place, part] = torch.softmax(scores, dim=0) @ values[row, seen, part]
    return layer.out(mixed)


def turn(vector: Tensor, place: int) -> Tensor:
    """Pairs (i, i + K/2) as complex numbers, turned by place * 10000 ** (-2i / K)."""
    half = len(vector) // 2
    angles = place * 10_000.0 ** (-2 * torch.arange(half, dtype=torch.float64) / len(vector))
    turned = torch.complex(vector[:half], vector[half:]) * torch.polar(torch.ones_like(angles), angles)
    return torch.cat([turned.real, turned.imag])


@pytest.mark.parametrize("lengths", [[6, 6], [6, 2], [1, 5]])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("turned", [False, True])
def test_equals_the_definition(lengths, causal, turned):
    layer = SelfAttention(SIZE, HEADS, dropout=0.0)
    hidden = torch.randn(2, 6, SIZE)
    attention_mask = torch.arange(6) < torch.tensor(lengths)[:, None]
    rotation = rotations(6, SIZE // HEADS) if turned else None
    found = layer(hidden, visibility(attention_mask, causal), rotation).double()
    expected = naive_attention(layer.double(), hidden.double(), lengths, causal, turned)
    torch.testing.assert_close(found[attention_mask], expected[attention_mask], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("lengths", [[9, 9], [9, 2], [1, 7]])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("window", [None, 1, 3, 50])
@pytest.mark.parametrize("slopes", [None, [0.0625, 0.00390625, 0.25]], ids=["plain", "alibi"])
def test_windows_and_alibi_equal_the_definition(lengths, causal, window, slopes):
    layer = SelfAttention(SIZE, HEADS, dropout=0.0).double()
    hidden = torch.randn(2, 9, SIZE, dtype=torch.float64)
    attention_mask = torch.arange(9) < torch.tensor(lengths)[:, None]
    visible = visibility(attention_mask, causal, window, None if slopes is None else alibi_slopes(HEADS))
    if visible.mask is not None and visible.mask.is_floating_point():
        visible = visible._replace(mask=visible.mask.double())
    found = layer(hidden, visible)
    expected = naive_attention(layer, hidden, lengths, causal, window=window, slopes=slopes)
    torch.testing.assert_close(found[attention_mask], expected[attention_mask])
    assert found.isfinite().all()


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("window", [None, 2])
@pytest.mark.parametrize("slopes", [None, alibi_slopes(HEADS)], ids=["plain", "alibi"])
def test_probabilities_recomputed_from_what_is_added_mix_as_the_kernel_does(causal, window, slopes):
    layer, hidden = SelfAttention(SIZE, HEADS, dropout=0.0), torch.randn(2, 6, SIZE)
    attention_mask = torch.arange(6) < torch.tensor([6, 3])[:, None]
    visible = visibility(attention_mask, causal, window, slopes)
    queries, keys, values = layer.qkv(hidden).unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
    scores = queries @ keys.transpose(-1, -2) / math.sqrt(SIZE // HEADS) + visible.added(6)
    mixed = scores.softmax(dim=-1) @ values
    found = layer.out(mixed.transpose(1, 2).flatten(2))
    torch.testing.assert_close(found[attention_mask], layer(hidden, visible)[attention_mask])


def test_gradients_equal_those_of_the_definition():
    layer = SelfAttention(SIZE, HEADS, dropout=0.0).double()
    hidden = torch.randn(2, 4, SIZE, dtype=torch.float64, requires_grad=True)
    attention_mask = torch.tensor([[True] * 4, [True, True, False, False]])
    found = layer(hidden, visibility(attention_mask, causal=False))
    expected = naive_attention(layer, hidden, [4, 2], causal=False)
    (gradient,) = torch.autograd.grad(found[attention_mask].square().sum(), hidden)
    (expected_gradient,) = torch.autograd.grad(expected[attention_mask].square().sum(), hidden)
    torch.testing.assert_close(gradient, expected_gradient)


def test_a_causal_stack_needs_no_mask():
    attention_mask = torch.tensor([[True, True], [True, False]])
    assert visibility(attention_mask, causal=True) == (None, True)


def test_a_row_of_padding_sees_itself():
    attention_mask = torch.tensor([[True, False], [False, False]])
    mask = visibility(attention_mask, causal=False).mask
    assert mask is not None
    assert mask.tolist() == [[[[True, False]]], [[[True, True]]]]


def test_dropout_acts_on_the_attention_weights_in_training():
    layer = SelfAttention(SIZE, HEADS, dropout=0.5)
    hidden, visible = torch.randn(1, 5, SIZE), visibility(torch.ones(1, 5, dtype=torch.bool), causal=False)
    assert not torch.equal(layer(hidden, visible), layer(hidden, visible))
    layer.eval()
    assert torch.equal(layer(hidden, visible), layer(hidden, visible))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("length", [7, 33, 128])
def test_a_mask_that_hides_nothing_changes_no_bit_on_a_processor(dtype, length):
    layer = SelfAttention(32, 4, dropout=0.0).to(dtype)
    results = []
    for visible in (visibility(torch.ones(3, length, dtype=torch.bool), causal=False), Visibility(None, False)):
        hidden = torch.linspace(-2, 2, 3 * length * 32).view(3, length, 32).sin().to(dtype).requires_grad_()
        mixed = layer(hidden, visible)
        results.append((mixed, *torch.autograd.grad(mixed.square().sum(), hidden)))
    assert all(torch.equal(with_mask, without) for with_mask, without in zip(*results, strict=True))
