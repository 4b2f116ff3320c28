"""What is tried with a core before its first step: whether padding changes its vectors, and whether tokens see others.

A core that masks the wrong side still learns something, since each token keeps its own vector; nothing in the figures
of its training says why it learns so little.

Letters: B rows, T tokens, D hidden size.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import pad

from atinuke_bench.core.base import Core

#: Rows and tokens of the batch that are tried, and padding that is added: together a small part of a step.
_MOST_ROWS, _MOST_TOKENS, _MORE_PADDING = 4, 32, 3
#: Of fewer tokens none is between others.
_LEAST_TOKENS = 3


def probe(core: Core, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What was found with some rows of a batch; empty for other inputs. Changes are shares of the size of a vector.

    `padding`: by how much more padding changes the vectors of real tokens: 0, but for rounding.
    `before`, `after`: by how much another token in the middle of a row changes the vectors before and after it.
    `is_causal`: 1 for a core that says that no token sees a later one, else 0.
    """
    if not {"input_ids", "attention_mask"} <= batch.keys() or batch["input_ids"].ndim != 2:
        return {}
    limit = core.config.max_length
    num_tokens = _MOST_TOKENS if limit is None else min(_MOST_TOKENS, limit - _MORE_PADDING)
    if num_tokens < _LEAST_TOKENS:
        return {}
    ids, mask = (batch[name][:_MOST_ROWS, :num_tokens] for name in ("input_ids", "attention_mask"))
    was_training = [(part, part.training) for part in core.modules()]
    core.eval()
    try:
        # A core that draws numbers when it is evaluated must not change what the training draws.
        with (
            torch.random.fork_rng([ids.device] if ids.device.type == "cuda" else []),
            torch.no_grad(),
            torch.autocast(ids.device.type, enabled=False),
        ):
            return _tried(core, ids, mask)
    finally:
        for part, is_training in was_training:
            part.training = is_training


def _tried(core: Core, ids: Tensor, mask: Tensor) -> dict[str, Tensor]:  # (B, T) both
    plain, length = core(ids, mask), ids.shape[1]  # (B, T, D)
    longer = core(*(pad(part, (0, _MORE_PADDING)) for part in (ids, mask)))[:, :length]
    places = torch.arange(length, device=ids.device)
    middle = mask.sum(dim=1, keepdim=True) // 2  # (B, 1)
    changed = core(torch.where(places == middle, (ids + 1) % core.vocab_size, ids), mask)
    return {
        "padding": _change(plain, longer, mask),
        "before": _change(plain, changed, mask & (places < middle)),
        "after": _change(plain, changed, mask & (places > middle)),
        "is_causal": torch.full((), float(core.is_causal), device=ids.device),
    }


def _change(plain: Tensor, other: Tensor, places: Tensor) -> Tensor:  # (B, T, D) both, (B, T)
    """The largest change of a vector at some places, as a share of the mean size of a vector there."""
    sizes = torch.where(places, plain.float().norm(dim=-1), 0.0)
    changes = torch.where(places, (other - plain).float().norm(dim=-1), 0.0)
    return changes.amax() / (sizes.sum() / places.sum()).clamp(min=1e-12)
