"""How much the loss grows without each attention head, which tells apart those that change no answer of a small slice.

Unlike a gradient, which says little of a head whose attention is saturated, it is what pruning does.

Legend of shapes: A heads of all layers.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from atinuke_bench.core.attention_heads import pruned
from atinuke_bench.data.batching import TokenBudgetSampler, make_loader
from atinuke_bench.metrics.metric import Floats

from .curve import kept_in
from .opened import Opened, Part


def loss_increases(opened: Opened, part: Part) -> Floats:  # [A]
    """The mean loss of some examples without each head, less the one with all, in float32."""
    num_heads = len(opened.heads)
    whole, found = mean_loss(opened, part), []
    for place in range(num_heads):
        others = [other for other in range(num_heads) if other != place]
        with pruned(opened.layers, opened.by_layer(kept_in([*others, place], num_heads - 1))):
            found.append(mean_loss(opened, part) - whole)
    return np.array(found)


@torch.inference_mode()
def mean_loss(opened: Opened, part: Part) -> float:
    """The loss per unit of it (a row, a scored token); NaN where there is none."""
    module, encoded = opened.predictor.module, part.encoded
    budget = 2 * opened.predictor.run.training.batch_tokens
    sampler = TokenBudgetSampler(encoded.lengths, budget, seed=None, num_inputs=encoded.num_inputs)
    total, num_units = 0.0, 0
    for batch in make_loader(encoded, sampler, module.device):
        fed = module.feed(batch)
        if own := int(module.num_units(fed)):
            total += own * float(module.loss(fed))
            num_units += own
    return total / num_units if num_units else math.nan
