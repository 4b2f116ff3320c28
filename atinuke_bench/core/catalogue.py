"""The cores and presets there are, with their sizes."""

from __future__ import annotations

from typing import Any

import torch

from atinuke_bench import registry
from atinuke_bench.config import CoreConfig, TokenizerConfig, TrainingConfig, core_config_class
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
        sizes = {"parameters": "–", f"FLOPs/token at {_LENGTH}": "–"}
        return [{"core": name, "preset": "any", **sizes, **_training(config_class, "any")}]
    rows = []
    for preset in config_class.presets:
        with torch.device("meta"):
            core = build_core(config_class.from_preset(preset), TokenizerConfig().vocab_size)
        flops = core.flops_per_token(_LENGTH)
        sizes = {"parameters": f"{count_parameters(core).total:,}", f"FLOPs/token at {_LENGTH}": f"{flops:,}"}
        rows.append({"core": name, "preset": preset, **sizes, **_training(config_class, preset)})
    return rows


def _training(config_class: type[CoreConfig], preset: str) -> dict[str, str]:
    """What the preset is trained with, unless a task or the user says otherwise."""
    if config_class.is_floor:
        return {"learning rate": "–", "batch tokens": "–", "warm-up": "–"}
    needs = config_class.training_of(preset, {})
    training = TrainingConfig() if needs is None else needs
    if needs is not None:
        rate = f"up to {needs.max_learning_rate:.0e}"
    elif (own := config_class.training.get("core_learning_rate")) is not None:
        rate = f"{own:.0e} (core), the task's (head)"
    else:
        rate = "the task's"
    batch, warmup = f"{training.batch_tokens:,}", f"{100 * training.warmup_fraction:g} %"
    return {"learning rate": rate, "batch tokens": batch, "warm-up": warmup}
