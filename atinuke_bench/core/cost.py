"""What a core costs: parameters, and floating-point operations of a forward pass.

Only matrix multiplications are counted, a multiply-add as 2 operations: embedding look-ups, norms, activations and
softmax are left out, as is usual. A causal core is counted with the whole square of scores, as FlopCounterMode does,
and so is one whose attention has a window: kernels compute the scores that a mask hides, so that a window saves none.
The formulas replace that counter, which counts neither LSTMs nor the CPU's fused attention kernel.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

#: A training step costs a forward pass and about twice that for the backward pass.
TRAINING_FACTOR = 3


@dataclass(frozen=True)
class ParameterCount:
    """Numbers of parameters; those shared between modules count once."""

    total: int
    #: In look-up tables: tokens, segments, learned positions.
    embedding: int


def count_parameters(module: nn.Module, *, trainable_only: bool = False) -> ParameterCount:
    """Parameters of `module`, all of them or only those that are trained.

    >>> count_parameters(nn.Sequential(nn.Embedding(10, 4), nn.Linear(4, 2)))
    ParameterCount(total=50, embedding=40)
    """
    tables = nn.ModuleList(part for part in module.modules() if isinstance(part, nn.Embedding))
    return ParameterCount(_count(module, trainable_only), _count(tables, trainable_only))


def attention_flops_per_token(num_layers: int, hidden_size: int, feedforward_size: int, length: int) -> int:
    """Operations for each token in a stack of self-attention layers reading `length` tokens.

    >>> attention_flops_per_token(num_layers=2, hidden_size=128, feedforward_size=512, length=32)
    819200
    """
    projections = 2 * 4 * hidden_size**2
    scores_and_values = 2 * 2 * length * hidden_size
    feedforward = 2 * 2 * hidden_size * feedforward_size
    return num_layers * (projections + scores_and_values + feedforward)


def bilstm_flops_per_token(num_layers: int, hidden_size: int) -> int:
    """Operations for each token in a stack of bidirectional LSTM layers; FlopCounterMode counts none of them.

    >>> bilstm_flops_per_token(num_layers=1, hidden_size=128)
    196608
    """
    half = hidden_size // 2
    # Four gates in each direction, from the layer's input and from the direction's own previous output.
    direction = 2 * 4 * half * (hidden_size + half)
    return num_layers * 2 * direction


def _count(module: nn.Module, trainable_only: bool) -> int:
    return sum(weight.numel() for weight in module.parameters() if weight.requires_grad or not trainable_only)
