"""How much of a batch a device computes at once.

The gradient of a step is the sum over the parts of its batch, so that their number changes no result; dropout aside,
whose masks are drawn part by part.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Literal, TypeVar

import torch
from torch import Tensor

from atinuke_bench.data.batching import INPUT_SIZES, cut_rows, input_sizes, num_tokens_at_once
from atinuke_bench.errors import DeviceMemoryError, one_line
from atinuke_bench.training.feed import sizes_of

log = logging.getLogger(__name__)
T = TypeVar("T")
Batch = dict[str, Tensor]


class Parts:
    """Cuts batches into parts of at most `max_tokens` tokens, padding counted; None leaves them whole.

    With `adapts`, a batch for which the device's memory is too small is computed again in smaller parts, and those
    after it are cut as small. Each process of a shared run finds its own size: none waits for another.
    """

    def __init__(
        self, max_tokens: int | None = None, *, adapts: bool = False, say: Callable[[str], None] = log.warning
    ) -> None:
        self.max_tokens = max_tokens
        self.adapts = adapts
        self.say = say

    def cut(self, batch: Batch) -> list[Batch]:
        """The parts of a batch."""
        return [batch] if self.max_tokens is None else cut_rows(batch, self.max_tokens, _input_sizes(batch))

    def compute(self, batch: Batch, work: Callable[[list[Batch]], T]) -> T:
        """What `work` makes of a batch's parts; it begins anew with smaller ones when the device's memory is too small.

        DeviceMemoryError when even a part of one row is too large.
        """
        before = self.max_tokens
        while True:
            parts = self.cut(batch)
            try:
                done = work(parts)
                break
            except torch.OutOfMemoryError as error:
                if not self.adapts:
                    raise
                log.info("%s", one_line(error))
            # Not before the error is gone are the tensors free that its traceback holds.
            torch.cuda.empty_cache()
            self._halve(max(parts, key=_num_tokens))
        if self.max_tokens != before:
            num_rows = len(batch["rows"])
            self.say(
                f"a batch of {num_rows} rows of {_num_tokens(batch) // num_rows} tokens is too large for the device's "
                f"memory; from here on it computes at most {self.max_tokens} tokens at once, with the same result"
            )
        return done

    def _halve(self, largest: Batch) -> None:
        num_rows, num_tokens = len(largest["rows"]), _num_tokens(largest)
        if num_rows == 1:
            raise DeviceMemoryError(
                f"the longest row must fit into the device's memory; found one of {num_tokens} tokens that does not; "
                "nearest: a smaller training.max_length, core.num_layers or core.hidden_size"
            )
        self.max_tokens = -(-num_rows // 2) * (num_tokens // num_rows)


def _input_sizes(batch: Batch) -> dict[str, Tensor]:
    """The `input_sizes` of a batch, from the host where the batch is on a GPU."""
    known = sizes_of(batch)
    return {name: known[name] for name in INPUT_SIZES} if known.keys() >= INPUT_SIZES else input_sizes(batch)


def _num_tokens(batch: Batch) -> int:
    return num_tokens_at_once(batch, _input_sizes(batch))


def parts_for(
    device: torch.device, device_batch_tokens: int | Literal["auto"] | None, say: Callable[[str], None]
) -> Parts:
    """What `Execution.device_batch_tokens` asks for on a device; by default what fits, or all on a processor.

    A process that asks too much of a processor's memory is ended by the system: there is nothing to adapt to.
    """
    if device_batch_tokens == "auto" or (device_batch_tokens is None and device.type != "cpu"):
        return Parts(adapts=True, say=lambda line: say(f"{line}; --device-batch-tokens says so from the start"))
    return Parts(device_batch_tokens)
