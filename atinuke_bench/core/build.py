"""From a config to a core."""

from __future__ import annotations

from atinuke_bench import registry
from atinuke_bench.config import CoreConfig

from .base import Core


def build_core(config: CoreConfig, vocab_size: int, *, is_shell: bool = False) -> Core:
    """The core that `config` names, with random weights drawn from torch's global generator; seed it beforehand.

    A core that starts with learned weights has those, unless it `is_shell`: about to be filled from a checkpoint.

    >>> from atinuke_bench.config import AtinukeConfig
    >>> build_core(AtinukeConfig.from_preset("nano"), vocab_size=100).hidden_size
    64
    """
    core = registry.load_core(config.name)(config, vocab_size)
    if not is_shell:
        core.load_initial_weights()
    return core
