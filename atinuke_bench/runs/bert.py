"""The plain encoder in the words of transformers' BertModel, which computes the same.

Letters: D hidden size.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from atinuke_bench.config import TransformerConfig
from atinuke_bench.config.written import as_written
from atinuke_bench.core.base import Core
from atinuke_bench.core.embeddings import NUM_SEGMENTS, PADDING_ID
from atinuke_bench.core.encoder import AttentionCore, EncoderLayer
from atinuke_bench.errors import ConfigError

#: What BERT (Devlin et al. 2019) has in the place of each of our switches.
_BERT: dict[str, Any] = {"positions": "learned", "norm": "post", "causal": False, "attention_window": None}


def require_bert(core: Core) -> None:
    """ConfigError that names what of the core's config BertModel has no place for."""
    hint = "; nearest: --format atinuke-bench, which keeps every core as it is"
    if not isinstance(core, AttentionCore) or not core.normalises_embeddings:
        raise ConfigError(
            "core.name: transformers has a BertModel for core 'transformer' (and takes a pretrained core as it is); "
            f"found {core.config.name!r}{hint}"
        )
    for field, needed in _BERT.items():
        if (found := getattr(core.config, field)) != needed:
            raise ConfigError(f"core.{field}: BertModel has {_setting(needed)}; found {_setting(found)}{hint}")


def bert_config(core: AttentionCore, vocab_size: int) -> dict[str, Any]:
    """The config.json of a BertModel."""
    config = core.config
    assert isinstance(config, TransformerConfig), "require_bert comes first"
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "vocab_size": vocab_size,
        "hidden_size": config.hidden_size,
        "num_hidden_layers": config.num_layers,
        "num_attention_heads": config.num_heads,
        "intermediate_size": config.feedforward_size,
        "hidden_act": "gelu",
        "hidden_dropout_prob": config.dropout,
        "attention_probs_dropout_prob": config.attention_dropout,
        "max_position_embeddings": config.max_positions,
        "type_vocab_size": NUM_SEGMENTS,
        "layer_norm_eps": nn.LayerNorm(1).eps,
        "pad_token_id": PADDING_ID,
    }


def bert_weights(core: AttentionCore, *, has_segments: bool) -> dict[str, Tensor]:
    """The weights of a BertModel without its pooler, which this package does not have.

    BertModel always adds the embedding of a segment. Where the task gave no segments, those are zero.
    """
    assert core.learned_positions is not None, "require_bert comes first"
    segments = _scaled(core.embeddings.segment)
    tensors = {
        "embeddings.word_embeddings.weight": _scaled(core.embeddings.token),
        "embeddings.position_embeddings.weight": _scaled(core.learned_positions.table),
        "embeddings.token_type_embeddings.weight": segments if has_segments else torch.zeros_like(segments),
        **_named("embeddings.LayerNorm", core.embedding_norm),
    }
    for number, layer in enumerate(core.layers):
        assert isinstance(layer, EncoderLayer)
        tensors |= _layer(f"encoder.layer.{number}", layer)
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}


def _layer(prefix: str, layer: EncoderLayer) -> dict[str, Tensor]:
    parts = {
        "attention.output.dense": layer.attention.out,
        "attention.output.LayerNorm": layer.attention_norm,
        "intermediate.dense": layer.expand,
        "output.dense": layer.contract,
        "output.LayerNorm": layer.feedforward_norm,
    }
    tensors: dict[str, Tensor] = {}
    for name, part in parts.items():
        tensors |= _named(f"{prefix}.{name}", part)
    weights, biases = layer.attention.qkv.weight.chunk(3), layer.attention.qkv.bias.chunk(3)  # each (D, D) and (D)
    for name, weight, bias in zip(("query", "key", "value"), weights, biases, strict=True):
        tensors |= {f"{prefix}.attention.self.{name}.weight": weight, f"{prefix}.attention.self.{name}.bias": bias}
    return tensors


def _named(prefix: str, part: nn.Module) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": weight for name, weight in part.named_parameters()}


def _scaled(table: nn.Embedding) -> Tensor:
    """The vectors that a `ScaledEmbedding` gives, as a plain table."""
    return table.weight * math.sqrt(table.embedding_dim)


def _setting(value: Any) -> str:
    if value is None:
        return "none"
    return repr(value) if isinstance(value, str) else as_written(value)
