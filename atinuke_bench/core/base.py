"""What every core is: token ids in, one hidden vector per token out."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from torch import Tensor, nn

from atinuke_bench.config import CoreConfig, Pretraining
from atinuke_bench.errors import ConfigError

from .attention_heads import AttentionLayer

if TYPE_CHECKING:
    from tokenizers import Tokenizer


Config = TypeVar("Config", bound=CoreConfig)


class Core(nn.Module, Generic[Config]):
    """An encoder. Subclasses name the class of their config, `Core[MyConfig]`, and implement `forward`.

    They also declare `config_class`, which is that class, and `result_version`.

    Padding is on the right of each row. It changes no real token's vector; the vectors at padding are finite and
    mean nothing.

    Legend of shapes: B batch, T tokens, D hidden size.
    """

    config_class: ClassVar[type[CoreConfig]]
    #: Raised when a change makes the same config train to other numbers; part of every run's identity.
    result_version: ClassVar[int] = 1
    #: True when the weights a core starts with were learned elsewhere, so what a task adds to its input should start at
    #: zero.
    is_pretrained: ClassVar[bool] = False
    #: False for a core that does not read `segment_ids`: it cannot tell the two texts of a pair apart.
    takes_segments: bool = True

    @classmethod
    def resolve(cls, config: Config) -> Config:
        """The config completed from the files that it names; done once, before a run gets its identity."""
        return config

    @classmethod
    def own_tokenizer(cls, config: Config) -> Tokenizer | None:
        """The tokenizer that the core was trained with; None for a core that takes any."""
        return None

    @classmethod
    def pretraining(cls, config: Config, task: str) -> Pretraining:
        """What the core had learned before, and whether that touches the task's data."""
        return Pretraining()

    def load_initial_weights(self) -> None:
        """Put learned weights in place of random ones, for a core that starts from them."""

    def __init__(self, config: Config, vocab_size: int) -> None:
        super().__init__()
        self.config = config
        self.vocab_size = vocab_size

    @property
    def hidden_size(self) -> int:
        """Size of the vectors that `forward` returns."""
        raise NotImplementedError

    @property
    def token_embedding(self) -> nn.Embedding:
        """The token embedding, which a language-model head may tie to."""
        raise NotImplementedError(
            f"{type(self).__name__} needs a property `token_embedding`: the nn.Embedding of its tokens"
        )

    @property
    def is_causal(self) -> bool:
        """True when no position sees a later one, so that only the last position has seen the whole text."""
        return False

    def forward(
        self,
        input_ids: Tensor | None,  # (B, T) int64
        attention_mask: Tensor,  # (B, T) bool, False at padding, which is on the right
        segment_ids: Tensor | None = None,  # (B, T) int64, 0 or 1
        inputs_embeds: Tensor | None = None,  # (B, T, D), in place of the token embedding
    ) -> Tensor:  # (B, T, D)
        raise NotImplementedError

    def attention_layers(self) -> tuple[AttentionLayer, ...]:
        """Its layers of attention, from the first to the last, for who looks at attention heads; none by default."""
        return ()

    def shift_positions(self, num_places: int) -> None:
        """From now on number the places of a text from `num_places` on, for evaluation; ConfigError where none are."""
        raise ConfigError(f"core {self.config.name!r} has no positions that could be shifted")

    def observables(self) -> dict[str, Tensor]:
        """Scalars of the core that are worth watching while it learns, by name, such as a learned gain.

        They are recorded now and then as `core/<name>` in `steps.parquet`; they stay on the device.
        """
        return {}

    def flops_per_token(self, length: int) -> int:
        """Floating-point operations of one forward pass for each token of a text of `length` tokens."""
        raise NotImplementedError


def assert_right_padded(attention_mask: Tensor) -> None:  # (B, T) bool
    """Stop a caller that pads on the left or in between, where results would be silently wrong."""
    # On an accelerator the check would wait for the device in every step; every caller also runs on CPU in tests.
    if attention_mask.device.type == "cpu":
        assert not (attention_mask[:, 1:] & ~attention_mask[:, :-1]).any(), "padding must be on the right"
