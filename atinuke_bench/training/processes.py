"""The processes that share a run: how they find each other, and what they tell each other."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any, TypeVar

import numpy as np
import torch

# Imported later, with DDP, its functions would take the processes that have met by then as defaults, and keep them.
import torch.distributed.nn.functional
from pytorch_lightning.plugins.environments import LightningEnvironment
from torch import distributed

from atinuke_bench.training.launchers import Launched

T = TypeVar("T")
#: Names and arrays, with one entry a row in the first dimension of each: what a module says of a batch.
Output = dict[str, np.ndarray]
#: Name, dtype and shape of the arrays of an output.
_Layout = list[tuple[str, str, tuple[int, ...]]]
#: About as many bytes are sent at once, so that no process holds its outputs twice.
_PIECE_BYTES = 16 * 2**20


class RunEnvironment(LightningEnvironment):
    """Each process is a node of one device to Lightning, so that it never counts the devices of a machine.

    They may be placed on machines in any number and order, and see all GPUs of a machine or only their own.
    """

    def __init__(self, rank: int, place: Launched | None) -> None:
        super().__init__()
        self._rank = rank
        self._place = place

    @property
    def creates_processes_externally(self) -> bool:
        return True

    @property
    def main_address(self) -> str:
        return super().main_address if self._place is None else self._place.address

    @property
    def main_port(self) -> int:
        return super().main_port if self._place is None else self._place.port

    def local_rank(self) -> int:
        return 0

    def node_rank(self) -> int:
        return self._rank

    def teardown(self) -> None:
        """Does nothing, where Lightning would remove what a launcher said."""


def is_shared() -> bool:
    """Whether this process is one of several that have found each other."""
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1


def part() -> None:
    """End what this process has to do with others, and the threads by which it did; for the end of the process.

    A thread of gloo that lets go of a tensor while Python ends aborts the process, which has done all its work by then.
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        return
    gc.collect()  # a trained module holds the processes through DDP
    distributed.destroy_process_group()


def from_first(value: T) -> T:
    """What the first process has, at all of them. It must be small."""
    if not is_shared():
        return value
    holder = [value]
    distributed.broadcast_object_list(holder, src=0)
    return holder[0]


def any_of(wishes: list[bool], device: torch.device) -> list[bool]:
    """For each wish, whether any process has it; the device is waited for where there are several."""
    if not is_shared():
        return wishes
    numbers = torch.tensor(wishes, dtype=torch.int32, device=device)
    distributed.all_reduce(numbers, op=distributed.ReduceOp.MAX)
    return [number > 0 for number in numbers.tolist()]


def gather_at_first(outputs: list[Output]) -> list[Output]:
    """The outputs of all processes at the first one, in order of rank; none at the others.

    Arrays travel as their bytes: nobody pickles them, and only the first process holds more than its share.
    """
    if not is_shared():
        return outputs
    layouts: list[Any] | None = [None] * distributed.get_world_size() if distributed.get_rank() == 0 else None
    distributed.gather_object([_layout(output) for output in outputs], layouts)
    device = torch.device("cuda", torch.cuda.current_device()) if distributed.get_backend() == "nccl" else "cpu"
    if layouts is None:
        for piece in _pieces([_layout(output) for output in outputs]):
            sent = b"".join(outputs[place][name].tobytes() for place, layout in piece for name, _, _ in layout)
            distributed.send(torch.frombuffer(bytearray(sent), dtype=torch.uint8).to(device), 0)
        return []
    found = list(outputs)
    for rank, theirs in enumerate(layouts[1:], start=1):
        for piece in _pieces(theirs):
            size = sum(_num_bytes(layout) for _, layout in piece)
            received = torch.empty(size, dtype=torch.uint8, device=device)
            distributed.recv(received, rank)
            found += _unpacked(received.cpu().numpy().tobytes(), [layout for _, layout in piece])
    return found


def _layout(output: Output) -> _Layout:
    return [(name, array.dtype.str, array.shape) for name, array in output.items()]


def _num_bytes(layout: _Layout) -> int:
    return sum(np.dtype(kind).itemsize * int(np.prod(shape)) for _, kind, shape in layout)


def _pieces(layouts: list[_Layout]) -> Iterator[list[tuple[int, _Layout]]]:
    """Consecutive outputs, by their places, of about `_PIECE_BYTES` together; never of none."""
    piece: list[tuple[int, _Layout]] = []
    size = 0
    for place, layout in enumerate(layouts):
        piece.append((place, layout))
        size += _num_bytes(layout)
        if size >= _PIECE_BYTES:
            yield piece
            piece, size = [], 0
    if size:
        yield piece


def _unpacked(content: bytes, layouts: list[_Layout]) -> Iterator[Output]:
    place = 0
    for layout in layouts:
        output = {}
        for name, kind, shape in layout:
            count = int(np.prod(shape))
            array = np.frombuffer(content, np.dtype(kind), count, place).reshape(shape)
            place += array.nbytes
            output[name] = array.copy()  # which may be written to, as those of this process may
        yield output
