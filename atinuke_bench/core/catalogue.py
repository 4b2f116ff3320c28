"""The cores and presets there are, with their sizes."""

from __future__ import annotations

from typing import Any

import torch

from atinuke_bench import registry
from atinuke_bench.config import TokenizerConfig, core_config_class
from atinuke_bench.core.build import build_core
from atinuke_bench.core.cost import count_parameters

# Length for which operations are stated; with attention they grow with it.
_LENGTH = 128


def describe_cores() -> list[dict[str, Any]]:
    """One record for each core and preset; built on the meta device, which holds no numbers."""
    rows = []
    for name in registry.core_names():
        config_class = core_config_class(name)
        for preset in config_class.presets:
            row: dict[str, Any] = {"core": name, "preset": preset, "parameters": "–", f"FLOPs/token at {_LENGTH}": "–"}
            if config_class.is_floor or config_class.has_tokenizer:  # it has no size, or its model's
                rows.append({**row, "preset": "any"})
                break
            config = config_class.from_preset(preset)
            with torch.device("meta"):
                core = build_core(config, TokenizerConfig().vocab_size)
            row["parameters"] = f"{count_parameters(core).total:,}"
            row[f"FLOPs/token at {_LENGTH}"] = f"{core.flops_per_token(_LENGTH):,}"
            rows.append(row)
    return rows
