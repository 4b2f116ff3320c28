"""From token vectors to the vector of a text or of a word.

Letters: B rows, T tokens, W words, D hidden size.
"""

from __future__ import annotations

import torch
from torch import Tensor


def pool(hidden: Tensor, mask: Tensor, how: str) -> Tensor:  # (B, T, D), (B, T) -> (B, D)
    """Largest or mean hidden value over the tokens where `mask` is true; at least one must be.

    >>> hidden = torch.tensor([[[1.0], [5.0], [9.0]]])
    >>> pool(hidden, torch.tensor([[True, True, False]]), "max").item()
    5.0
    """
    if how == "max":
        return hidden.masked_fill(~mask[..., None], torch.finfo(hidden.dtype).min).amax(dim=1)
    weights = mask[..., None].to(hidden.dtype)
    return (hidden * weights).sum(dim=1) / weights.sum(dim=1)


def pool_words(
    hidden: Tensor,  # (B, T, D)
    word: Tensor,  # (B, T)
    num_words: int,
    how: str,
) -> Tensor:  # (B, W, D)
    """The vector of each of `num_words` words: its first piece's, or the mean of all its pieces; 0 at padding.

    `word` numbers the word of each token from 0, and is -1 at tokens that belong to none. A matrix product, since it
    adds in the same order on every device.

    >>> hidden = torch.tensor([[[9.0], [1.0], [3.0], [5.0]]])
    >>> word = torch.tensor([[-1, 0, 0, 1]])
    >>> pool_words(hidden, word, 2, "mean").tolist(), pool_words(hidden, word, 2, "first").tolist()
    ([[[2.0], [5.0]]], [[[1.0], [5.0]]])
    """
    places = torch.arange(num_words, device=word.device)
    of_word = word[:, None, :] == places[:, None]  # (B, W, T)
    if how == "first":
        of_word[:, :, 1:] &= (word[:, 1:] != word[:, :-1])[:, None]
    weights = of_word.to(hidden.dtype)
    return (weights / weights.sum(dim=2, keepdim=True).clamp(min=1)) @ hidden
