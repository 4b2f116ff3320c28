"""The Transformer encoder that Atinuke is compared with."""

from __future__ import annotations

from atinuke_bench.config import TransformerConfig

from .encoder import AttentionCore


class TransformerCore(AttentionCore):
    """The encoder of BERT (Devlin et al. 2019): learned positions, normalised embeddings, both directions."""

    config_class = TransformerConfig
    result_version = 1
    normalises_embeddings = True
