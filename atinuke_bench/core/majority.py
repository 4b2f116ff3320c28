"""The floor that every core must clear."""

from __future__ import annotations

from atinuke_bench.config import MajorityConfig
from atinuke_bench.errors import ConfigError

from .base import Core


class MajorityCore(Core[MajorityConfig]):
    """A name for each task's own floor; there is nothing to build."""

    config_class = MajorityConfig
    result_version = 1

    def __init__(self, config: MajorityConfig, vocab_size: int) -> None:
        raise ConfigError("core 'majority' trains nothing: tasks answer it with their own floor")
