"""Batches that hold a budget of tokens, in an order that is a function of (seed, epoch) alone.

Rows are shuffled, sorted by length within large pools, cut into batches of at most `batch_tokens` tokens with padding
counted (and, where that is set, of at most `batch_rows` rows), and the batches are shuffled again: little padding, and
still another order in every epoch.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from atinuke_bench.data.features import INPUT_LENGTHS, Encoded

# How many batches a pool of rows makes. Larger pools pad less and shuffle lengths less.
_POOL_BATCHES = 64
# The column that only a batch of a row that stands in for none has.
_STAND_IN = "is_stand_in"
_HOST = torch.device("cpu")
T = TypeVar("T")


def cut_batches(
    rows: np.ndarray,
    lengths: np.ndarray,
    batch_tokens: int,
    num_inputs: np.ndarray | None = None,
    batch_rows: int | None = None,
) -> list[np.ndarray]:
    """Cut rows, already in order, into runs whose number of inputs times longest input is at most `batch_tokens`.

    A row has one input unless `num_inputs` says how many. A row of more tokens than the budget is a batch by itself.
    A run has at most `batch_rows` rows, where that is given.

    >>> [run.tolist() for run in cut_batches(np.arange(3), np.array([4, 4, 5]), 20, np.array([2, 3, 1]))]
    [[0, 1], [2]]
    >>> [run.tolist() for run in cut_batches(np.arange(3), np.array([4, 4, 5]), 20, batch_rows=2)]
    [[0, 1], [2]]
    """
    held = [1] * len(rows) if num_inputs is None else num_inputs[rows].tolist()
    batches, start, longest, total = [], 0, 0, 0
    for place, (length, number) in enumerate(zip(lengths[rows].tolist(), held, strict=True)):
        longest, total = max(longest, length), total + number
        if place > start and (longest * total > batch_tokens or place - start == batch_rows):
            batches.append(rows[start:place])
            start, longest, total = place, length, number
    if start < len(rows):
        batches.append(rows[start:])
    return batches


def split_to(batches: list[np.ndarray], num_batches: int) -> list[np.ndarray]:
    """Halve the batches with most rows until there are `num_batches`, as far as rows allow."""
    batches = list(batches)
    while len(batches) < num_batches:
        largest = max(range(len(batches)), key=lambda index: len(batches[index]))
        rows = batches[largest]
        if len(rows) < 2:
            break
        batches[largest : largest + 1] = [rows[: len(rows) // 2], rows[len(rows) // 2 :]]
    return batches


class TokenBudgetSampler(Sampler[np.ndarray]):
    """Yields one array of row numbers a batch; `lengths` and `num_inputs` are those of `Encoded`.

    With `seed=None` the order is by length and the same in every epoch (evaluation); shard s then takes every
    `num_shards`-th batch. Otherwise the order is a function of (seed, epoch), all epochs have the same number of
    batches, and shard s takes every `num_shards`-th row of each: the budget covers all processes together, so the steps
    of a run and the examples in each do not depend on how many processes share it.

    The shards together hold the batches of one process, each row in one shard alone. A shard that is left without any
    row, of a batch in training or of all in evaluation, gets an empty array, since processes must keep step.
    """

    def __init__(
        self,
        lengths: np.ndarray,
        batch_tokens: int,
        *,
        seed: int | None,
        num_epochs: int = 1,
        shard: int = 0,
        num_shards: int = 1,
        num_inputs: np.ndarray | None = None,
        batch_rows: int | None = None,
    ) -> None:
        self.lengths = np.asarray(lengths)
        self.num_inputs = np.ones_like(self.lengths) if num_inputs is None else np.asarray(num_inputs)
        self.batch_tokens = batch_tokens
        self.batch_rows = batch_rows
        self.seed = seed
        self.shard = shard
        self.num_shards = num_shards
        self.epoch = 0
        self.begin: tuple[int, int] | None = None
        epochs = range(num_epochs if seed is not None else 1)
        self.num_batches = max(len(self._cut(epoch)) for epoch in epochs)
        if seed is None:
            # Every process should have something to evaluate: few long batches are cut into more, as rows allow.
            self.num_batches = min(max(self.num_batches, num_shards), len(self.lengths))

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order the next iteration has."""
        self.epoch = epoch

    def begin_at(self, epoch: int, num_done: int) -> None:
        """Leave out the first batches of one epoch, which an interrupted training has done."""
        self.begin = epoch, num_done

    def all_batches(self, epoch: int) -> list[np.ndarray]:
        """The batches of all shards in one epoch, in their order."""
        batches = split_to(self._cut(epoch), self.num_batches)
        if self.seed is None:
            return batches
        # Batches of one row each cannot be split. The schedule counts on as many steps in every epoch, so the few
        # missing batches are repeats.
        batches = list(islice(cycle(batches), self.num_batches))
        order = np.random.default_rng((self.seed, epoch, 1)).permutation(len(batches))
        return [batches[index] for index in order]

    def __iter__(self) -> Iterator[np.ndarray]:
        batches = self.all_batches(self.epoch)
        if self.begin is not None and self.epoch == self.begin[0]:
            batches = batches[self.begin[1] :]
        if self.seed is None:
            own = batches[self.shard :: self.num_shards]
            yield from own if own or not batches else [np.empty(0, dtype=np.int64)]
        else:
            yield from (rows[self.shard :: self.num_shards] for rows in batches)

    def __len__(self) -> int:
        if self.seed is None:
            return max(1, len(range(self.shard, self.num_batches, self.num_shards)))
        return self.num_batches

    def padding_fraction(self, epoch: int = 0) -> float:
        """Share of the tokens of an epoch's batches that are padding, beyond the longest input of each row."""
        batches = self.all_batches(epoch)
        held = sum(int(self.num_inputs[rows].sum()) * int(self.lengths[rows].max()) for rows in batches)
        return 1 - float(self._tokens.sum()) / held if held else 0.0

    @property
    def _tokens(self) -> np.ndarray:
        """Tokens of each row, its inputs as long as the longest of them."""
        return self.lengths * self.num_inputs

    def _cut(self, epoch: int) -> list[np.ndarray]:
        rows = np.arange(len(self.lengths))
        if self.seed is None:
            return self._runs(rows)
        generator = np.random.default_rng((self.seed, epoch, 0))
        rows = generator.permutation(rows)
        pool = max(1, int(_POOL_BATCHES * self.batch_tokens / max(1.0, float(self._tokens.mean()))))
        if self.batch_rows is not None:
            pool = min(pool, _POOL_BATCHES * self.batch_rows)
        return [run for start in range(0, len(rows), pool) for run in self._runs(rows[start : start + pool])]

    def _runs(self, rows: np.ndarray) -> list[np.ndarray]:
        ordered = rows[np.argsort(self.lengths[rows], kind="stable")]
        return cut_batches(ordered, self.lengths, self.batch_tokens, self.num_inputs, self.batch_rows)


