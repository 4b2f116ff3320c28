"""The torchmetrics shell: examples seen by several processes count once."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from atinuke_bench.metrics.classification import accuracy, pearson
from atinuke_bench.metrics.torch_metrics import PairedScores


def shard(function, examples: list[int], gold: list[float], predicted: list[float]) -> PairedScores:
    metric = PairedScores(function, sync_on_compute=False)  # the test gathers by itself
    for row in zip(examples, gold, predicted, strict=True):
        metric.update(*(torch.tensor([value]) for value in row))
    return metric


def test_two_processes_count_each_example_once() -> None:
    # Example 0 stands in both shards, as a sampler that pads shards to equal length would have it.
    first, second = shard(accuracy, [0, 2, 4], [1, 1, 0], [0, 1, 0]), shard(accuracy, [1, 3, 0], [1, 0, 1], [1, 0, 0])
    names = iter(("examples", "gold", "predicted"))

    def gather(tensor: Tensor, group: object = None) -> list[Tensor]:
        return [tensor, torch.cat(getattr(second, next(names)))]

    first.sync(dist_sync_fn=gather, distributed_available=lambda: True)
    assert first.compute() == pytest.approx(80)  # of 0 to 4, only example 0 is wrong


def test_merged_shards() -> None:
    first, second = shard(pearson, [0, 1], [0, 1], [0.5, 2.5]), shard(pearson, [2, 1], [2, 1], [1.5, 2.5])
    first.merge_state(second)
    assert first.compute() == pytest.approx(pearson([0, 1, 2], [0.5, 2.5, 1.5]))


def test_an_undefined_score_is_missing() -> None:
    assert shard(pearson, [0, 1], [0, 1], [1, 1]).compute() is None


@pytest.mark.filterwarnings("ignore:The ``compute`` method of metric PairedScores:UserWarning")
def test_without_examples_there_is_no_score() -> None:
    metric = shard(accuracy, [0], [1], [1])
    metric.reset()
    assert metric.compute() is None
