"""What of a batch goes to the device, and what stays on the host, where Python can read it without waiting."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

#: The start of the names of columns that stay on the host.
_SIZES = "sizes/"


def with_sizes(batch: Mapping[str, Tensor], sizes: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A batch with numbers of each of its rows (B) that shapes depend on; they stay on the host.

    >>> sizes_of(with_sizes({"rows": torch.arange(2)}, {"num_words": torch.tensor([5, 3])}))
    {'num_words': tensor([5, 3])}
    """
    return {**batch, **{f"{_SIZES}{name}": column for name, column in sizes.items()}}


def sizes_of(batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The numbers that `with_sizes` gave to a batch; none where it gave none."""
    return {name.removeprefix(_SIZES): column for name, column in batch.items() if name.startswith(_SIZES)}


def move(batch: Mapping[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    """A batch on a device, its sizes aside; from pinned memory nothing waits for the copies."""
    return {
        name: column if name.startswith(_SIZES) else column.to(device, non_blocking=device.type == "cuda")
        for name, column in batch.items()
    }
