"""Dimensions and switches of each core, with their presets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from atinuke_bench import registry
from atinuke_bench.config.base import Frozen, parse
from atinuke_bench.config.written import as_written
from atinuke_bench.errors import MissingDependencyError, PluginError, UnknownNameError


class PresetTraining(Frozen):
    """What the size of a preset asks of training, where neither the task nor the user says otherwise.

    The rate is a limit, since tasks declare rates for their data that not every size trains with. Batches of 2,048
    tokens are 16 texts of 128 tokens, the smaller of BERT's fine-tuning (Devlin et al. 2019, appendix A.3). A tenth of
    the steps as warm-up is ELECTRA's fine-tuning (Clark et al. 2020, table 7).
    """

    #: Rates that a task declares, or the default, are lowered to it.
    max_learning_rate: float = Field(gt=0)
    batch_tokens: int = Field(2048, ge=16)
    warmup_fraction: float = Field(0.1, ge=0, le=1)


class CoreConfig(Frozen):
    """What every core has. Each core's subclass adds its dimensions, and `presets` that fill them.

    `preset` is the name the dimensions came from, kept for display; it is not part of a run's identity.
    """

    presets: ClassVar[dict[str, dict[str, Any]]] = {}
    #: Training settings this kind of core needs to be at its best, below a preset's, a task's and the user's own.
    training: ClassVar[dict[str, Any]] = {}
    #: What the size of each preset asks of training; a preset that is not named asks nothing.
    preset_training: ClassVar[dict[str, PresetTraining]] = {}
    #: Fields that say where something came from and not what it is; they are not part of a run's identity.
    provenance: ClassVar[tuple[str, ...]] = ("preset",)
    #: True for a core that comes with the tokenizer it was trained with; the run's `tokenizer` then has no effect.
    has_tokenizer: ClassVar[bool] = False
    #: True for a floor: nothing is trained, tasks answer for it, and its scores do not depend on the seed.
    is_floor: ClassVar[bool] = False

    name: str
    preset: str | None = None

    @property
    def max_length(self) -> int | None:
        """Tokens of the longest input, where that is known before the core is built; None for no limit."""
        return None

    def label(self) -> str:
        """Name, preset, and what was changed from the preset.

        >>> AtinukeConfig.from_preset("micro", causal=False).label()
        'atinuke-micro[causal=false]'
        """
        if self.preset is None:
            return self.name
        reference = type(self).from_preset(self.preset)
        changes = [
            f"{field}={as_written(getattr(self, field))}"
            for field in type(self).model_fields
            if getattr(self, field) != getattr(reference, field)
        ]
        return f"{self.name}-{self.preset}" + (f"[{','.join(changes)}]" if changes else "")

    @classmethod
    def record(cls, preset: str) -> dict[str, Any]:
        """The plain fields of a preset; UnknownNameError."""
        name = cls.model_fields["name"].default
        if preset not in cls.presets:
            raise UnknownNameError(f"preset of core {name!r}", preset, cls.presets, f"it has {', '.join(cls.presets)}")
        return {"name": name, "preset": preset, **cls.presets[preset]}

    @classmethod
    def training_of(cls, preset: str, fields: Mapping[str, Any]) -> PresetTraining | None:
        """What a preset asks of training, given the core's plain fields; None where it asks nothing."""
        return cls.preset_training.get(preset)

    @classmethod
    def from_preset(cls, preset: str, **changes: Any) -> Self:
        """The config of a preset with some fields changed; UnknownNameError or ConfigError."""
        return parse(cls, {**cls.record(preset), **changes}, "core")


#: How a stack of self-attention layers knows where a token is (`core.positions`, and `core.attention` for ALiBi).
Positions = Literal["layerwise", "sinusoidal", "learned", "rotary", "alibi", "none"]

#: Beyond any encoder there is; what a typo makes larger is refused before memory is asked for it.
MOST_WIDTH, MOST_LAYERS, MOST_POSITIONS = 100_000, 1000, 10_000_000