class BatchDataset(Dataset[dict[str, Tensor]]):
    """Makes the batch of an array of row numbers: padded int64 columns, a mask, fixed columns and the row numbers.

    No row numbers make a batch of one row that stands in for none (`is_stand_in`), so that a process that is left
    without rows can still take part in a step.

    Columns are as wide as the longest row of the batch asks for on `device` (`padded_length`).
    """

    def __init__(self, encoded: Encoded, device: torch.device = _HOST) -> None:
        self.encoded = encoded
        self.device = device
        self._longest = {name: int(column.lengths.max(initial=0)) for name, column in encoded.ragged.items()}

    def __len__(self) -> int:
        return len(self.encoded)

    def __getitem__(self, rows: np.ndarray) -> dict[str, Tensor]:
        if not len(rows):
            shortest = np.argmin(self.encoded.lengths, keepdims=True)
            return {**self[shortest], _STAND_IN: torch.ones(1, dtype=torch.bool)}
        encoded = self.encoded
        batch = {name: self._column(name, rows) for name in encoded.ragged}
        lengths = torch.from_numpy(encoded.ragged["input_ids"].lengths_of(rows))
        batch["attention_mask"] = torch.arange(batch["input_ids"].shape[1]) < lengths[:, None]  # (B, L)
        batch |= {name: torch.from_numpy(column[rows]) for name, column in encoded.fixed.items()}
        batch["rows"] = torch.from_numpy(np.asarray(rows, dtype=np.int64))
        return batch

    def _column(self, name: str, rows: np.ndarray) -> Tensor:  # (B, L) int64
        column = self.encoded.ragged[name]
        width = padded_length(int(column.lengths_of(rows).max()), self._longest[name], self.device)
        return torch.from_numpy(column.pad(rows, width)).to(torch.int64)


