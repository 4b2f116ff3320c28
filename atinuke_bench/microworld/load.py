"""A task's splits from the world, as its official files would give them."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from typing import TYPE_CHECKING

from atinuke_bench.config import MicroworldConfig, SourceConfig
from atinuke_bench.errors import ConfigError

from .generate import RECIPES, WORLD_VERSION, examples

if TYPE_CHECKING:
    from datasets import Features

    from atinuke_bench.data.sources import Loaded

#: What every table and report says of generated data.
NOTICE = "microworld, generated; not comparable with published scores"


def load_microworld(task: str, features: Features, source: SourceConfig) -> Loaded:
    """All splits of a task; ConfigError for a task that the world cannot give.

    The fingerprint is taken from the examples themselves.
    """
    if task not in RECIPES:
        raise ConfigError(f"task {task!r} has no source 'microworld'; it has {', '.join(RECIPES)}")
    # Generation itself needs neither: a caller that only wants texts does not wait for them.
    from datasets import Dataset

    from atinuke_bench.data.sources import Loaded

    config = source.microworld or MicroworldConfig()
    splits, digests = _generate(task, config.model_dump_json(), json.dumps(list(features)))
    data = {split: Dataset.from_dict(columns, features=features) for split, columns in splits.items()}
    return Loaded(data, dict(digests), notes=(NOTICE,))


# A worker process carries out the runs of a task one after another.
@lru_cache(maxsize=2)
def _generate(task: str, config: str, columns: str) -> tuple[dict[str, dict[str, list]], dict[str, str]]:
    settings, names = MicroworldConfig.model_validate_json(config), json.loads(columns)
    splits: dict[str, dict[str, list]] = {}
    digests = {}
    for split in RECIPES[task].sizes:
        table: dict[str, list] = {name: [] for name in names}
        digest = hashlib.sha256(f"microworld {WORLD_VERSION}".encode())
        for row in examples(task, split, settings):
            for name in names:
                table[name].append(row[name])
            digest.update(json.dumps(row, sort_keys=True).encode())
        splits[split], digests[f"{split}/microworld"] = table, digest.hexdigest()
    return splits, digests
