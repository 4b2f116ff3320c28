"""Where a mask is true, without a wait for the device."""

from __future__ import annotations

from torch import Tensor


def true_places(mask: Tensor, number: int) -> Tensor:  # (...) bool -> (number,) int64
    """The places of the `number` true values of a mask, as places of the flattened mask, in order.

    A GPU that is asked where a mask is true must be waited for, since it alone knows how many places there are; the
    caller knows the number from the batch's `sizes`.

    >>> import torch
    >>> true_places(torch.tensor([[False, True], [True, False]]), 2).tolist()
    [1, 2]
    """
    flat = mask.flatten()
    return flat.nonzero()[:, 0] if flat.device.type == "cpu" else _first_in_order(flat, number)


def _first_in_order(flat: Tensor, number: int) -> Tensor:
    return flat.logical_not().sort(stable=True).indices[:number]
