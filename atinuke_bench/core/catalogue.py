"""The cores and presets there are, with their sizes."""

from __future__ import annotations

from typing import Any

import torch

from atinuke_bench import registry
from atinuke_bench.config import TokenizerConfig, core_config_class
from atinuke_bench.core.build import build_core
from atinuke_bench.core.cost import count_parameters
from atinuke_bench.errors import MissingDependencyError, PluginError

# Length for which operations are stated; with attention they grow with it.
_LENGTH = 128


def describe_cores() -> tuple[list[dict[str, Any]], list[str]]:
    """One record for each core and preset, and a line for each core that cannot be had."""
    rows, broken = [], []
    for name in registry.core_names():
        try:
            with registry.plugin_errors("cores", name):
                rows += _presets(name)
        except (PluginError, MissingDependencyError) as error:
            broken.append(str(error))
    return rows, broken


def _presets(name: str) -> list[dict[str, Any]]:
    """Cores are built on the meta device, which holds no numbers."""
    config_class = core_config_class(name)
    if config_class.is_floor or config_class.has_tokenizer:  # it has no size, or its model's
        return [{"core": name, "preset": "any", "parameters": "–", f"FLOPs/token at {_LENGTH}": "–"}]
    rows = []
    for preset in config_class.presets:
        with torch.device("meta"):
            core = build_core(config_class.from_preset(preset), TokenizerConfig().vocab_size)
        flops = core.flops_per_token(_LENGTH)
        sizes = {"parameters": f"{count_parameters(core).total:,}", f"FLOPs/token at {_LENGTH}": f"{flops:,}"}
        rows.append({"core": name, "preset": preset, **sizes})
    return rows
