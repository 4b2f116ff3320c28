"""Multi-head self-attention, and which position may see which.

Legend of shapes: B batch, T tokens, D hidden size, H heads, K size of a head (D / H).
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from .base import assert_right_padded
from .positions import rotate


class Visibility(NamedTuple):
    """Which keys a query sees, in the form that `scaled_dot_product_attention` takes; made once for all layers."""

    mask: Tensor | None  # (B, 1, 1, T) bool, True where a key may be seen
    is_causal: bool


def visibility(attention_mask: Tensor, causal: bool) -> Visibility:  # (B, T) bool
    """Who sees whom, given the padding.

    Padding is on the right, so in a causal stack no real token can see it and the causal kernel needs no mask.
    A row that is all padding would leave its queries without a key, and NaN after the softmax; it sees itself instead.
    """
    assert_right_padded(attention_mask)
    if causal:
        return Visibility(None, is_causal=True)
    seen = attention_mask | ~attention_mask.any(dim=1, keepdim=True)
    return Visibility(seen[:, None, None, :], is_causal=False)


class SelfAttention(nn.Module):
    """Multi-head self-attention with one projection for queries, keys and values.

    Measured on one CPU thread (64 x 32 tokens, D 128, H 4, float32, forward and backward, torch 2.13): the fused
    kernel takes 11.2 ms without a mask, 11.6 with a padding mask and 11.8 with one of (T, T); the math kernel 17 to
    19. Masks therefore stay boolean and broadcast. Dropout inside attention forces the math kernel on CPU.

    On CPU causal and masked attention take the same kernel, flash, and an all-true mask changes no bit. On CUDA flash
    takes no mask (`check_for_attn_mask` in torch's sdp_utils_cpp.h), so that a bidirectional core with padding gets
    another kernel than a causal one. To leave an all-true mask out would need a wait for the device in every step, and
    would mix kernels within a run; `cost.attention_kernel` says instead which ones ran.
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
