"""A task's metric in a training loop of one's own."""

from __future__ import annotations

import math

import torch.multiprocessing as processes
from torch import distributed

from atinuke_bench.metrics.classification import ClassMetric, CorrelationMetric
from atinuke_bench.registry import load_metric
from atinuke_bench.runs.jobs.local import free_port, process_context
from atinuke_bench.training.torch_metric import TorchMetric


def test_it_gives_the_metric_of_all_batches_and_forgets_them():
    metric = TorchMetric(load_metric("srl", "f1"))
    metric.update(["s-1-0"], [[(0, 0, "A0"), (1, 1, "V")]], [[(0, 0, "A0"), (1, 1, "V"), (2, 3, "A1")]])
    metric.update(["s-2-4"], [[(1, 1, "A0")]], [[(0, 1, "A0")]])
    assert math.isclose(metric.compute(), 40.0)
    metric.reset()
    metric.update(["s-1-0"], [[(0, 0, "A0")]], [[(0, 0, "A0")]])
    assert metric.compute() == 100.0


def test_what_cannot_be_computed_is_no_number():
    metric = TorchMetric(CorrelationMetric("pearson"))
    metric.update(["1", "2"], [1.0, 1.0], [1.0, 2.0])
    assert math.isnan(metric.compute())


def _share(rank: int, port: int) -> None:
    distributed.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    metric = TorchMetric(ClassMetric("accuracy"))
    # Both processes saw the second example.
    metric.update(["1", "2"] if rank == 0 else ["2", "3"], ["a", "b"] if rank == 0 else ["b", "b"], ["a", "a"])
    assert math.isclose(metric.compute(), 100 / 3), metric.compute()
    distributed.destroy_process_group()


def test_an_example_that_two_processes_saw_counts_once():
    process_context()  # whose server has torch loaded
    processes.start_processes(_share, (free_port(),), nprocs=2, start_method="forkserver")
