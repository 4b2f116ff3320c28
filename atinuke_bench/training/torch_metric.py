"""A task's metric as an object of torchmetrics, for training loops of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torchmetrics
from torch import Tensor

from atinuke_bench.metrics.metric import Answers, Metric
from atinuke_bench.training.module import gather_outputs


class TorchMetric(torchmetrics.Metric):
    """The primary figure of a metric over all examples that were given, those of all processes together.

    Examples are known by their id: one that several processes saw (a sampler pads the last batch) counts once.

    >>> from atinuke_bench.metrics.classification import ClassMetric
    >>> metric = TorchMetric(ClassMetric("accuracy"))
    >>> metric.update(["1", "2"], ["yes", "no"], ["yes", "yes"])
    >>> metric.update(["2"], ["no"], ["yes"])
    >>> metric.compute().item()
    50.0
    """

    full_state_update = False

    def __init__(self, metric: Metric, **settings: Any) -> None:
        super().__init__(**settings)
        self.metric = metric
        self._answers: dict[str, tuple[Any, Any]] = {}

    @property
    def higher_is_better(self) -> bool:  # type: ignore[override]
        return self.metric.higher_is_better

    def update(self, ids: Sequence[str], predicted: Sequence[Any], gold: Sequence[Any]) -> None:
        """Add a batch: ids, predictions and right answers, as the metric takes them."""
        self._answers |= dict(zip(ids, zip(predicted, gold, strict=True), strict=True))

    def compute(self) -> Tensor:
        """The figure, a scalar; NaN where it cannot be computed or nothing was given."""
        answers = {id_: pair for part in gather_outputs([self._answers]) for id_, pair in part.items()}
        if not answers:
            return torch.tensor(float("nan"))
        predicted, gold = zip(*answers.values(), strict=True)
        figure = self.metric.measure(Answers(list(answers), predicted, gold)).figures[self.metric.name]
        return torch.tensor(float("nan") if figure is None else figure, dtype=torch.float64)

    def reset(self) -> None:
        super().reset()
        self._answers = {}
