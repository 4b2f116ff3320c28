"""How much a loss would change with each attention head: its gradient in the head's gate (Michel et al. 2019).

The gate of a head is 1. Michel et al., "Are sixteen heads really better than one?", equation 2, take the absolute value
of the gradient for each example and its mean over examples. They then divide by the norm of a layer; here values stay
as they are, in the loss's own unit, since a layer that does nothing would otherwise weigh as much as any other.

A gradient is local: training brings that of a head's own weights to zero, so that a head without which all is lost may
have a smaller one than heads that were never trained (`benchmarks/planted_head.py`). Masking decides what matters.

Legend of shapes: R rows, B rows of a batch, H heads of a layer, A heads of all layers.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from atinuke_bench.core.attention_heads import AttentionLayer, gated
from atinuke_bench.metrics.metric import Floats, SumSample
from atinuke_bench.metrics.units import grouped
from atinuke_bench.training.module import Batch, TaskModule

from .batches import batches_of, rows_of
from .opened import Opened, Part


def gradients(opened: Opened, part: Part, told: Callable[[int], None]) -> Floats:  # [R, A]
    """The gradient of each row's loss in the gate of each head, in float32; NaN for a row that has no loss."""
    module = opened.predictor.module
    found = np.full((len(part.encoded), len(opened.heads)), np.nan)
    for batch in batches_of(module, part.encoded, opened.predictor.run.training.batch_tokens):
        found[batch["rows"].cpu().numpy()] = row_gradients(module, opened.layers, batch)
        told(len(batch["rows"]))
    return found


def row_gradients(module: TaskModule, layers: tuple[AttentionLayer, ...], batch: Batch) -> Floats:  # [B, A]
    """The gradients of a batch whose rows are the inputs of the core, or which has one row.

    The loss of a batch is a mean over units that rows do not share, so that one backward pass serves all rows.
    """
    gates: list[list[Tensor]] = [[] for _ in layers]
    num_rows = len(batch["rows"])

    def gate(number: int, num_inputs: int) -> Tensor:  # (B, H)
        fresh = torch.ones(num_inputs, layers[number].num_heads, device=module.device, requires_grad=True)
        gates[number].append(fresh)
        return fresh

    with torch.enable_grad(), gated(layers, gate):
        loss = module.loss(batch)
    flat = [one for own in gates for one in own]
    known = iter(torch.autograd.grad(loss, flat, allow_unused=True)) if loss.requires_grad else iter([None] * len(flat))
    columns = []
    for layer, own in zip(layers, gates, strict=True):
        total = torch.zeros(num_rows, layer.num_heads, device=module.device)
        for one in (next(known) for _ in own):
            if one is not None:
                total += one if len(one) == num_rows else one.sum(dim=0, keepdim=True)
        columns.append(total)
    units = torch.stack([module.num_units(row) for row in rows_of(batch)]).double()  # (B,)
    # A row's own loss is the mean over its units, and a part of the batch's as large as its share of them.
    scale = torch.where(units > 0, units.sum() / units, torch.nan)
    return (torch.cat(columns, dim=1).double() * scale[:, None]).cpu().numpy()


def importance_samples(part: Part, values: Floats) -> list[SumSample]:  # [R, A]
    """The mean absolute gradient of each head over rows, as a sample of units."""
    known = np.isfinite(values).all(axis=1)
    units = [part.units[example] for example in part.encoded.example_index[known]]
    names = tuple(map(str, np.flatnonzero(known)))
    samples = []
    for own in np.abs(values[known]).T:
        one = SumSample(names, np.stack([own, np.ones_like(own)], axis=1), _mean)
        samples.append(grouped(one, units))
    return samples  # type: ignore[return-value]


def _mean(sums: Floats) -> Floats:  # [B, 2] -> [B]
    return sums[:, 0] / sums[:, 1]
