"""Attention heads from outside: switched off, weighed, and watched, without a line in the way of ordinary runs.

A core that has attention heads names its layers (`Core.attention_layers`). What the heads of a layer say lies side by
side in the input of one projection, where a gate on a head multiplies it; a gate of 1 changes no bit.

Legend of shapes: B inputs of a batch, T tokens, H heads of a layer, K size of a head.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from torch.overrides import TorchFunctionMode

#: (number of the layer, its number of inputs) -> what each head is multiplied by: (H,), or (B, H) for each input.
Gates = Callable[[int, int], Tensor]


@dataclass(frozen=True, eq=False)
class AttentionLayer:
    """Where the attention heads of one layer are reached."""

    num_heads: int
    #: Takes what the heads say, side by side: its input is (B, T, H * K).
    output: nn.Linear
    #: Project to queries, keys and values, each head from its own share of their rows.
    inputs: tuple[nn.Linear, ...]

    @property
    def head_size(self) -> int:
        return self.output.in_features // self.num_heads

    @property
    def parameters_per_head(self) -> int:
        """Parameters that a head alone uses: its rows of the projections to it, its columns of the one after it."""
        before = sum(part.weight.numel() + (0 if part.bias is None else part.bias.numel()) for part in self.inputs)
        return (before + self.output.weight.numel()) // self.num_heads

    def flops_per_head(self, length: int) -> int:
        """Operations of a head for each token of a text of `length` tokens, counted as `core.cost` counts."""
        before = sum(part.weight.numel() for part in self.inputs)
        products = 2 * (before + self.output.weight.numel()) // self.num_heads
        scores_and_values = 2 * 2 * length * self.head_size
        return products + scores_and_values


@contextmanager
def gated(layers: Sequence[AttentionLayer], gates: Gates) -> Iterator[None]:
    """Multiply what each head says, in every forward pass inside."""
    with ExitStack() as hooks:
        for number, layer in enumerate(layers):
            handle = layer.output.register_forward_pre_hook(_gate(number, layer.num_heads, gates))
            hooks.callback(handle.remove)
        yield


def _gate(number: int, num_heads: int, gates: Gates) -> Callable[[nn.Module, Any], Any]:
    def hook(module: nn.Module, args: Any) -> Any:
        said, *rest = args  # (B, T, H * K)
        gate = gates(number, said.shape[0]).to(said)
        weighed = said.unflatten(-1, (num_heads, -1)) * gate[..., None, :, None]
        return (weighed.flatten(-2), *rest)

    return hook


@contextmanager
def pruned(layers: Sequence[AttentionLayer], kept: Sequence[Sequence[bool]]) -> Iterator[None]:
    """Forward passes inside are those of the core without the heads that are not kept, a flag for each head."""
    cut = [number for number, own in enumerate(kept) if not all(own)]
    gates = [torch.tensor(kept[number], dtype=torch.float32) for number in cut]
    with gated([layers[number] for number in cut], lambda place, _: gates[place]):
        yield


def attention_probabilities(
    queries: Tensor,  # (B, H, T, K)
    keys: Tensor,  # (B, H, T, K)
    mask: Tensor | None = None,  # (B, H, T, T) or what broadcasts to it: bool, True where seen; or floats to add
    is_causal: bool = False,
    scale: float | None = None,
) -> tuple[Tensor, Tensor]:  # (B, H, T, T) float32, and what broadcasts to it, bool
    """How much each query attends to each key, and which keys it sees.

    That is what `scaled_dot_product_attention` weighs values by, and never returns. A query that sees no key has zeros.

    >>> probabilities, seen = attention_probabilities(torch.zeros(1, 1, 2, 4), torch.zeros(1, 1, 2, 4), is_causal=True)
    >>> probabilities[0, 0].tolist(), seen[0, 0].tolist()
    ([[1.0, 0.0], [0.5, 0.5]], [[True, False], [True, True]])
    """
    if keys.shape[1] != queries.shape[1]:  # several heads share keys
        keys = keys.repeat_interleave(queries.shape[1] // keys.shape[1], dim=1)
    scale = queries.shape[-1] ** -0.5 if scale is None else scale
    scores = queries.float() @ keys.float().transpose(-2, -1) * scale
    seen = torch.ones(1, 1, *scores.shape[-2:], dtype=torch.bool, device=scores.device)
    if is_causal:
        seen = seen.tril()
    if mask is not None and mask.dtype == torch.bool:
        seen = seen & mask
    elif mask is not None:
        # Of half precision, the lowest number is what some libraries write for minus infinity.
        seen = seen & (mask > torch.finfo(mask.dtype).min)
        scores = scores + mask.float()
    scores = scores.masked_fill(~seen, -torch.inf)
    return scores.softmax(dim=-1).nan_to_num(0.0), seen


#: (number of the layer, probabilities (B, H, T, T), seen: what broadcasts to it).
See = Callable[[int, Tensor, Tensor], None]


@contextmanager
def watched(layers: Sequence[AttentionLayer], see: See) -> Iterator[None]:
    """Show what the heads of each layer attend to, in every forward pass inside.

    Only attention that torch's `scaled_dot_product_attention` computes is seen; of a core that computes it otherwise
    `see` is never called.
    """
    calls = _Calls()
    with ExitStack() as stack:
        for number, layer in enumerate(layers):
            handle = layer.output.register_forward_pre_hook(_show(number, calls, see))
            stack.callback(handle.remove)
        stack.enter_context(calls)
        yield


def _show(number: int, calls: _Calls, see: See) -> Callable[[nn.Module, Any], None]:
    def hook(module: nn.Module, args: Any) -> None:
        last, calls.last = calls.last, None
        if last is not None:
            see(number, *attention_probabilities(*last))

    return hook


class _Calls(TorchFunctionMode):
    """Keeps what the last attention was computed from: its layer's projection follows it."""

    def __init__(self) -> None:
        super().__init__()
        self.last: tuple[Tensor, Tensor, Tensor | None, bool, float | None] | None = None

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if function is scaled_dot_product_attention:
            self.last = _asked(*args, **kwargs)
        return function(*args, **kwargs)


def _asked(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> tuple[Tensor, Tensor, Tensor | None, bool, float | None]:
    return query, key, attn_mask, is_causal, scale
