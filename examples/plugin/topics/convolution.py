"""Words in their neighbourhood: layers of one-dimensional convolution."""

from typing import ClassVar, Literal

from torch import nn

from atinuke_bench.config import CoreConfig
from atinuke_bench.core.base import Core


class ConvolutionConfig(CoreConfig):
    presets: ClassVar = {
        "nano": {"hidden_size": 32, "num_layers": 1},
        "micro": {"hidden_size": 128, "num_layers": 2},
    }

    name: Literal["convolution"] = "convolution"
    hidden_size: int
    num_layers: int
    width: int = 3
    dropout: float = 0.1


class ConvolutionCore(Core):
    config_class = ConvolutionConfig
    takes_segments = False

    def __init__(self, config: ConvolutionConfig, vocab_size: int) -> None:
        super().__init__(config, vocab_size)
        size, width = config.hidden_size, config.width
        self.embedding = nn.Embedding(vocab_size, size)
        layers = [nn.Conv1d(size, size, width, padding=width // 2) for _ in range(config.num_layers)]
        self.layers = nn.ModuleList(layers)
        self.dropout = nn.Dropout(config.dropout)

    @property
    def hidden_size(self) -> int:
        return self.config.hidden_size

    @property
    def token_embedding(self) -> nn.Embedding:
        return self.embedding

    def forward(self, input_ids, attention_mask, segment_ids=None, inputs_embeds=None):
        hidden = self.embedding(input_ids) if inputs_embeds is None else inputs_embeds  # (B, T, D)
        inside = attention_mask[..., None]
        for layer in self.layers:
            hidden = self.dropout(hidden).masked_fill(~inside, 0.0)
            hidden = hidden + layer(hidden.transpose(1, 2)).transpose(1, 2).relu()
        return hidden.masked_fill(~inside, 0.0)

    def flops_per_token(self, length: int) -> int:
        return 2 * self.config.num_layers * self.config.width * self.config.hidden_size**2
