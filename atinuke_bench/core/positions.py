"""The position of a token: sinusoids, a learned table, rotations, and the slopes of ALiBi.

Positions count over the padded row, from 0 or from the `first` that is given.

Legend of shapes: B batch, T tokens, D hidden size, H heads, K size of a head (D / H).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from atinuke_bench.errors import ConfigError

from .embeddings import ScaledEmbedding

#: Longest wavelength over 2 pi, of Vaswani et al. 2017 (arXiv 1706.03762, section 3.5) and of RoFormer (2104.09864).
BASE = 10_000.0

# The tables below are computed anew in each forward pass, once for all layers: that takes about 0.1 ms. A buffer would
# be lost when a core is built on the meta device, and a table cached under `inference_mode` would break later training.


def sinusoids(length: int, size: int, device: torch.device | None = None, first: int = 0) -> Tensor:  # (T, D)
    """The sinusoidal table of Vaswani et al. 2017: sines in even columns, cosines in odd ones.

    >>> sinusoids(2, 4)
    tensor([[0.0000, 1.0000, 0.0000, 1.0000],
            [0.8415, 0.5403, 0.0100, 0.9999]])
    """
    angles = _angles(length, size, device, first)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)[:, :size]


def unit_sinusoids(length: int, size: int, device: torch.device | None = None, first: int = 0) -> Tensor:  # (T, D)
    """`sinusoids` scaled to a root mean square of 1 (a sine has 1/sqrt(2)), the size of a token embedding."""
    return math.sqrt(2) * sinusoids(length, size, device, first)


class LearnedPositions(nn.Module):
    """One learned vector for each position, added once; initially of root mean square `gain`."""

    def __init__(self, max_positions: int, size: int, gain: float) -> None:
        super().__init__()
        self.table = ScaledEmbedding(max_positions, size, rms=gain)

    def forward(self, length: int, first: int = 0) -> Tensor:  # (T, D)
        """The vectors of `length` positions from the `first` on; ConfigError when the table is shorter."""
        limit, end = self.table.num_embeddings, first + length
        if end > limit:
            moved = f" from position {first} on" if first else ""
            raise ConfigError(
                f"core.max_positions: learned positions end at {limit} tokens; found a text of {length}{moved}; "
                f"nearest: core.max_positions={end}, or training.max_length={max(limit - first, 0)}"
            )
        return self.table(torch.arange(first, end, device=self.table.weight.device))


def rotations(length: int, size: int, device: torch.device | None = None, first: int = 0) -> Tensor:  # (2, T, K)
    """Cosines and sines by which `rotate` turns a head's vectors; `size` is the (even) size of a head."""
    angles = _angles(length, size, device, first).repeat(1, 2)
    return torch.stack([angles.cos(), angles.sin()])


def rotate(vectors: Tensor, table: Tensor) -> Tensor:  # (B, H, T, K), (2, T, K) -> (B, H, T, K)
    """Rotary positions (RoFormer): component i and i + K/2 of each vector are turned by the position's angle."""
    cosine, sine = table
    left, right = vectors.chunk(2, dim=-1)
    return (vectors * cosine + torch.cat([-right, left], dim=-1) * sine).type_as(vectors)


def alibi_slopes(num_heads: int, device: torch.device | None = None) -> Tensor:  # (H,)
    """How much of a head's score a step of distance takes away (ALiBi: Press et al. 2022, arXiv 2108.12409, section 3).

    For a power of two, 2^(-8/H) and its powers. Other numbers of heads take those of the power of two below, and then
    every other one of the power of two above, which lie between them (the authors' code).

    >>> alibi_slopes(4).tolist(), alibi_slopes(3).tolist()
    ([0.25, 0.0625, 0.015625, 0.00390625], [0.0625, 0.00390625, 0.25])
    """
    below = 2 ** (num_heads.bit_length() - 1)
    # Made where they are used: a copy from the host would be waited for in every step.
    steps = torch.arange(1, 2 * below + 1, device=device, dtype=torch.float32) * (4 / below)
    return torch.exp2(-torch.cat([steps[1::2], steps[0::2][: num_heads - below]]))


def _angles(length: int, size: int, device: torch.device | None, first: int) -> Tensor:  # (T, ceil(D / 2))
    steps = torch.arange(0, size, 2, device=device, dtype=torch.float32)
    frequencies = torch.exp(steps * (-math.log(BASE) / size))
    places = torch.arange(first, first + length, device=device, dtype=torch.float32)
    return places[:, None] * frequencies
