"""Spans of a document: scores of all of them in a band, the best as candidates, equal texts.

Legend of shapes: W words of a document, H size of a vector, L widest span in words, K candidates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

_BLOCK = 64
#: An odd number, which has an inverse modulo 2^64; hashes of spans are polynomials in it.
_HASH_BASE = 6364136223846793005
_HASH_INVERSE = pow(_HASH_BASE, -1, 1 << 64) - (1 << 64) * (pow(_HASH_BASE, -1, 1 << 64) >= 1 << 63)


@dataclass(frozen=True)
class Candidates:
    """Candidate mentions of a document, ordered by start and end."""

    starts: Tensor  # (K,) int64
    ends: Tensor  # (K,) int64, inside
    scores: Tensor  # (K,) log-odds of being a mention
    is_real: Tensor | None = None  # (K,) bool, False for those that fill up a fixed number; None where all are real

    def __len__(self) -> int:
        return len(self.starts)


def select_candidates(
    scores: Tensor, num: int, least: float, always: Tensor | None = None, *, is_fixed: bool = False
) -> Candidates:
    """The `num` best spans of at least `least` in a band of scores (W, L), and those at the flat positions `always`.

    They come in text order. How many there are must be read from the device; with `is_fixed` there are always as many,
    and behind the real ones are others that only fill up.
    """
    flat = scores.flatten()
    ranked = flat.detach().clone()
    if always is not None:
        ranked[always] = math.inf
        num = max(num, len(always))
    num = min(num, len(ranked) if is_fixed else int((ranked >= least).sum()))
    best, picked = ranked.topk(num)
    place = (picked + len(ranked) * (best < least)).sort().values if is_fixed else picked.sort().values
    picked = place % len(ranked) if is_fixed else place
    starts = picked // scores.shape[1]
    is_real = place < len(ranked) if is_fixed else None
    return Candidates(starts, starts + picked % scores.shape[1], flat[picked], is_real)


def band(values: Tensor, width: int, padding: float) -> Tensor:  # (W,) -> (W, L)
    """Each value with the `width` - 1 values after it.

    >>> band(torch.tensor([1, 2, 3]), 2, -1).tolist()
    [[1, 2], [2, 3], [3, -1]]
    """
    return F.pad(values, (0, width - 1), value=padding).unfold(0, width, 1)


def banded_products(starts: Tensor, ends: Tensor, width: int) -> Tensor:  # (W, H), (W, H) -> (W, L)
    """Products of each start with the ends at its own and the `width` - 1 next words; 0 beyond the document.

    Blocks of words are multiplied with the ends they can reach, and the band is cut out of the result: W x (block +
    width) numbers, however long the vectors are.

    >>> vectors = torch.tensor([[1.0], [2.0], [3.0]])
    >>> banded_products(vectors, vectors, 2).tolist()
    [[1.0, 2.0], [4.0, 6.0], [9.0, 0.0]]
    """
    num_words, size = starts.shape
    num_blocks = -(-num_words // _BLOCK)
    starts = F.pad(starts, (0, 0, 0, num_blocks * _BLOCK - num_words)).view(num_blocks, _BLOCK, size)
    ends = F.pad(ends, (0, 0, 0, num_blocks * _BLOCK - num_words + width - 1))
    reach = ends.unfold(0, _BLOCK + width - 1, _BLOCK)  # (blocks, H, block + L - 1)
    products = starts @ reach
    places = torch.arange(_BLOCK, device=ends.device)[:, None] + torch.arange(width, device=ends.device)
    return products.gather(2, places.expand(num_blocks, -1, -1)).flatten(0, 1)[:num_words]


def span_hashes(word_id: Tensor, starts: Tensor, ends: Tensor) -> Tensor:  # (W,), (K,), (K,) -> (K,)
    """Equal numbers for spans of the same words, without making the spans.

    The hash of words w_0 ... w_n is the sum of w_i x b^i modulo 2^64, a difference of two prefix sums divided by the
    power of b at the start.

    >>> word_id = torch.tensor([5, 7, 9, 5, 7])
    >>> hashes = span_hashes(word_id, torch.tensor([0, 3, 1]), torch.tensor([1, 4, 2]))
    >>> bool(hashes[0] == hashes[1]), bool(hashes[0] == hashes[2])
    (True, False)
    """
    ones = torch.ones_like(word_id)
    powers = torch.cumprod(torch.cat([ones[:1], ones[1:] * _HASH_BASE]), dim=0)
    inverses = torch.cumprod(torch.cat([ones[:1], ones[1:] * _HASH_INVERSE]), dim=0)
    sums = F.pad(torch.cumsum(word_id * powers, dim=0), (1, 0))
    return (sums[ends + 1] - sums[starts]) * inverses[starts]