class AttentionConfig(CoreConfig):
    """Dimensions of a stack of self-attention layers.

    The presets have the sizes of the small BERT models (Turc et al. 2019, arXiv 1908.08962: tiny, mini, small,
    base), with `nano` below them.
    """

    presets: ClassVar = {
        "nano": {"hidden_size": 64, "num_layers": 2, "num_heads": 2, "feedforward_size": 256},
        "micro": {"hidden_size": 128, "num_layers": 2, "num_heads": 4, "feedforward_size": 512},
        "mini": {"hidden_size": 256, "num_layers": 4, "num_heads": 4, "feedforward_size": 1024},
        "small": {"hidden_size": 512, "num_layers": 4, "num_heads": 8, "feedforward_size": 2048},
        "base": {"hidden_size": 768, "num_layers": 12, "num_heads": 12, "feedforward_size": 3072},
    }
    # With the norm before: GPT-3's rate for 12 layers of 768 (Brown et al. 2020, table 2.1). The rule of Kaplan et al.
    # 2020 (equation D.1) gives 7e-4 for it, and 1e-3 to 1.6e-3 for the smaller presets at far longer trainings; these
    # train at 2e-3, as measured by benchmarks/presets_train.py. Base takes BERT's larger batch (Devlin et al. 2019,
    # appendix A.3): 32 texts of 128 tokens.
    preset_training: ClassVar = {
        **dict.fromkeys(("nano", "micro", "mini", "small"), PresetTraining(max_learning_rate=2e-3)),
        "base": PresetTraining(max_learning_rate=6e-4, batch_tokens=4096),
    }
    # With the norm after, gradients near the output are large (Xiong et al. 2020), and wide or deep stacks collapse:
    # base from 2e-4 on, small at 2e-3, mini at 2e-3 with few warm-up steps. Base takes the rate of BERT-base (Devlin et
    # al. 2019, appendix A.2), small the largest that the models of Turc et al. 2019 were fine-tuned with (model card).
    post_norm_training: ClassVar = {
        **dict.fromkeys(("nano", "micro"), PresetTraining(max_learning_rate=2e-3)),
        "mini": PresetTraining(max_learning_rate=1e-3),
        "small": PresetTraining(max_learning_rate=3e-4),
        "base": PresetTraining(max_learning_rate=1e-4, batch_tokens=4096),
    }

    hidden_size: int = Field(ge=2, le=MOST_WIDTH)
    num_layers: int = Field(ge=0, le=MOST_LAYERS)
    num_heads: int = Field(ge=1)
    feedforward_size: int = Field(ge=1, le=10 * MOST_WIDTH)
    dropout: float = Field(0.1, ge=0, lt=1)
    attention_dropout: float = Field(0.0, ge=0, lt=1)
    positions: Positions
    causal: bool
    norm: Literal["pre", "post"]
    #: Tokens on each side that a token sees, of those that it may see; all of them when not given, and then left out of
    #: records, so that configs are those of runs made before there were windows.
    attention_window: int | None = Field(None, ge=1, le=MOST_POSITIONS, exclude_if=lambda found: found is None)
    #: Longest input of `learned` positions; the other kinds have no limit.
    max_positions: int = Field(512, ge=1, le=MOST_POSITIONS)
    #: Initial size of the added positions against token embeddings of unit variance per component.
    position_gain: float = Field(1.0, gt=0)

    @classmethod
    def training_of(cls, preset: str, fields: Mapping[str, Any]) -> PresetTraining | None:
        norm = fields.get("norm", cls.model_fields["norm"].default)
        return (cls.post_norm_training if norm == "post" else cls.preset_training).get(preset)

    @property
    def max_length(self) -> int | None:
        return self.max_positions if self.positions == "learned" else None

    @model_validator(mode="after")
    def _heads_divide_hidden_size(self) -> Self:
        if self.hidden_size % self.num_heads:
            lower = _largest_divisor(self.hidden_size, below=self.num_heads)
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
    positions: Positions = "layerwise"
    causal: bool = True
    norm: Literal["pre", "post"] = "pre"


class TransformerConfig(AttentionConfig):
    """The BERT encoder: learned positions, bidirectional, norm after each residual connection."""

    name: Literal["transformer"] = "transformer"
    positions: Positions = "learned"
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
    # The rate of Dozat and Manning 2017 (table 1): Adam, three layers of 400 a direction, batches of 5,000 tokens.
    # Base is wider, and takes Adam's own (Kingma and Ba 2015, algorithm 1). Measured on few tokens, it learns srl at
    # 2e-3; of lm it learns no more than how frequent words are, at 2e-3 as at 1e-3.
    preset_training: ClassVar = {
        **dict.fromkeys(("nano", "micro", "mini", "small"), PresetTraining(max_learning_rate=2e-3)),
        "base": PresetTraining(max_learning_rate=1e-3, batch_tokens=4096),
    }

    name: Literal["bilstm"] = "bilstm"
    hidden_size: int = Field(ge=2, le=MOST_WIDTH, multiple_of=2)
    num_layers: int = Field(ge=1, le=MOST_LAYERS)
    dropout: float = Field(0.1, ge=0, lt=1)


