"""The position of a token: sinusoids, a learned table, and rotations. Positions count from 0 over the padded row.

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


def sinusoids(length: int, size: int, device: torch.device | None = None) -> Tensor:  # (T, D)
    """The sinusoidal table of Vaswani et al. 2017: sines in even columns, cosines in odd ones.

    >>> sinusoids(2, 4)
    tensor([[0.0000, 1.0000, 0.0000, 1.0000],
            [0.8415, 0.5403, 0.0100, 0.9999]])
    """
    angles = _angles(length, size, device)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)[:, :size]


def unit_sinusoids(length: int, size: int, device: torch.device | None = None) -> Tensor:  # (T, D)
    """`sinusoids` scaled to a root mean square of 1 (a sine has 1/sqrt(2)), the size of a token embedding."""
    return math.sqrt(2) * sinusoids(length, size, device)


class LearnedPositions(nn.Module):
    """One learned vector for each position, added once; initially of root mean square `gain`."""

    def __init__(self, max_positions: int, size: int, gain: float) -> None:
        super().__init__()
        self.table = ScaledEmbedding(max_positions, size, rms=gain)

    def forward(self, length: int) -> Tensor:  # (T, D)
        """The vectors of the first `length` positions; ConfigError when the table is shorter."""
        limit = self.table.num_embeddings
        if length > limit:
            raise ConfigError(
                f"core.max_positions: learned positions end at {limit} tokens; found a text of {length}; "
                f"nearest: core.max_positions={length}, or training.max_length={limit}"
            )
        return self.table(torch.arange(length, device=self.table.weight.device))


def rotations(length: int, size: int, device: torch.device | None = None) -> Tensor:  # (2, T, K)
    """Cosines and sines by which `rotate` turns a head's vectors; `size` is the (even) size of a head."""
    angles = _angles(length, size, device).repeat(1, 2)
    return torch.stack([angles.cos(), angles.sin()])


def rotate(vectors: Tensor, table: Tensor) -> Tensor:  # (B, H, T, K), (2, T, K) -> (B, H, T, K)
    """Rotary positions (RoFormer): component i and i + K/2 of each vector are turned by the position's angle."""
    cosine, sine = table
    left, right = vectors.chunk(2, dim=-1)
    return (vectors * cosine + torch.cat([-right, left], dim=-1) * sine).type_as(vectors)


def _angles(length: int, size: int, device: torch.device | None) -> Tensor:  # (T, ceil(D / 2))
    steps = torch.arange(0, size, 2, device=device, dtype=torch.float32)
    frequencies = torch.exp(steps * (-math.log(BASE) / size))
    return torch.arange(length, device=device, dtype=torch.float32)[:, None] * frequencies
