"""An encoder that was trained elsewhere, built by the package transformers from its dimensions and safetensors.

Legend of shapes: B batch, T tokens, D hidden size.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from atinuke_bench.config import PretrainedConfig, Pretraining
from atinuke_bench.errors import CheckpointError, ConfigError, MissingDependencyError, first_line, nearest

from .attention_heads import AttentionLayer
from .base import Core, assert_right_padded
from .pretrained_files import find_model, pretraining_of
from .pretrained_heads import layers_of

# Names that architectures give their dropout rates.
_DROPOUT = ("hidden_dropout_prob", "hidden_dropout", "dropout", "embedding_dropout", "mlp_dropout")
_ATTENTION_DROPOUT = ("attention_probs_dropout_prob", "attention_dropout")
# Operations of a text grow at most with the square of its length, so counts at three lengths give them at any. Some are
# the same at every length: DeBERTa projects its table of relative positions once a text.
_COUNTED = (8, 16, 32)
# Weights that a model may have beyond those in its files.
_ALLOWANCE = 10_000_000


class PretrainedCore(Core[PretrainedConfig]):
    """Any encoder that transformers knows with a masked language model on it: BERT, RoBERTa, DeBERTa, ModernBERT.

    Code that comes with a model is never run. The model's segment embeddings are used where it has some; its pooler is
    left out, since tasks pool themselves.
    """

    config_class = PretrainedConfig
    result_version = 1
    is_pretrained = True

    def __init__(self, config: PretrainedConfig, vocab_size: int) -> None:
        if config.architecture is None:
            config = self.resolve(config)
        super().__init__(config, vocab_size)
        self.encoder = _build(config)
        rows = self.token_embedding.num_embeddings
        if vocab_size > rows:
            raise ConfigError(f"core.model: its tokenizer has {vocab_size} tokens and its embedding {rows}")
        parameters = inspect.signature(self.encoder.forward).parameters
        num_segments = getattr(self.encoder.config, "type_vocab_size", None) or 0
        self.takes_segments = "token_type_ids" in parameters and num_segments > 1
        _freeze(self.encoder, config.frozen_layers)

    @classmethod
    def resolve(cls, config: PretrainedConfig) -> PretrainedConfig:
        """The config with what the model's files say; ConfigError when they do not match its `checksum`."""
        found = find_model(config.model, config.revision)
        if config.checksum not in (None, found.checksum):
            raise ConfigError(f"core.checksum: {found.path} has {found.checksum}, the config {config.checksum}")
        changes = {"revision": found.revision, "known_as": found.known_as, "checksum": found.checksum}
        config = config.model_copy(update={**changes, "architecture": found.architecture})
        with torch.device("meta"):  # holds no numbers: only the sizes are needed
            encoder = _build(config)
        num_weights = sum(weight.numel() for weight in encoder.parameters())
        # A weight takes at least a byte. The pooler's and the buffers' share is far below this allowance.
        if num_weights > found.num_bytes + _ALLOWANCE:
            raise CheckpointError(
                f"{found.path}: config.json has sizes of {num_weights:,} weights; the files have "
                f"{found.num_bytes:,} bytes"
            )
        return config.model_copy(update={"max_positions": _max_positions(encoder)})

    @classmethod
    def own_tokenizer(cls, config: PretrainedConfig) -> Tokenizer:
        return find_model(config.model, config.revision).tokenizer()

    @classmethod
    def pretraining(cls, config: PretrainedConfig, task: str) -> Pretraining:
        return pretraining_of(config.known_as or config.model, task)

    def load_initial_weights(self) -> None:
        """Load the model's weights; CheckpointError when they are damaged, incomplete or changed since the start."""
        found = find_model(self.config.model, self.config.revision)
        if found.checksum != self.config.checksum:
            raise CheckpointError(f"{found.path}: the model changed while the run was under way")
        model_class, configuration, options = _plan(self.config)
        try:
            with _quiet():
                encoder, report = model_class.from_pretrained(
                    found.path,
                    config=configuration,
                    use_safetensors=True,
                    local_files_only=True,
                    dtype=torch.float32,
                    output_loading_info=True,
                    **options,
                )
        except (OSError, SafetensorError, RuntimeError, ValueError) as error:
            raise CheckpointError(f"{found.path}: weights cannot be loaded ({first_line(error)})") from error
        missing = sorted(name for name in report["missing_keys"] if not name.startswith("pooler."))
        if missing:
            raise CheckpointError(f"{found.path}: the weights lack {missing[0]!r} and {len(missing) - 1} more")
        self.encoder.load_state_dict(encoder.state_dict())

    @property
    def hidden_size(self) -> int:
        return self.encoder.config.hidden_size

    @property
    def token_embedding(self) -> nn.Embedding:
        return self.encoder.get_input_embeddings()

    def forward(
        self,
        input_ids: Tensor | None,  # (B, T) int64
        attention_mask: Tensor,  # (B, T) bool, False at padding
        segment_ids: Tensor | None = None,  # (B, T) int64, 0 or 1
        inputs_embeds: Tensor | None = None,  # (B, T, size of an embedding)
    ) -> Tensor:  # (B, T, D)
        assert (input_ids is None) != (inputs_embeds is None), "give input_ids or inputs_embeds, not both"
        assert_right_padded(attention_mask)
        self._check_length(attention_mask.shape[1])
        # A row that is all padding would leave its queries without a key, and NaN after the softmax.
        seen = attention_mask | ~attention_mask.any(dim=1, keepdim=True)
        inputs: dict[str, Tensor | None] = {"attention_mask": seen.long()}
        if self.takes_segments and segment_ids is not None:
            inputs["token_type_ids"] = segment_ids
        return self.encoder(input_ids=input_ids, inputs_embeds=inputs_embeds, **inputs).last_hidden_state

    def attention_layers(self) -> tuple[AttentionLayer, ...]:
        """None for an architecture whose layers share weights or do not keep heads apart."""
        try:
            return layers_of(_layers(self.encoder), self.encoder.config.num_attention_heads)
        except ConfigError:
            return ()

    def flops_per_token(self, length: int) -> int:
        return round(float(np.polyval(self._flops_by_length, length)) / length)

    @cached_property
    def _flops_by_length(self) -> Any:
        """Operations of a text as a polynomial of its length, through what is counted as it is carried out.

        The counter does not see the CPU's fused attention, so attention runs unfused while it counts.
        """
        was_training, attention = self.encoder.training, self.encoder.config._attn_implementation
        self.encoder.eval()
        self.encoder.set_attn_implementation("eager")
        counts = []
        for length in _COUNTED:
            ids = torch.zeros(1, length, dtype=torch.long, device=self.token_embedding.weight.device)
            # With gradients on: the counter cannot follow a weight that enters a module (DeBERTa) without them.
            with torch.enable_grad(), FlopCounterMode(display=False) as counter:
                self(ids, torch.ones_like(ids, dtype=torch.bool))
            counts.append(counter.get_total_flops())
        self.encoder.set_attn_implementation(attention)
        self.encoder.train(was_training)
        return np.polyfit(_COUNTED, counts, deg=2)

    def _check_length(self, length: int) -> None:
        limit = self.config.max_positions
        if limit is not None and length > limit:
            raise ConfigError(
                f"the model reads at most {limit} tokens; found a text of {length}; "
                f"nearest: training.max_length={limit}"
            )


