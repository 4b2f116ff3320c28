"""What determines a run: frozen pydantic models, validated once, at the boundary.

Letters: a *preset* is a named set of dimensions; an *override* is a dotted path into `RunConfig` with its value.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, ValidationError, field_validator, model_validator

from atinuke_bench import registry
from atinuke_bench.errors import ConfigError, UnknownNameError, nearest

Model = TypeVar("Model", bound=BaseModel)


class Frozen(BaseModel):
    """Base of all configs: immutable, no unknown fields, no silent coercion of types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, allow_inf_nan=False, protected_namespaces=())


# --- cores ------------------------------------------------------------------------------------------------------------


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


# --- runs -------------------------------------------------------------------------------------------------------------


class SourceConfig(Frozen):
    """Where a task's data comes from."""

    kind: Literal["local", "hub"] = "local"
    #: Folder of the official files (`local`).
    data_dir: Path | None = None
    #: Commit or tag of the Hub data set (`hub`); the task's own pin when not given.
    revision: str | None = None


class TokenizerConfig(Frozen):
    """A WordPiece tokenizer, trained on the train split alone."""

    vocab_size: int = Field(8000, ge=100)
    lowercase: bool = True
    min_frequency: int = Field(2, ge=1)


class TrainingConfig(Frozen):
    """Everything about optimisation, selection and batching that changes a result."""

    max_epochs: int = Field(5, ge=1)
    batch_tokens: int = Field(2048, ge=16, description="tokens in a batch, padding included")
    max_length: int = Field(128, ge=8, description="tokens of an example; longer ones are cut by the task's rule")
    learning_rate: float = Field(1e-3, gt=0)
    weight_decay: float = Field(0.01, ge=0)
    warmup_fraction: float = Field(0.1, ge=0, le=1)
    gradient_clip: float = Field(1.0, gt=0)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    select_on: Literal["held-out", "dev"] = "held-out"
    held_out_fraction: float = Field(0.1, gt=0, lt=0.5)
    held_out_limit: int = Field(2000, ge=1, description="most examples that the held-out slice takes")
    patience: int = Field(3, ge=1, description="epochs without improvement before training stops")
    train_limit: int | None = Field(None, ge=2, description="train on the first N examples only")


