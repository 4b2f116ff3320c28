"""The Atinuke core."""

from __future__ import annotations

from atinuke_bench.config import AtinukeConfig

from .encoder import AttentionCore


class AtinukeCore(AttentionCore):
    """Atinuke (arXiv 2401.16736): by default causal, with its own sinusoidal positions in every layer."""

    config_class = AtinukeConfig
    result_version = 1