def _build(config: PretrainedConfig) -> Any:
    """The encoder with random weights."""
    model_class, configuration, options = _plan(config)
    try:
        with _quiet():
            return model_class._from_config(configuration, dtype=torch.float32, **options)
    except Exception as error:  # of any class: each architecture checks its own sizes, if it does
        raise ConfigError(f"core.model: config.json makes no encoder: {first_line(error)}") from error


def _plan(config: PretrainedConfig) -> tuple[Any, Any, dict[str, Any]]:
    """Class, configuration and further arguments that transformers builds the encoder from; ConfigError."""
    try:
        import transformers
        from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES, MODEL_MAPPING
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"core 'pretrained' needs the package {error.name!r}; pip install 'atinuke-bench[pretrained]'"
        ) from error
    assert config.architecture is not None, "resolve comes first"
    record = dict(config.architecture)
    kind = record.pop("model_type", None)
    if kind not in MODEL_FOR_MASKED_LM_MAPPING_NAMES or record.get("is_encoder_decoder") or record.get("is_decoder"):
        near = nearest(str(kind), MODEL_FOR_MASKED_LM_MAPPING_NAMES)
        raise ConfigError(
            f"core.model: an encoder of an architecture in transformers {transformers.__version__} is needed, since "
            f"code that comes with a model is never run; found model_type {kind!r}"
            + (f"; nearest: {near!r}" if near else "")
        )
    try:
        with _quiet():
            configuration = transformers.AutoConfig.for_model(kind, **record)
    except Exception as error:  # the library checks types by classes of its own
        raise ConfigError(f"core.model: config.json: {first_line(error)}") from error
    if configuration.is_encoder_decoder:
        raise ConfigError(f"core.model: an encoder is needed; {kind!r} is an encoder with a decoder")
    for names, rate in ((_DROPOUT, config.dropout), (_ATTENTION_DROPOUT, config.attention_dropout)):
        for name in names:
            if hasattr(configuration, name):
                setattr(configuration, name, rate)
    found = MODEL_MAPPING[type(configuration)]
    model_class: Any = found[0] if isinstance(found, tuple) else found
    options: dict[str, Any] = {}
    if "add_pooling_layer" in inspect.signature(model_class.__init__).parameters:
        options["add_pooling_layer"] = False
    return model_class, configuration, options


def _max_positions(encoder: Any) -> int | None:
    """Tokens of the longest text; positions up to the padding's id are lost where counting starts after it."""
    table = getattr(getattr(encoder, "embeddings", None), "position_embeddings", None)
    if isinstance(table, nn.Embedding):
        return table.num_embeddings - (0 if table.padding_idx is None else table.padding_idx + 1)
    return getattr(encoder.config, "max_position_embeddings", None)


def _freeze(encoder: Any, num_layers: int) -> None:
    """Keep the embeddings and the lowest layers as they are."""
    if num_layers == 0:
        return
    layers = _layers(encoder)
    if num_layers > len(layers):
        raise ConfigError(f"core.frozen_layers: the model has {len(layers)} layers; found {num_layers}")
    embeddings = getattr(encoder, "embeddings", None) or encoder.get_input_embeddings()
    for part in (embeddings, *layers[:num_layers]):
        part.requires_grad_(False)


def _layers(encoder: Any) -> nn.ModuleList:
    num_layers = encoder.config.num_hidden_layers
    for part in encoder.modules():
        if isinstance(part, nn.ModuleList) and len(part) == num_layers:
            return part
    raise ConfigError(f"core.frozen_layers: {type(encoder).__name__} has no layers of its own that could be frozen")


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the progress bars and reports of transformers; its errors are still raised."""
    from transformers.utils import logging as reports

    level, had_bars = reports.get_verbosity(), reports.is_progress_bar_enabled()
    reports.set_verbosity(logging.CRITICAL)
    reports.disable_progress_bar()
    try:
        yield
    finally:
        reports.set_verbosity(level)
        if had_bars:
            reports.enable_progress_bar()
