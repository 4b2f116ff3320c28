"""What a parameter may be: one of Optuna's distributions, as a space's YAML writes it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import Trial

from atinuke_bench.config import is_finite_number, number_in_text
from atinuke_bench.errors import ConfigError

Value = int | float | str | bool | None
Domain = IntDistribution | FloatDistribution | CategoricalDistribution
KINDS = ("int", "float", "categorical")
#: Values a grid takes from a range that is not a short list of integers.
GRID_POINTS = 4


def parse_domain(kind: str, limits: Any, *, step: Any = None, log: Any = False, where: str) -> Domain:
    """A domain from what YAML holds; ConfigError names the rule it breaks.

    >>> parse_domain("int", [1, 8], where="space: core.num_layers")
    IntDistribution(high=8, log=False, low=1, step=1)
    >>> parse_domain("float", ["1e-4", 0.01], log=True, where="space: training.learning_rate").low
    0.0001
    """
    if not isinstance(limits, list):
        raise ConfigError(f"{where}: {kind} takes a list; found {limits!r}")
    if kind == "categorical":
        return _categorical(limits, step, log, where)
    if len(limits) != 2:
        raise ConfigError(f"{where}: a range is [low, high]; found {limits!r}")
    number: Callable[[Any, str], Any] = _integer if kind == "int" else _float
    low, high = (number(limit, where) for limit in limits)
    if low >= high:
        raise ConfigError(f"{where}: an empty range: low must be below high; found [{low}, {high}]")
    if not isinstance(log, bool):
        raise ConfigError(f"{where}.log: true or false; found {log!r}")
    if log and low <= 0:
        raise ConfigError(f"{where}: a range by logarithm starts above zero; found [{low}, {high}]")
    if step is not None:
        step = number(step, f"{where}.step")
        if log or step <= 0 or step > high - low:
            raise ConfigError(f"{where}: step is positive, at most high - low, and not for log; found {step!r}")
    with warnings.catch_warnings():
        # Where no number of steps leads to `high`, the range ends at the last one below it.
        warnings.filterwarnings("ignore", message=".*not divisible by `step`")
        if kind == "int":
            return IntDistribution(low, high, log=log, step=step or 1)
        return FloatDistribution(low, high, log=log, step=step)


def domain_record(domain: Domain) -> dict[str, Any]:
    """The domain as YAML writes it.

    >>> domain_record(IntDistribution(64, 512, log=True))
    {'int': [64, 512], 'log': True}
    """
    if isinstance(domain, CategoricalDistribution):
        return {"categorical": list(domain.choices)}
    kind, default_step = ("int", 1) if isinstance(domain, IntDistribution) else ("float", None)
    record: dict[str, Any] = {kind: [domain.low, domain.high]}
    if domain.step != default_step:
        record["step"] = domain.step
    return record | ({"log": True} if domain.log else {})


def values_of(domain: IntDistribution | CategoricalDistribution) -> Sequence[Any]:
    """Every value of a domain that is no continuous range."""
    if isinstance(domain, CategoricalDistribution):
        return domain.choices
    return range(domain.low, domain.high + 1, domain.step)


def holds(domain: Domain, value: Any) -> bool:
    """Whether a domain ever gives this value.

    >>> holds(IntDistribution(1, 7, step=2), 4), holds(CategoricalDistribution(("pre", "post")), "pre")
    (False, True)
    """
    if isinstance(domain, CategoricalDistribution):
        return value in domain.choices
    if not isinstance(value, int | float) or not domain.low <= value <= domain.high:
        return False
    return domain.step is None or math.isclose(
        round((value - domain.low) / domain.step) * domain.step + domain.low, value
    )


def ends_of(domain: Domain) -> Sequence[Any]:
    """The first and the last number of a range; every choice, since choices have no order."""
    return domain.choices if isinstance(domain, CategoricalDistribution) else (domain.low, domain.high)


def grid_values(domain: Domain) -> Sequence[Any]:
    """The values that a grid takes.

    >>> grid_values(IntDistribution(1, 3)), grid_values(IntDistribution(64, 512, log=True))
    (range(1, 4), [64, 128, 256, 512])
    >>> grid_values(FloatDistribution(0.0, 0.3))
    [0.0, 0.1, 0.2, 0.3]
    """
    if isinstance(domain, CategoricalDistribution):
        return domain.choices
    if isinstance(domain, IntDistribution):
        values = values_of(domain)
        if len(values) <= GRID_POINTS:
            return values
        return sorted({min(values, key=lambda value: abs(value - point)) for point in _spread(domain)})
    if domain.step is not None:
        num_steps = round((domain.high - domain.low) / domain.step)
        if num_steps < GRID_POINTS:
            return [domain.low + index * domain.step for index in range(num_steps + 1)]
    return [float(f"{point:.12g}") for point in _spread(domain)]


def nearest_that_fits(domain: Domain, wanted: float, fits: Callable[[int], bool]) -> int | None:
    """The integer of a domain nearest to `wanted` for which `fits` holds, the lower of equals; None without any.

    >>> nearest_that_fits(IntDistribution(60, 100), 94, lambda size: size % 4 == 0)
    92
    """
    assert not isinstance(domain, FloatDistribution), "only whole numbers are fitted"
    found = [value for value in values_of(domain) if isinstance(value, int) and fits(value)]
    return min(found, key=lambda value: (abs(value - wanted), value), default=None)


def _categorical(choices: list[Any], step: Any, log: Any, where: str) -> CategoricalDistribution:
    if len(choices) < 2:
        raise ConfigError(f"{where}: categorical needs at least two choices; found {choices!r}")
    if step is not None or log:
        raise ConfigError(f"{where}: step and log are for ranges, not for categorical")
    for choice in choices:
        if not isinstance(choice, Value):
            raise ConfigError(f"{where}: a choice is a number, a text, true, false or null; found {choice!r}")
        # By equality, as Optuna tells them apart: beside 1, true would be stored as 1.
        if choices.count(choice) > 1:
            raise ConfigError(f"{where}: choices differ from each other; found {choice!r} twice")
    return CategoricalDistribution([number_in_text(choice) for choice in choices])


def _integer(value: Any, where: str) -> int:
    if not isinstance(value, int) or not is_finite_number(value):
        raise ConfigError(f"{where}: a whole number; found {value!r:.40}")
    return value


def _float(value: Any, where: str) -> float:
    value = number_in_text(value)
    if not is_finite_number(value):
        raise ConfigError(f"{where}: a number; found {value!r:.40}")
    return float(value)


def _spread(domain: IntDistribution | FloatDistribution) -> list[float]:
    fractions = [index / (GRID_POINTS - 1) for index in range(GRID_POINTS)]
    if domain.log:
        return [domain.low * (domain.high / domain.low) ** fraction for fraction in fractions]
    return [domain.low + (domain.high - domain.low) * fraction for fraction in fractions]


def suggest(trial: Trial, path: str, domain: Domain) -> Any:
    """What a trial has from a domain: drawn, or as it was queued."""
    if isinstance(domain, CategoricalDistribution):
        return trial.suggest_categorical(path, domain.choices)
    if isinstance(domain, IntDistribution):
        return trial.suggest_int(path, domain.low, domain.high, step=domain.step, log=domain.log)
    return trial.suggest_float(path, domain.low, domain.high, step=domain.step, log=domain.log)
