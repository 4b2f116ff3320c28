"""Dimensions and switches of each core, with their presets."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from atinuke_bench import registry
from atinuke_bench.config.base import Frozen, parse
from atinuke_bench.errors import UnknownNameError


class CoreConfig(Frozen):
    """What every core has. A subclass a core adds its own dimensions, and `presets` that fill them.

    `preset` is the name the dimensions came from, kept for display; it is no part of a run's identity.
    """

    presets: ClassVar[dict[str, dict[str, Any]]] = {}
    #: Training settings this kind of core needs to be at its best, below a task's and the user's own.
    training: ClassVar[dict[str, Any]] = {}

    name: str
    preset: str | None = None

    def label(self) -> str:
        """Name, preset, and what was changed from the preset.

        >>> AtinukeConfig.from_preset("micro", causal=False).label()
        'atinuke-micro[causal=false]'
        """
        if self.preset is None:
            return self.name
        reference = type(self).from_preset(self.preset)
        changes = [
            f"{field}={_plain(getattr(self, field))}"
            for field in type(self).model_fields
            if getattr(self, field) != getattr(reference, field)
        ]
        return f"{self.name}-{self.preset}" + (f"[{','.join(changes)}]" if changes else "")

    @classmethod
    def from_preset(cls, preset: str, **changes: Any) -> Self:
        """The config of a preset with some fields changed; UnknownNameError or ConfigError."""
        if preset not in cls.presets:
            name = cls.model_fields["name"].default
            raise UnknownNameError(f"preset of core {name!r}", preset, cls.presets, f"it has {', '.join(cls.presets)}")
        return parse(cls, {"preset": preset, **cls.presets[preset], **changes}, "core")


class AttentionConfig(CoreConfig):
    """Dimensions of a stack of self-attention layers.

    The sizes of the presets are those of the small BERT models (Turc et al. 2019, arXiv 1908.08962: tiny, mini, small,
    base), with `nano` below them.
    """

    presets: ClassVar = {
        "nano": {"hidden_size": 64, "num_layers": 2, "num_heads": 2, "feedforward_size": 256},
        "micro": {"hidden_size": 128, "num_layers": 2, "num_heads": 4, "feedforward_size": 512},
        "mini": {"hidden_size": 256, "num_layers": 4, "num_heads": 4, "feedforward_size": 1024},
        "small": {"hidden_size": 512, "num_layers": 4, "num_heads": 8, "feedforward_size": 2048},
        "base": {"hidden_size": 768, "num_layers": 12, "num_heads": 12, "feedforward_size": 3072},
    }

    hidden_size: int = Field(ge=2)
    num_layers: int = Field(ge=0)
    num_heads: int = Field(ge=1)
    feedforward_size: int = Field(ge=1)
    dropout: float = Field(0.1, ge=0, lt=1)
    attention_dropout: float = Field(0.0, ge=0, lt=1)
    positions: Literal["layerwise", "sinusoidal", "learned", "rotary", "none"]
    causal: bool
    norm: Literal["pre", "post"]
    #: Longest input of `learned` positions; the other kinds have no limit.
    max_positions: int = Field(512, ge=1)
    #: Initial size of the added positions against token embeddings of unit variance per component.
    position_gain: float = Field(1.0, gt=0)

    @model_validator(mode="after")
    def _heads_divide_hidden_size(self) -> Self:
        if self.hidden_size % self.num_heads:
            lower = max(h for h in range(1, self.num_heads) if self.hidden_size % h == 0)
            raise ValueError(
                f"num_heads must divide hidden_size; found num_heads {self.num_heads} and hidden_size "
                f"{self.hidden_size}; nearest: num_heads {lower}"
            )
        if self.positions == "rotary" and (self.hidden_size // self.num_heads) % 2:
            raise ValueError(
                "rotary positions need an even head size; found hidden_size / num_heads = "
                f"{self.hidden_size // self.num_heads}"
            )
        return self


class AtinukeConfig(AttentionConfig):
    """Atinuke (arXiv 2401.16736): causal, its own sinusoidal encoding with a learned gain in every layer.

    The paper leaves the place of the norm open; `pre` is the default, since it trains without warm-up tricks.
    """

    name: Literal["atinuke"] = "atinuke"
    positions: Literal["layerwise", "sinusoidal", "learned", "rotary", "none"] = "layerwise"
    causal: bool = True
    norm: Literal["pre", "post"] = "pre"


class TransformerConfig(AttentionConfig):
    """The BERT encoder: learned positions, bidirectional, norm after each residual connection."""

    name: Literal["transformer"] = "transformer"
    positions: Literal["layerwise", "sinusoidal", "learned", "rotary", "none"] = "learned"
    causal: bool = False
    norm: Literal["pre", "post"] = "post"


class BiLSTMConfig(CoreConfig):
    """A stack of bidirectional LSTM layers; each direction has half of `hidden_size`."""

    presets: ClassVar = {
        "nano": {"hidden_size": 64, "num_layers": 1},
        "micro": {"hidden_size": 128, "num_layers": 1},
        "mini": {"hidden_size": 256, "num_layers": 2},
        "small": {"hidden_size": 512, "num_layers": 2},
        "base": {"hidden_size": 1024, "num_layers": 3},
    }

    name: Literal["bilstm"] = "bilstm"
    hidden_size: int = Field(ge=2, multiple_of=2)
    num_layers: int = Field(ge=1)
    dropout: float = Field(0.1, ge=0, lt=1)


class MajorityConfig(CoreConfig):
    """The floor: no core at all. Each task answers by its majority or rule baseline."""

    presets: ClassVar = {preset: {} for preset in AttentionConfig.presets}

    name: Literal["majority"] = "majority"

    def label(self) -> str:
        return self.name


_CORE_CONFIGS: dict[str, type[CoreConfig]] = {
    "atinuke": AtinukeConfig,
    "transformer": TransformerConfig,
    "bilstm": BiLSTMConfig,
    "majority": MajorityConfig,
}


def core_config_class(name: str) -> type[CoreConfig]:
    """The config class of a core; only a plug-in's is found by importing it."""
    registry.require_core_name(name)
    return _CORE_CONFIGS[name] if name in _CORE_CONFIGS else registry.load_core(name).config_class


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