class RunConfig(Frozen):
    """One run: one core trained and evaluated on one task with one seed."""

    task: str
    core: SerializeAsAny[CoreConfig]
    source: SourceConfig = SourceConfig()
    tokenizer: TokenizerConfig = TokenizerConfig()
    training: TrainingConfig = TrainingConfig()
    #: The task's own settings, checked by the task's `options_class`.
    options: dict[str, Any] = {}
    seed: int = Field(0, ge=0)

    @field_validator("core", mode="before")
    @classmethod
    def _core_by_name(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return parse(core_config_class(str(value.get("name"))), value, "core")
        return value

    def determinants(self) -> dict[str, Any]:
        """The part of the config that determines the result: no folder, no display name."""
        record = self.model_dump(mode="json")
        del record["core"]["preset"]
        del record["source"]["data_dir"]
        return record


def make_run_config(
    task: str,
    core: str,
    *,
    preset: str = "micro",
    source: SourceConfig | None = None,
    seed: int = 0,
    overrides: dict[str, Any] | None = None,
    task_training: dict[str, Any] | None = None,
) -> RunConfig:
    """A run's config from names and overrides.

    Training settings are taken from the user's overrides first, then from `task_training` (what the task declares),
    then from what the core declares, then from `TrainingConfig`.

    >>> config = make_run_config("snli", "atinuke", overrides={"core.causal": False, "training.max_epochs": 2})
    >>> config.core.label(), config.training.max_epochs
    ('atinuke-micro[causal=false]', 2)
    """
    registry.require_task_name(task)
    config_class = core_config_class(core)
    core_config = config_class.from_preset(preset)
    record: dict[str, Any] = {
        "task": task,
        "core": core_config.model_dump(mode="json"),
        "source": (source or SourceConfig()).model_dump(mode="json"),
        "training": {**config_class.training, **(task_training or {})},
        "seed": seed,
    }
    for path, value in (overrides or {}).items():
        _set_path(record, path, value, config_class)
    return parse(RunConfig, record, "run")


def _set_path(record: dict[str, Any], path: str, value: Any, core_class: type[CoreConfig]) -> None:
    """Put `value` at a dotted path such as `core.causal`; ConfigError when no such field exists."""
    *parents, last = path.split(".")
    model: type[BaseModel] | None = RunConfig
    for parent in parents:
        _require_field(model, parent, path)
        model = core_class if model is RunConfig and parent == "core" else _field_model(model, parent)
        record = record.setdefault(parent, {})
    _require_field(model, last, path)
    if model is RunConfig and _field_model(RunConfig, last) is not None:
        raise ConfigError(f"'{path}' is a group of fields; set one of them, such as '{path}.{_first_field(last)}'")
    record[last] = value


def _require_field(model: type[BaseModel] | None, field: str, path: str) -> None:
    # Below `options` the task itself checks names.
    if model is None or field in model.model_fields:
        return
    near = nearest(field, model.model_fields)
    rule = f"unknown field {path!r}; {model.__name__} has no {field!r}"
    raise ConfigError(rule + (f"; nearest: {near!r}" if near else f"; it has {', '.join(model.model_fields)}"))


def _field_model(model: type[BaseModel] | None, field: str) -> type[BaseModel] | None:
    annotation = model.model_fields[field].annotation if model is not None else None
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _first_field(group: str) -> str:
    model = _field_model(RunConfig, group)
    return next(field for field in model.model_fields if field != "name") if model else ""


# --- suites -----------------------------------------------------------------------------------------------------------


class CoreVariant(Frozen):
    """One column of a suite: a core, a preset, and what is changed in its runs."""

    core: str
    preset: str = "micro"
    overrides: dict[str, Any] = {}


class SuiteConfig(Frozen):
    """A grid of runs: every task with every core variant and every seed."""

    name: str
    description: str = ""
    tasks: list[str] = Field(min_length=1)
    #: Display name -> variant.
    cores: dict[str, CoreVariant] = Field(min_length=1)
    seeds: list[int] = Field(min_length=1)
    #: Overrides of all runs, and of all runs of a task; the variant's own come last.
    overrides: dict[str, Any] = {}
    task_overrides: dict[str, dict[str, Any]] = {}


# --- reading and checking ---------------------------------------------------------------------------------------------


def parse(model: type[Model], record: Any, where: str) -> Model:
    """`model` validated from plain data; the first broken rule becomes a one-line ConfigError.

    >>> parse(TokenizerConfig, {"vocab_sise": 9000}, "tokenizer")
    Traceback (most recent call last):
    atinuke_bench.errors.ConfigError: tokenizer.vocab_sise: unknown field; nearest: 'vocab_size'
    """
    try:
        return model.model_validate(record)
    except ValidationError as error:
        raise ConfigError(_explain(model, error, where)) from None


def _explain(model: type[BaseModel], error: ValidationError, where: str) -> str:
    first = error.errors(include_url=False)[0]
    path = ".".join(map(str, (where, *first["loc"])))
    if first["type"] == "extra_forbidden":
        owner = _owner(model, first["loc"])
        near = nearest(str(first["loc"][-1]), owner.model_fields) if owner else None
        return f"{path}: unknown field" + (f"; nearest: {near!r}" if near else "")
    message = first["msg"].removeprefix("Value error, ")
    return f"{path}: {message}" + ("" if first["type"] == "value_error" else f"; found {first['input']!r}")


def _owner(model: type[BaseModel], location: tuple[int | str, ...]) -> type[BaseModel] | None:
    for part in location[:-1]:
        model = _field_model(model, str(part)) if str(part) in model.model_fields else None
        if model is None:
            return None
    return model


def parse_override(text: str) -> tuple[str, Any]:
    """`path=value` with the value read as YAML.

    >>> parse_override("core.causal=false")
    ('core.causal', False)
    """
    path, separator, value = text.partition("=")
    if not separator or not path.strip():
        raise ConfigError(f"an override is written path.to.field=value; found {text!r}")
    try:
        # YAML 1.1 reads 1e-3 as text; a float is what the user means.
        return path.strip(), _number(yaml.safe_load(value))
    except yaml.YAMLError as error:
        raise ConfigError(f"{path.strip()}: not a YAML value; found {value!r}") from error


def _number(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
