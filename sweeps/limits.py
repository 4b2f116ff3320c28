"""Limits of what a study's trials may cost, as a user writes them and as trials keep what is over them.

What they mean for a study is in `constraints.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from optuna.trial import FrozenTrial

from atinuke_bench.errors import ConfigError, UnknownNameError
from atinuke_bench.formatting import num_bytes
from atinuke_bench.sweeps.foreseen import FLOPS, PARAMETERS

#: What a limit is on, and its name in a run's cost.
LIMITS = {
    "parameters": PARAMETERS,
    "flops": FLOPS,
    "memory": "peak_memory_bytes",
    "latency": "latency_seconds",
}
FORESEEN = (PARAMETERS, FLOPS)
#: Samplers that read how far a trial is over a limit.
LEARNING = ("tpe", "nsga2")
#: What a trial keeps: {name: [value, limit]} of every limit that it is over, and that no run was begun for it.
OVER, UNTRAINED = "over", "untrained"


def parse_limits(texts: Iterable[str]) -> dict[str, float]:
    """Limits as a command line has them, by their names in a run's cost; ConfigError.

    >>> parse_limits(["parameters=5e6", "latency=0.01"])
    {'parameters': 5000000.0, 'latency_seconds': 0.01}
    """
    found: dict[str, float] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign:
            raise ConfigError(f"--at-most takes NAME=NUMBER, such as parameters=5e6; found {text!r}")
        name = LIMITS.get(name.strip(), name.strip())
        if name not in LIMITS.values():
            raise UnknownNameError("limit", name, [*LIMITS, *LIMITS.values()], f"it is one of {', '.join(LIMITS)}")
        if name in found:
            raise ConfigError(f"--at-most names each cost once; found {name} twice")
        found[name] = _number(value, text)
    return found


def check_limits(limits: Mapping[str, float], sampler: str) -> None:
    """Refuse what no study can be held to; ValueError, since a study's config is checked by it."""
    unknown = [name for name in limits if name not in LIMITS.values()]
    if unknown:
        raise ValueError(f"a limit is on one of {', '.join(LIMITS.values())}; found {unknown[0]!r}")
    if not all(math.isfinite(limit) and limit > 0 for limit in limits.values()):
        raise ValueError(f"a limit is a number above zero; found {dict(limits)}")
    measured = [name for name in limits if name not in FORESEEN]
    if measured and sampler == "cmaes":
        raise ValueError(f"cmaes would learn from trials over {measured[0]}, known only after a run; use tpe or nsga2")


def is_untrained(trial: FrozenTrial) -> bool:
    """Whether a trial was over a limit before anything was trained: it is no part of a budget."""
    return bool(trial.user_attrs.get(UNTRAINED))


def is_infeasible(trial: FrozenTrial) -> bool:
    """Whether a trial cost more than it may."""
    return bool(trial.user_attrs.get(OVER))


def may_be_best(trial: FrozenTrial) -> bool:
    """Whether a trial is complete, and cost no more than it may."""
    return trial.state.name == "COMPLETE" and not is_infeasible(trial)


def over_text(over: Mapping[str, Iterable[float]]) -> str:
    """What a trial is over, in words.

    >>> over_text({"parameters": [6_200_000, 5e6], "latency_seconds": [0.02, 0.01]})
    'parameters 6,200,000 where at most 5,000,000 are allowed, latency_seconds 0.02 where at most 0.01 are allowed'
    """
    texts = {name: [shown(name, number) for number in numbers] for name, numbers in over.items()}
    return ", ".join(f"{name} {value} where at most {limit} are allowed" for name, (value, limit) in texts.items())


def _number(value: str, text: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise ConfigError(f"--at-most {text}: a limit is a number above zero; found {value!r:.40}")
    return number


def shown(name: str, value: float) -> str:
    if name == "peak_memory_bytes":
        return num_bytes(value)
    return f"{value:,.0f}" if name in FORESEEN else f"{value:.4g}"
