"""Questions of SQuAD's form with their distance to the answer in words."""

from __future__ import annotations

from typing import Any

import datasets

from atinuke_bench.config import SourceConfig
from atinuke_bench.data.sources import Loaded
from atinuke_bench.errors import ConfigError
from atinuke_bench.microworld import load_microworld
from atinuke_bench.tasks.squad.data import FEATURES as SQUAD_FEATURES
from atinuke_bench.tasks.squad.data import SquadData

FEATURES = datasets.Features({**SQUAD_FEATURES, "distance": datasets.Value("int32"), "kept": datasets.Value("string")})


class LongRangeData(SquadData):
    """Generated questions alone."""

    def load(self, source: SourceConfig, options: Any) -> Loaded:
        if source.kind != "microworld":
            raise ConfigError(
                f"task 'long-range' has only generated data; found source {source.kind!r}, nearest: --source microworld"
            )
        return load_microworld(self.task, FEATURES, source)
