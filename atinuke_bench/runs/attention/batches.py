"""Batches whose rows are the inputs of the core, so that what happens in an input is known to be its row's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from atinuke_bench.data.batching import TokenBudgetSampler, make_loader
from atinuke_bench.data.features import Encoded
from atinuke_bench.training.module import Batch, TaskModule


def batches_of(module: TaskModule, encoded: Encoded, batch_tokens: int) -> Iterator[Batch]:
    """Batches of all rows, in order of length: of one row where the core reads several inputs for a row."""
    sampler = TokenBudgetSampler(encoded.lengths, batch_tokens, seed=None, num_inputs=encoded.num_inputs)
    for batch in make_loader(encoded, sampler, module.device):
        fed = module.feed(batch)
        if num_inputs(module, fed) == len(fed["rows"]):
            yield fed
        else:
            yield from rows_of(fed)


def rows_of(batch: Batch) -> list[Batch]:
    """Each row of a batch by itself."""
    return [{name: column[row : row + 1] for name, column in batch.items()} for row in range(len(batch["rows"]))]


def num_inputs(module: TaskModule, batch: Batch) -> int:
    """How many inputs the core reads for a batch."""
    found: list[int] = []

    def hook(core: nn.Module, args: Any, kwargs: Any) -> None:
        found.append(len(mask_of(args, kwargs)))

    handle = module.core.register_forward_pre_hook(hook, with_kwargs=True)
    try:
        with torch.inference_mode():
            module.outputs(batch)
    finally:
        handle.remove()
    return sum(found)


def mask_of(args: Any, kwargs: Any) -> Tensor:  # (B, T) bool
    """The attention mask among what a core was called with."""
    return kwargs["attention_mask"] if "attention_mask" in kwargs else args[1]


def ids_of(args: Any, kwargs: Any) -> Tensor | None:  # (B, T)
    """The token ids among what a core was called with; None where it was given embeddings."""
    return kwargs["input_ids"] if "input_ids" in kwargs else args[0]
