"""From a config to a core."""

from __future__ import annotations

import inspect

from atinuke_bench import registry
from atinuke_bench.config import CoreConfig
from atinuke_bench.errors import PluginError

from .base import Core


def build_core(config: CoreConfig, vocab_size: int, *, is_shell: bool = False) -> Core:
    """The core that `config` names, with random weights drawn from torch's global generator; seed it beforehand.

    A core that starts with learned weights has those, unless it `is_shell`: about to be filled from a checkpoint.
    PluginError for a class that lacks what every training calls.

    >>> from atinuke_bench.config import AtinukeConfig
    >>> build_core(AtinukeConfig.from_preset("nano"), vocab_size=100).hidden_size
    64
    """
    core_class = registry.load_core(config.name)
    if not config.is_floor:
        _assert_callable_as_a_core(core_class)
    core = core_class(config, vocab_size)
    if not is_shell:
        core.load_initial_weights()
    return core


def _assert_callable_as_a_core(core_class: type[Core]) -> None:
    """Stop a class that the first step of a training would stumble over, when it is still one line to say why."""
    given = inspect.signature(core_class.forward).parameters
    takes_any = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in given.values())
    what = f"core {core_class.config_class.model_fields['name'].default!r} ({core_class.__module__})"
    where = "atinuke_bench.testing.check_core checks the rest"
    if "segment_ids" not in given and not takes_any:
        rule = "forward takes input_ids, attention_mask, segment_ids=None, inputs_embeds=None"
        found = ", ".join(name for name in given if name != "self")
        raise PluginError(f"{what}: {rule}; found {found}; {where}")
    for name in ("hidden_size", "flops_per_token"):
        if getattr(core_class, name) is getattr(Core, name):
            raise PluginError(f"{what} needs its own `{name}`; {core_class.__name__} has none; {where}")