class MajorityConfig(CoreConfig):
    """The floor: no core at all. Each task answers by its majority or rule baseline."""

    presets: ClassVar = {preset: {} for preset in AttentionConfig.presets}
    is_floor: ClassVar = True

    name: Literal["majority"] = "majority"

    def label(self) -> str:
        return self.name


class PretrainedConfig(CoreConfig):
    """An encoder of the Hub or of a local folder, with its weights, its dimensions and its tokenizer.

    `model` says where it is found. What is found there fills `checksum`, `known_as`, `max_positions` and
    `architecture` (`core.pretrained.resolve`), so that a finished run can be loaded without it. A given `checksum` must
    match what is found.
    """

    # A preset names dimensions, and these come with the model.
    presets: ClassVar = {preset: {} for preset in AttentionConfig.presets}
    # The rates of Devlin et al. 2019 (appendix A.3) for fine-tuning lie between 2e-5 and 5e-5, for BERT-base; smaller
    # models were given up to 1e-4 (Turc et al. 2019, section 4.1). The head, which starts from nothing, keeps its own.
    training: ClassVar = {"core_learning_rate": 1e-4}
    provenance: ClassVar = ("preset", "model", "revision", "known_as", "max_positions", "architecture")
    has_tokenizer: ClassVar = True

    name: Literal["pretrained"] = "pretrained"
    #: A folder, or a name on the Hub.
    model: str = Field(min_length=1)
    #: Commit, branch or tag on the Hub; the commit, once it is found.
    revision: str | None = None
    #: SHA-256 over weights, tokenizer and architecture.
    checksum: str | None = None
    #: Name for tables.
    known_as: str | None = None
    #: The model's own config.json, without what is particular to one task or program.
    architecture: dict[str, Any] | None = None
    max_positions: int | None = Field(None, ge=1)
    #: In the encoder's hidden layers and in the task's head.
    dropout: float = Field(0.1, ge=0, lt=1)
    #: Of attention weights; it forces the slower kernel on CPU.
    attention_dropout: float = Field(0.0, ge=0, lt=1)
    #: How many of the lowest layers, and with any of them the embeddings, keep their weights.
    frozen_layers: int = Field(0, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _needs_a_model(cls, record: Any) -> Any:
        if isinstance(record, dict) and not record.get("model"):
            raise ValueError(
                "'pretrained' needs a model: --model NAME_OR_PATH, the name of an encoder on the Hub or a folder "
                "with its config.json, tokenizer.json and safetensors"
            )
        return record

    @property
    def max_length(self) -> int | None:
        return self.max_positions

    def label(self) -> str:
        """`pretrained`, the model's short name, and the settings that are not the default.

        >>> PretrainedConfig(model="google/electra-small-discriminator", frozen_layers=2).label()
        'pretrained-electra-small-discriminator[frozen_layers=2]'
        """
        short = (self.known_as or self.model).rstrip("/").rpartition("/")[2]
        settings = ("dropout", "attention_dropout", "frozen_layers")
        changes = [
            f"{field}={getattr(self, field)}"
            for field in settings
            if getattr(self, field) != type(self).model_fields[field].default
        ]
        return f"{self.name}-{short}" + (f"[{','.join(changes)}]" if changes else "")


def _largest_divisor(number: int, below: int) -> int:
    """The largest divisor of a number that is smaller than `below`.

    >>> _largest_divisor(64, below=99_999_999_999), _largest_divisor(64, below=3)
    (64, 2)
    """
    return next(divisor for divisor in range(min(below - 1, number), 0, -1) if number % divisor == 0)


def core_config_class(name: str) -> type[CoreConfig]:
    """The config class of a core; only a plug-in's is found by importing it. UnknownNameError.

    PluginError where it is another core's, which would then be built in place of this one.
    """
    config_class: type[CoreConfig] = registry.load_core_config(name)
    with registry.plugin_errors("cores", name):
        declared = config_class.model_fields["name"].default
    if declared != name:
        raise PluginError(
            f"core {name!r} needs a config_class with its own name, `name: Literal[{name!r}] = {name!r}`; "
            f"found {config_class.__name__}, which is that of {declared!r}"
        )
    return config_class


def is_floor(name: str) -> bool:
    """Whether the core called `name` is a floor; False for one, as results may name, that is not installed here.

    >>> is_floor("majority"), is_floor("a plug-in that is gone")
    (True, False)
    """
    try:
        return core_config_class(name).is_floor
    except (UnknownNameError, MissingDependencyError, PluginError):
        return False
