"""The stack of self-attention layers that the `atinuke` and `transformer` cores share.

Core(X) = (F_L . H_L . P_L) ... (F_1 . H_1 . P_1) . E(X), of arXiv 2401.16736: E embeds tokens, P_l adds the positions
of layer l, H_l is self-attention and F_l the feed-forward part, each of the two with a residual connection and a norm.

Legend of shapes: B batch, T tokens, D hidden size, K size of a head.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from atinuke_bench.config import AttentionConfig
from atinuke_bench.errors import ConfigError

from . import cost
from .attention import SelfAttention, Visibility, visibility
from .attention_heads import AttentionLayer
from .base import Core
from .embeddings import Embeddings
from .positions import LearnedPositions, alibi_slopes, rotations, unit_sinusoids


class AttentionCore(Core[AttentionConfig]):
    """A core made of self-attention layers, with every switch of `AttentionConfig`."""

    #: Whether the embeddings are normalised before the first layer, as in BERT.
    normalises_embeddings: ClassVar[bool] = False

    def __init__(self, config: AttentionConfig, vocab_size: int) -> None:
        super().__init__(config, vocab_size)
        size = config.hidden_size
        self.embeddings = Embeddings(vocab_size, size)
        self.learned_positions = (
            LearnedPositions(config.max_positions, size, config.position_gain)
            if config.positions == "learned"
            else None
        )
        self.embedding_norm = nn.LayerNorm(size) if self.normalises_embeddings else nn.Identity()
        self.dropout = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.num_layers))
        self.final_norm = nn.LayerNorm(size) if config.norm == "pre" else nn.Identity()
        self._first_place = 0

    @property
    def hidden_size(self) -> int:
        return self.config.hidden_size

    @property
    def token_embedding(self) -> nn.Embedding:
        return self.embeddings.token

    @property
    def is_causal(self) -> bool:
        return self.config.causal

    def forward(
        self,
        input_ids: Tensor | None,  # (B, T) int64
        attention_mask: Tensor,  # (B, T) bool, False at padding
        segment_ids: Tensor | None = None,  # (B, T) int64, 0 or 1
        inputs_embeds: Tensor | None = None,  # (B, T, D)
    ) -> Tensor:  # (B, T, D)
        hidden = self._add_positions(self.embeddings(input_ids, segment_ids, inputs_embeds))
        hidden = self.dropout(self.embedding_norm(hidden))
        visible = self.visibility(attention_mask)
        sinusoid, rotation = self._layer_positions(hidden)
        for layer in self.layers:
            hidden = layer(hidden, visible, sinusoid, rotation)
        return self.final_norm(hidden)

    def attention_layers(self) -> tuple[AttentionLayer, ...]:
        parts = [layer.attention for layer in self.layers if isinstance(layer, EncoderLayer)]
        return tuple(AttentionLayer(part.num_heads, part.out, (part.qkv,)) for part in parts)

    def visibility(self, attention_mask: Tensor) -> Visibility:  # (B, T) bool
        """Who sees whom in every layer, and what is added to their scores."""
        config = self.config
        slopes = alibi_slopes(config.num_heads, attention_mask.device) if config.positions == "alibi" else None
        return visibility(attention_mask, config.causal, config.attention_window, slopes)

    def shift_positions(self, num_places: int) -> None:
        if self.config.positions == "none":
            raise ConfigError("core.positions: a core without positions has none to shift; found none")
        self._first_place = num_places

    def observables(self) -> dict[str, Tensor]:
        if self.config.positions != "layerwise":
            return {}
        gains = (layer.get_parameter("position_gain") for layer in self.layers)
        return {f"position_gain.{number}": gain.detach() for number, gain in enumerate(gains)}

    def flops_per_token(self, length: int) -> int:
        config = self.config
        return cost.attention_flops_per_token(config.num_layers, config.hidden_size, config.feedforward_size, length)

    def _add_positions(self, embedded: Tensor) -> Tensor:  # (B, T, D) -> (B, T, D)
        """The positions that enter once, before the first layer."""
        _, length, size = embedded.shape
        if self.learned_positions is not None:
            return embedded + self.learned_positions(length, self._first_place)
        if self.config.positions == "sinusoidal":
            table = unit_sinusoids(length, size, embedded.device, self._first_place)
            return embedded + self.config.position_gain * table
        return embedded

    def _layer_positions(self, hidden: Tensor) -> tuple[Tensor | None, Tensor | None]:  # (T, D), (2, T, K)
        """The positions that enter in every layer: sinusoids to add, or rotations of queries and keys."""
        _, length, size = hidden.shape
        if self.config.positions == "layerwise":
            return unit_sinusoids(length, size, hidden.device, self._first_place), None
        if self.config.positions == "rotary":
            return None, rotations(length, size // self.config.num_heads, hidden.device, self._first_place)
        return None, None


class EncoderLayer(nn.Module):
    """Positions, self-attention and feed-forward: F_l . H_l . P_l.

    With `layerwise` positions, P_l adds the sinusoids times the layer's own learned gain to the residual stream.
    """

    def __init__(self, config: AttentionConfig) -> None:
        super().__init__()
        size = config.hidden_size
        self.norm_first = config.norm == "pre"
        self.position_gain = (
            nn.Parameter(torch.tensor(config.position_gain)) if config.positions == "layerwise" else None
        )
        self.attention = SelfAttention(size, config.num_heads, config.attention_dropout)
        self.attention_norm = nn.LayerNorm(size)
        self.expand = nn.Linear(size, config.feedforward_size)
        self.contract = nn.Linear(config.feedforward_size, size)
        self.feedforward_norm = nn.LayerNorm(size)
        self.activation = nn.GELU()
        self.dropout = nn.Dropout(config.dropout)
        self._initialise(num_layers=config.num_layers)

    def _initialise(self, num_layers: int) -> None:
        """Weights that keep the variance of their input: normal with variance 1 / inputs; biases 0.

        The projections that end in the residual stream are smaller by sqrt(2 x layers), so that the 2 x layers terms
        added to it have together the variance of one (GPT-2).
        """
        residual_scale = 1 / math.sqrt(2 * num_layers)
        for linear in (self.attention.qkv, self.attention.out, self.expand, self.contract):
            scale = residual_scale if linear in (self.attention.out, self.contract) else 1.0
            nn.init.normal_(linear.weight, std=scale / math.sqrt(linear.in_features))
            nn.init.zeros_(linear.bias)

    def forward(
        self,
        hidden: Tensor,  # (B, T, D)
        visible: Visibility,
        sinusoid: Tensor | None,  # (T, D)
        rotation: Tensor | None,  # (2, T, K)
    ) -> Tensor:  # (B, T, D)
        if self.position_gain is not None:
            assert sinusoid is not None
            hidden = hidden + self.position_gain * sinusoid
        if self.norm_first:
            hidden = hidden + self.dropout(self.attention(self.attention_norm(hidden), visible, rotation))
            return hidden + self.dropout(self._feedforward(self.feedforward_norm(hidden)))
        hidden = self.attention_norm(hidden + self.dropout(self.attention(hidden, visible, rotation)))
        return self.feedforward_norm(hidden + self.dropout(self._feedforward(hidden)))

    def _feedforward(self, hidden: Tensor) -> Tensor:  # (B, T, D) -> (B, T, D)
        return self.contract(self.activation(self.expand(hidden)))