def padded_length(length: int, limit: int, device: torch.device) -> int:
    """How long rows of at most `length` are made for a device: on a GPU the next multiple of 8, up to `limit`.

    Its matrix units work on pieces of 8 (NVIDIA, "Matrix multiplication background user's guide", section 5).

    >>> [padded_length(length, 30, torch.device("cuda")) for length in (16, 17, 25)]
    [16, 24, 30]
    """
    return length if device.type == "cpu" else max(length, min(-(-length // 8) * 8, limit))


def is_stand_in(batch: Mapping[str, Tensor]) -> bool:
    """Whether a batch's only row stands in for none: it is neither learned from, nor counted, nor answered."""
    return _STAND_IN in batch


#: What `input_sizes` gives.
INPUT_SIZES = frozenset(("num_inputs", "longest_input"))


def input_sizes(batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The inputs of each row (B) of a batch whose rows hold several, and the tokens of the longest; else none."""
    if INPUT_LENGTHS not in batch:
        return {}
    lengths = batch[INPUT_LENGTHS]  # (B, inputs of the row that has most), 0 where there is none
    return {"num_inputs": (lengths > 0).sum(dim=1), "longest_input": lengths.amax(dim=1)}


def num_tokens(batch: Mapping[str, Tensor]) -> Tensor:
    """Tokens that the core reads of a batch, padding left out: a scalar."""
    return (batch[INPUT_LENGTHS] if INPUT_LENGTHS in batch else batch["attention_mask"]).sum()


def num_tokens_at_once(batch: Mapping[str, Tensor], sizes: Mapping[str, Tensor]) -> int:
    """Tokens that a batch is computed as, padding counted; `sizes` are its `input_sizes`, on the host."""
    if sizes:
        return int(sizes["num_inputs"].sum()) * int(sizes["longest_input"].max())
    return batch["input_ids"].numel()


def cut_rows(
    batch: dict[str, Tensor], max_tokens: int, sizes: Mapping[str, Tensor] | None = None
) -> list[dict[str, Tensor]]:
    """A batch in parts of at most `max_tokens` tokens, padding counted; `sizes` are its `input_sizes`, on the host.

    Rows of one input make parts of nearly equal numbers of rows, which keep the padding of the batch. A row of more
    than `max_tokens` is a part by itself.

    >>> batch = {"input_ids": torch.zeros(5, 8), "rows": torch.arange(5)}
    >>> [part["rows"].tolist() for part in cut_rows(batch, 16)]
    [[0, 1], [2, 3], [4]]
    """
    num_rows, width = batch["input_ids"].shape
    if sizes:
        rows, lengths, number = np.arange(num_rows), sizes["longest_input"].numpy(), sizes["num_inputs"].numpy()
        sizes_of_parts = [len(run) for run in cut_batches(rows, lengths, max_tokens, number)]
    else:
        num_parts = -(-num_rows // max(1, max_tokens // width))
        sizes_of_parts = [len(part) for part in np.array_split(np.arange(num_rows), num_parts)]
    columns = {name: column.split(sizes_of_parts) for name, column in batch.items()}
    return [{name: parts[place] for name, parts in columns.items()} for place in range(len(sizes_of_parts))]


class PrefetchingLoader(DataLoader[dict[str, Tensor]]):
    """Makes the next batches in a thread while a device computes.

    Measured with SQuAD batches of 4,096 tokens and a step that leaves the processor idle for 4 ms: a batch is waited
    for 0.1 ms with the thread, 0.6 to 1.1 ms without it, and 10 ms with a worker process, which must send its tensors.
    """

    def __iter__(self) -> Iterator[dict[str, Tensor]]:  # type: ignore[override]
        return _ahead(super().__iter__())


def _ahead(items: Iterator[T], number: int = 2) -> Iterator[T]:
    """The same items, of which a thread makes up to `number` before they are asked for.

    >>> list(_ahead(iter("abc")))
    ['a', 'b', 'c']
    """
    end = object()
    with ThreadPoolExecutor(1) as thread:
        coming = deque(thread.submit(next, items, end) for _ in range(number))
        while (item := coming.popleft().result()) is not end:
            coming.append(thread.submit(next, items, end))
            yield item  # type: ignore[misc]


def make_loader(
    encoded: Encoded, sampler: TokenBudgetSampler, device: torch.device = _HOST
) -> DataLoader[dict[str, Tensor]]:
    """A loader of one batch per entry of `sampler`, for a device.

    The sampler is the loader's `sampler`, with automatic batching off, so that Lightning finds it and sets its epoch.
    Collating is a few array copies. On a processor there is nobody to do them beside the training; for a GPU a thread
    does, into memory that is pinned, so that the copy to the device is waited for by nobody.
    """
    # A loader draws a number whenever it is iterated. It gets its own generator, since dropout draws from the global
    # one and an epoch's dropout must not depend on how often loaders were started before.
    options: dict[str, Any] = {"sampler": sampler, "batch_size": None, "generator": torch.Generator()}
    data = BatchDataset(encoded, device)
    if device.type != "cuda":
        return DataLoader(data, **options)
    return PrefetchingLoader(data, pin_memory=True, **options)
