"""What a trained core cost: parameters, operations, time, memory, latency."""

from __future__ import annotations

import resource
import statistics
import sys
import time
from typing import Any

import numpy as np
import torch

from atinuke_bench.core.cost import TRAINING_FACTOR, count_parameters
from atinuke_bench.core.kernels import attention_kernels
from atinuke_bench.data.batching import BatchDataset
from atinuke_bench.data.features import Encoded
from atinuke_bench.training.execution import wait_for
from atinuke_bench.training.module import TaskModule

_LATENCY_PASSES = 25


def training_cost(
    module: TaskModule, device: torch.device, train: Encoded, evaluated: Encoded, history: list[dict[str, Any]]
) -> dict[str, Any]:
    """Cost figures under their report names; seconds and tokens are of training steps alone, without evaluation.

    `attention_kernel` names what torch chose for attention over texts of unequal length, None for a core without any.

    The module is timed on `device`, where it was trained; Lightning leaves it on the processor.
    """
    parameters = count_parameters(module)
    module = module.to(device)
    seconds = sum(record["seconds"] for record in history)
    tokens = sum(record["tokens"] for record in history)
    per_epoch = forward_flops(module, train)
    return {
        "parameters": parameters.total,
        "embedding_parameters": parameters.embedding,
        "forward_flops_per_token": per_epoch / int(train.input_lengths.sum()),
        "training_flops": TRAINING_FACTOR * per_epoch * len(history),
        "training_tokens": tokens,
        "training_seconds": seconds,
        "tokens_per_second": tokens / seconds if seconds else None,
        "peak_memory_bytes": _peak_memory(device),
        "attention_kernel": _attention_kernel(module, train),
        "latency_seconds": _latency(module, evaluated),
    }


def forward_flops(module: TaskModule, rows: Encoded) -> int:
    """Operations of the core's forward pass over every row once, padding left out."""
    return flops_of_lengths(module, rows.input_lengths)


def flops_of_lengths(module: TaskModule, input_lengths: np.ndarray) -> int:  # (inputs,)
    """Operations of the core's forward pass over inputs of so many tokens each."""
    lengths, counts = np.unique(input_lengths, return_counts=True)
    return sum(int(count) * module.core_flops(int(length)) for length, count in zip(lengths, counts, strict=True))


def _peak_memory(device: torch.device) -> int:
    """Peak bytes on a GPU, or of the whole process elsewhere."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _attention_kernel(module: TaskModule, train: Encoded) -> str | None:
    """The kernels of a training step's forward pass on two rows, with padding where lengths differ."""
    order = np.argsort(train.lengths, kind="stable")
    batch = _batch(module, train, order[[len(order) // 4, len(order) // 2]])
    module.train()
    with attention_kernels() as found, _precision_of(module):
        module.outputs(batch)
    return ", ".join(sorted(found)) or None


def _batch(module: TaskModule, rows: Encoded, numbers: np.ndarray) -> dict[str, torch.Tensor]:
    return module.feed(BatchDataset(rows)[numbers])


def _precision_of(module: TaskModule) -> torch.autocast:
    return torch.autocast(module.device.type, torch.bfloat16, enabled=module.run.training.precision == "bfloat16")


def _latency(module: TaskModule, evaluated: Encoded) -> float:
    """Median seconds of a forward pass on one row of median length, in the precision of the run."""
    row = np.argsort(evaluated.lengths, kind="stable")[[len(evaluated) // 2]]
    batch = _batch(module, evaluated, row)
    module.eval()
    times = []
    with torch.inference_mode(), _precision_of(module):
        for _ in range(_LATENCY_PASSES):
            started = time.perf_counter()
            module.outputs(batch)
            wait_for(module.device)
            times.append(time.perf_counter() - started)
    return statistics.median(times[3:])  # the first passes pay for allocation
