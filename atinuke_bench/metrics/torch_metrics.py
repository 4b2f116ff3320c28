"""A torchmetrics shell around the pure metrics, for validation inside a training loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat


class PairedScores(Metric):
    """Any function of all gold labels and predictions, each example counted once.

    Examples are known by their number in the data set, so that one that several processes saw (a sampler pads the last
    batch of a shard) counts once. Letters: B examples in a batch.

    >>> from atinuke_bench.metrics.classification import accuracy
    >>> metric = PairedScores(accuracy)
    >>> metric.update(torch.tensor([0, 1]), torch.tensor([1, 0]), torch.tensor([1, 1]))
    >>> metric.update(torch.tensor([1]), torch.tensor([0]), torch.tensor([1]))
    >>> metric.compute()
    50.0
    """

    full_state_update = False
    higher_is_better = True

    examples: list[Tensor]
    gold: list[Tensor]
    predicted: list[Tensor]

    def __init__(self, function: Callable[[Any, Any], float | None], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.function = function
        for name in ("examples", "gold", "predicted"):
            self.add_state(name, default=[], dist_reduce_fx="cat")
        # A process without a batch joins the gathering with an empty tensor of the metric's own type, so all states are
        # of that type, or the processes would disagree. Whole numbers up to 2**53 are exact in it.
        self.set_dtype(torch.float64)

    def update(self, examples: Tensor, gold: Tensor, predicted: Tensor) -> None:
        """Add a batch: example numbers, gold labels and predictions, each (B,)."""
        self.examples.append(examples.detach().double())
        self.gold.append(gold.detach().double())
        self.predicted.append(predicted.detach().double())

    def compute(self) -> float | None:
        """The function's value over all examples; None without any."""
        if len(self.examples) == 0:
            return None
        examples, gold, predicted = (
            dim_zero_cat(state).cpu().numpy() for state in (self.examples, self.gold, self.predicted)
        )
        _, first = np.unique(examples, return_index=True)
        return self.function(gold[first], predicted[first]) if len(first) else None
