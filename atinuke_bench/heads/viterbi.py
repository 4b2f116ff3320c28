"""The best tag sequence in which every `I-X` follows a `B-X` or an `I-X`.

Tags are numbered as in `data.bio`: `O` is 0, and label k has `B` at 1 + 2k and `I` at 2 + 2k.

Letters in shapes: B batch, L length, T tags, K labels + 1 (place 0 is `O`), T = 2K - 1.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


@torch.no_grad()
def decode_viterbi(scores: Tensor, mask: Tensor) -> Tensor:
    """The allowed tag sequences [B, L] of the highest sum of `scores` [B, L, T]; 0 (`O`) where `mask` [B, L] is False.

    Scores are logits or log-probabilities: normalising a word's scores changes no path. Since `O` and every `B` may
    follow any tag, and an `I` only its own label, each step costs T operations a row instead of T squared: one
    maximum over the last word's tags, and one over each label's `B` and `I`. The loop runs over words, all rows of
    the batch at once. Of sequences with equal sums any one may be returned.
    """
    num_rows, length, num_tags = scores.shape
    assert num_tags % 2 == 1, f"{num_tags} tags; BIO has one for O and two for each label"
    if length == 0:
        return torch.zeros(num_rows, 0, dtype=torch.long, device=scores.device)
    begin, inside = _split(scores, mask)
    begin_sums, inside_sums, best = begin.unbind(0), inside.unbind(0), torch.empty_like(begin)  # L of [B, K]
    best_sums = best.unbind(0)
    torch.maximum(begin_sums[0], inside_sums[0].fill_(-torch.inf), out=best_sums[0])
    for t in range(1, length):  # in place: sums of one word's scores become sums of the best path to that word
        begin_sums[t].add_(best_sums[t - 1].amax(dim=1, keepdim=True))
        inside_sums[t].add_(best_sums[t - 1])
        torch.maximum(begin_sums[t], inside_sums[t], out=best_sums[t])
    return _trace_back(best.argmax(dim=2), inside > begin).to(scores.device)


@torch.no_grad()
def tag_marginals(scores: Tensor, mask: Tensor) -> Tensor:
    """The probability [B, L, T] of each tag at each word, over all allowed sequences; `O` where `mask` is False.

    A sequence's probability grows with the sum of its `scores` [B, L, T], as in `decode_viterbi`. Source: the
    forward-backward algorithm (Rabiner 1989, section III.A).
    """
    begin, inside = _split(scores, mask)  # [L, B, K]
    num_words, ahead_begin, ahead_inside = len(begin), torch.zeros_like(begin), torch.zeros_like(begin)
    if num_words == 0:
        return torch.zeros_like(scores)
    inside[0] = -torch.inf
    for t in range(1, num_words):
        before = torch.logaddexp(begin[t - 1], inside[t - 1])
        begin[t] += before.logsumexp(dim=1, keepdim=True)
        inside[t] += before
    emitted_begin, emitted_inside = _split(scores, mask)
    for t in range(num_words - 2, -1, -1):
        anew = (emitted_begin[t + 1] + ahead_begin[t + 1]).logsumexp(dim=1, keepdim=True)
        ahead_begin[t] = ahead_inside[t] = torch.logaddexp(anew, emitted_inside[t + 1] + ahead_inside[t + 1])
    begin, inside = begin + ahead_begin, inside + ahead_inside
    # From places side by side to the numbers of tags: O, then B and I of each label.
    numbered = torch.stack([begin, inside], dim=3).flatten(2)[:, :, [0, *range(2, 2 * begin.shape[2])]]
    return numbered.softmax(dim=2).transpose(0, 1)


def _split(scores: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Scores of `O` and every `B`, and of every `I`, each [L, B, K]; masked words can only be `O`, at no cost."""
    scores = (
        scores.to(torch.promote_types(scores.dtype, torch.float32))
        .masked_fill(~mask[:, :, None], -torch.inf)
        .transpose(0, 1)
    )  # [L, B, T]
    outside = scores[:, :, :1].masked_fill(~mask.T[:, :, None], 0.0)
    begin = torch.cat([outside, scores[:, :, 1::2]], dim=2)
    inside = torch.cat([torch.full_like(outside, -torch.inf), scores[:, :, 2::2]], dim=2)
    return begin, inside


def _trace_back(best: Tensor, is_inside: Tensor) -> Tensor:
    """Tags [B, L] from the best place [L, B] at each word, and whether each place [L, B, K] is better as `I`.

    In numpy, whose calls cost a fifth of torch's on so little data: on any device this is most of the steps' time.
    """
    best_places, inside_places = best.cpu().numpy(), is_inside.cpu().numpy()
    length, num_rows = best_places.shape
    rows = np.arange(num_rows)
    tags = np.empty((num_rows, length), dtype=np.int64)
    place, inside = best_places[-1], np.zeros(num_rows, dtype=bool)
    for t in range(length - 1, -1, -1):
        place = np.where(inside, place, best_places[t])  # an I continues the place of the word before it
        inside = inside_places[t, rows, place]
        tags[:, t] = 2 * place + inside
    return torch.from_numpy(np.maximum(tags - 1, 0))
