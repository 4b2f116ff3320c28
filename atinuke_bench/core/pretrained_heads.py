"""Where the attention heads of architectures in transformers are found."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import nn

from .attention_heads import AttentionLayer

#: Below a layer: what projects to queries, keys and values, and what takes the outputs of all heads.
_PLACES = (
    # BERT, RoBERTa, ELECTRA, ERNIE
    (("attention.self.query", "attention.self.key", "attention.self.value"), "attention.output.dense"),
    (("attention.q_lin", "attention.k_lin", "attention.v_lin"), "attention.out_lin"),  # DistilBERT
    (("attn.Wqkv",), "attn.Wo"),  # ModernBERT
    (("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"), "self_attn.o_proj"),  # NomicBERT, EuroBERT
    (("attention.attn.q", "attention.attn.k", "attention.attn.v"), "attention.attn.o"),  # MPNet
    # DeBERTa from version 2 on
    (("attention.self.query_proj", "attention.self.key_proj", "attention.self.value_proj"), "attention.output.dense"),
)


def layers_of(parts: Iterable[nn.Module], num_heads: int) -> tuple[AttentionLayer, ...]:
    """The attention of each layer; none where they are of an architecture whose heads are not known to lie apart."""
    found = [_layer(part, num_heads) for part in parts]
    known = tuple(one for one in found if one is not None)
    return known if len(known) == len(found) else ()


def _layer(part: nn.Module, num_heads: int) -> AttentionLayer | None:
    for names, last in _PLACES:
        inputs, output = [_at(part, name) for name in names], _at(part, last)
        if not isinstance(output, nn.Linear) or not all(isinstance(one, nn.Linear) for one in inputs):
            continue
        size = output.in_features
        # Otherwise heads share keys, or something else than heads is projected with them.
        if sum(one.out_features for one in inputs) == 3 * size and size % num_heads == 0:
            return AttentionLayer(num_heads, output, tuple(inputs))
    return None


def _at(part: Any, path: str) -> Any:
    for name in path.split("."):
        part = getattr(part, name, None)
    return part
