"""Multi-head self-attention, and which position may see which.

Legend of shapes: B batch, T tokens, D hidden size, H heads, K size of a head (D / H).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from .base import assert_right_padded
from .positions import rotate


class Visibility(NamedTuple):
    """Which keys a query sees and how distance counts, as `scaled_dot_product_attention` takes it; once for all layers.

    The mask broadcasts to (B, H, T, T). It is bool, True where a key may be seen, or, with ALiBi, float32: what is
    added to the scaled scores, -inf where a key may not be seen.
    """

    mask: Tensor | None
    is_causal: bool

    def added(self, length: int, device: torch.device | None = None) -> Tensor:  # broadcasts to (B, H, T, T)
        """All of it as float32 to add to scaled scores, so that probabilities are softmax(QK' / sqrt(K) + added)."""
        if self.mask is not None and self.mask.is_floating_point():
            return self.mask
        seen = self.mask
        if seen is None:
            places = torch.arange(length, device=device)
            seen = (places[:, None] >= places) | (not self.is_causal)
        return torch.zeros(seen.shape, device=seen.device).masked_fill(~seen, -math.inf)


def visibility(
    attention_mask: Tensor,  # (B, T) bool
    causal: bool,
    window: int | None = None,
    slopes: Tensor | None = None,  # (H,)
) -> Visibility:
    """Who sees whom, given the padding, a window of neighbours on each side, and the slopes of ALiBi.

    Padding is on the right, so in a causal stack no real token can see it, and without window and slopes the causal
    kernel needs no mask. A row that is all padding would leave its queries without a key, and NaN after the softmax; it
    sees itself instead.
    """
    assert_right_padded(attention_mask)
    is_plain = window is None and slopes is None
    if causal and is_plain:
        return Visibility(None, is_causal=True)
    seen = attention_mask | ~attention_mask.any(dim=1, keepdim=True)
    mask = seen[:, None, None, :]
    if is_plain:
        return Visibility(mask, is_causal=False)
    places = torch.arange(attention_mask.shape[1], device=attention_mask.device)
    behind = places[:, None] - places  # (T, T): how many places the key is before the query
    mask = (behind >= 0)[None, None] if causal else mask
    if window is not None:
        # Padding far from the last real token sees itself, so that its vectors, which nobody reads, are finite.
        mask = (mask & (behind.abs() <= window)) | (behind == 0)
    if slopes is None:
        return Visibility(mask, is_causal=False)
    bias = -slopes[:, None, None] * behind.abs()  # (H, T, T)
    return Visibility(bias.masked_fill(~mask, -math.inf), is_causal=False)


class SelfAttention(nn.Module):
    """Multi-head self-attention with one projection for queries, keys and values.

    Measured on one CPU thread (64 x 32 tokens, D 128, H 4, float32, forward and backward, torch 2.13): the fused
    kernel takes 11.2 ms without a mask, 11.6 with a padding mask and 11.8 with one of (T, T); the math kernel 17 to
    19. Masks therefore stay boolean and broadcast. Dropout inside attention forces the math kernel on CPU.

    On CPU causal and masked attention take the same kernel, flash, and an all-true mask changes no bit. On CUDA flash
    takes no mask (`check_for_attn_mask` in torch's sdp_utils_cpp.h), so that a bidirectional core with padding gets
    another kernel than a causal one. To leave an all-true mask out would need a wait for the device in every step, and
    would mix kernels within a run; `cost.attention_kernel` says instead which ones ran.

    ALiBi subtracts slope x distance from the scores of each head, before and behind a token alike; a bidirectional core
    therefore tells near from far by it, and not left from right (Press et al. 2022 define the causal form alone). A
    window hides what is farther; the kernel still computes all scores, so that it saves no operations. Under bfloat16
    autocast the added distances have its precision, 1 part in 256.
    """

    def __init__(self, size: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.dropout = dropout
        self.qkv = nn.Linear(size, 3 * size)
        self.out = nn.Linear(size, size)

    def forward(
        self,
        hidden: Tensor,  # (B, T, D)
        visible: Visibility,
        rotation: Tensor | None = None,  # (2, T, K)
    ) -> Tensor:  # (B, T, D)
        qkv = self.qkv(hidden).unflatten(-1, (3, self.num_heads, -1))  # (B, T, 3, H, K)
        queries, keys, values = qkv.permute(2, 0, 3, 1, 4)  # each (B, H, T, K)
        if rotation is not None:
            queries, keys = rotate(queries, rotation), rotate(keys, rotation)
        mixed = scaled_dot_product_attention(
            queries,
            keys,
            values,
            attn_mask=visible.mask,
            dropout_p=self.dropout if self.training else 0.0,
            is_causal=visible.is_causal,
        )
        return self.out(mixed.transpose(1, 2).flatten(2))
