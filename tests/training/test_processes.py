"""What the processes of a run tell each other."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import multiprocessing
from torch.nn.parallel import DistributedDataParallel

from atinuke_bench.core.build import build_core
from atinuke_bench.runs.jobs.local import free_port, process_context
from atinuke_bench.training import processes, selection
from atinuke_bench.training.execution import Execution
from atinuke_bench.training.module import TaskModule
from atinuke_bench.training.processes import any_of, from_first, gather_at_first, part
from atinuke_bench.training.selection import EpochSelection


def outputs_of(rank: int) -> list[dict[str, np.ndarray]]:
    """Batches of different sizes, of odd types, and of no rows; none at all at the last of three."""
    generator = np.random.default_rng(rank)
    sizes = {0: [3, 1], 1: [2, 0, 5, 1], 2: []}[rank]
    return [
        {
            "rows": generator.integers(0, 99, size),
            "flags": generator.integers(0, 2, (size, 3)).astype(np.int8),
            "logits": generator.random((size, 4 + place), dtype=np.float32),
        }
        for place, size in enumerate(sizes)
    ]


def _share(rank: int, port: int) -> None:
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.distributed.init_process_group("gloo", rank=rank, world_size=3)
    expected = [output for other in range(3) for output in outputs_of(other)] if rank == 0 else []
    for piece_bytes in (1, 40, 2**20):
        processes._PIECE_BYTES = piece_bytes
        found = gather_at_first(outputs_of(rank))
        assert len(found) == len(expected)
        for output, right in zip(found, expected, strict=True):
            assert output.keys() == right.keys()
            for name, array in output.items():
                assert array.dtype == right[name].dtype
                assert np.array_equal(array, right[name])
                assert array.flags.writeable
    assert from_first({"score": 5.0} if rank == 0 else {}) == {"score": 5.0}
    assert any_of([rank == 1, False, True], torch.device("cpu")) == [True, False, True]
    first, second = gradients_of_two_steps(rank)
    assert torch.equal(first, second), "a resumed run has a first step again"
    assert {"pt_gloo_runloop", "gloo_tcp_loop"} <= threads() or not threads()
    part()
    assert not any("gloo" in name for name in threads()), "a thread that lives on may abort the end of the process"


class Backwards(torch.nn.Module):
    """Parameters that are used in another order than they are listed in."""

    def __init__(self) -> None:
        super().__init__()
        self.last, self.first = torch.nn.Linear(32, 32), torch.nn.Linear(32, 32)
        self.embedding = torch.nn.Embedding(99, 32)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.last(self.first(self.embedding(ids)).tanh()).pow(2).mean()


def gradients_of_two_steps(rank: int) -> list[torch.Tensor]:
    """The gradients of a batch that processes share, computed twice."""
    torch.manual_seed(0)
    module = Backwards()
    shared = DistributedDataParallel(module, **Execution(devices=3, accelerator="cpu").strategy()._ddp_kwargs)
    ids = torch.randint(0, 99, (50,), generator=torch.Generator().manual_seed(rank))
    found = []
    for _ in range(2):
        module.zero_grad()
        shared(ids).backward()
        found.append(torch.cat([weight.grad.flatten() for weight in module.parameters() if weight.grad is not None]))
    return found


def threads() -> set[str]:
    """The names of this process's threads, where the system tells them."""
    return {place.read_text().strip() for place in Path("/proc/self/task").glob("*/comm")}


def test_outputs_come_together_at_the_first_process_alone():
    process_context()  # whose server has torch loaded
    multiprocessing.start_processes(_share, (free_port(),), nprocs=3, start_method="forkserver")


def test_a_process_alone_asks_nobody():
    outputs = outputs_of(1)
    assert gather_at_first(outputs) is outputs
    assert from_first("told") == "told"
    assert any_of([True, False], torch.device("cpu")) == [True, False]


def test_only_the_first_process_decodes(make_run, monkeypatch):
    def decode(*_: Any) -> None:
        raise AssertionError("decoded by another process")

    run = make_run()
    module = TaskModule(build_core(run.core, 9), run)
    module._collected = []
    task = SimpleNamespace(model=SimpleNamespace(decode=decode), metric=SimpleNamespace(higher_is_better=True))
    prepared: Any = SimpleNamespace(task=task, run=run, selection_examples=None)
    folder: Any = SimpleNamespace(read_history=list)
    nothing: Any = None
    callback = EpochSelection(prepared, folder, nothing, lambda record: None, None, nothing, 30.0)
    trainer: Any = SimpleNamespace(state=SimpleNamespace(fn="fit"), is_global_zero=False)
    monkeypatch.setattr(selection, "from_first", lambda verdict: ({"threshold": 1.0}, {"f1": 2.0}, {}))
    callback.on_validation_epoch_end(trainer, module)
    assert (callback._calibration, callback._metrics) == ({"threshold": 1.0}, {"f1": 2.0})
