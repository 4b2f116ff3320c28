"""Which kernels `scaled_dot_product_attention` takes, which torch chooses by device, precision, mask and dropout."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch.nn.functional import scaled_dot_product_attention
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

#: The start of an operator's name -> the kernel; torch takes the math kernel apart into other operators.
_KERNELS = {
    "_scaled_dot_product_flash_attention": "flash",
    "_scaled_dot_product_efficient_attention": "memory-efficient",
    "_scaled_dot_product_cudnn_attention": "cuDNN",
    "_scaled_dot_product_fused_attention": "fused",
}
_UNFUSED = "math"


@contextmanager
def attention_kernels() -> Iterator[set[str]]:
    """The kernels of every attention computed inside, seen and not derived from rules; empty where there is none.

    >>> import torch
    >>> queries = torch.zeros(1, 1, 2, 8)
    >>> with attention_kernels() as found:
    ...     mixed = scaled_dot_product_attention(queries, queries, queries)
    >>> found
    {'flash'}
    """
    found: set[str] = set()
    with _Calls(found):
        yield found


class _Calls(TorchFunctionMode):
    """Puts a watch on each call."""

    def __init__(self, found: set[str]) -> None:
        super().__init__()
        self.found = found

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function is not scaled_dot_product_attention:
            return function(*args, **(kwargs or {}))
        with _Operators() as watch:
            result = function(*args, **(kwargs or {}))
        self.found.add(watch.kernel)
        return result


class _Operators(TorchDispatchMode):
    """Notes the fused kernel among the operators of one call."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = _UNFUSED

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = function.overloadpacket.__name__
        self.kernel = next((kernel for start, kernel in _KERNELS.items() if name.startswith(start)), self.kernel)
        return function(*args, **(kwargs or {}))
