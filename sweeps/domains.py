"""What a parameter may be: a range of integers or floats, or a list of choices."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from atinuke_bench.config import number_in_text
from atinuke_bench.errors import ConfigError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Value = int | float | str | bool | None
KINDS = ("int", "float", "categorical")
#: Values a grid takes from a range that is not a short list of integers.
GRID_POINTS = 4


@dataclass(frozen=True)
class IntDomain:
    """The integers low, low + step, … up to high; `log` draws them evenly by their logarithm."""

    low: int
    high: int
    step: int = 1
    log: bool = False

    def values(self) -> Sequence[int]:
        return range(self.low, self.high + 1, self.step)

    def ends(self) -> list[int]:
        return [self.low, self.values()[-1]]

    def grid(self) -> list[int]:
        """
        >>> IntDomain(1, 3).grid(), IntDomain(64, 512, log=True).grid()
        ([1, 2, 3], [64, 128, 256, 512])
        """
        values = self.values()
        if len(values) <= GRID_POINTS:
            return list(values)
        wanted = _spread(self.low, values[-1], self.log)
        return sorted({min(values, key=lambda value: abs(value - point)) for point in wanted})

    def distribution(self) -> BaseDistribution:
        from optuna.distributions import IntDistribution

        return IntDistribution(self.low, self.high, log=self.log, step=self.step)

    def record(self) -> dict[str, Any]:
        return {"int": [self.low, self.high], **_options(step=self.step != 1 and self.step, log=self.log)}


@dataclass(frozen=True)
class FloatDomain:
    """The numbers from low to high, in steps where `step` is given; `log` draws them evenly by their logarithm."""

    low: float
    high: float
    step: float | None = None
    log: bool = False

    def ends(self) -> list[float]:
        return [self.low, self.high]

    def grid(self) -> list[float]:
        """
        >>> FloatDomain(0.0, 0.3).grid()
        [0.0, 0.1, 0.2, 0.3]
        """
        if self.step is not None:
            count = math.floor((self.high - self.low) / self.step + 1e-9)
            if count < GRID_POINTS:
                return [self.low + index * self.step for index in range(count + 1)]
        return [float(f"{point:.12g}") for point in _spread(self.low, self.high, self.log)]

    def distribution(self) -> BaseDistribution:
        from optuna.distributions import FloatDistribution

        return FloatDistribution(self.low, self.high, log=self.log, step=self.step)

    def record(self) -> dict[str, Any]:
        return {"float": [self.low, self.high], **_options(step=self.step, log=self.log)}


@dataclass(frozen=True)
class CategoricalDomain:
    """One of some values, without order."""

    choices: tuple[Value, ...]

    def values(self) -> Sequence[Value]:
        return self.choices

    def ends(self) -> list[Value]:
        return list(self.choices)

    def grid(self) -> list[Value]:
        return list(self.choices)

    def distribution(self) -> BaseDistribution:
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution(self.choices)

    def record(self) -> dict[str, Any]:
        return {"categorical": list(self.choices)}


Domain = IntDomain | FloatDomain | CategoricalDomain


def parse_domain(kind: str, limits: Any, *, step: Any, log: Any, where: str) -> Domain:
    """A domain from what YAML holds; ConfigError names the rule it breaks.

    >>> parse_domain("int", [1, 8], step=None, log=False, where="space: core.num_layers")
    IntDomain(low=1, high=8, step=1, log=False)
    >>> parse_domain("float", ["1e-4", 0.01], step=None, log=True, where="space: training.learning_rate").low
    0.0001
    """
    if not isinstance(limits, list):
        raise ConfigError(f"{where}: {kind} takes a list; found {limits!r}")
    if kind == "categorical":
        return _categorical(limits, step, log, where)
    if len(limits) != 2:
        raise ConfigError(f"{where}: a range is [low, high]; found {limits!r}")
    number = _integer if kind == "int" else _float
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
    return IntDomain(low, high, step or 1, log) if kind == "int" else FloatDomain(low, high, step, log)


def nearest_that_fits(domain: Domain, wanted: float, fits: Callable[[int], bool]) -> int | None:
    """The integer of a domain nearest to `wanted` for which `fits` holds, the lower of equals; None without any.

    >>> nearest_that_fits(IntDomain(60, 100), 94, lambda size: size % 4 == 0)
    92
    """
    assert not isinstance(domain, FloatDomain), "only whole numbers are fitted"
    found = [value for value in domain.values() if isinstance(value, int) and fits(value)]
    return min(found, key=lambda value: (abs(value - wanted), value), default=None)


def _categorical(choices: list[Any], step: Any, log: Any, where: str) -> CategoricalDomain:
    if len(choices) < 2:
        raise ConfigError(f"{where}: categorical needs at least two choices; found {choices!r}")
    if step is not None or log:
        raise ConfigError(f"{where}: step and log are for ranges, not for categorical")
    for number, choice in enumerate(choices):
        if not isinstance(choice, Value):
            raise ConfigError(f"{where}: a choice is a number, a text, true, false or null; found {choice!r}")
        # True equals 1, but they are different settings.
        if any(choice == other and type(choice) is type(other) for other in choices[:number]):
            raise ConfigError(f"{where}: choices differ from each other; found {choice!r} twice")
    return CategoricalDomain(tuple(number_in_text(choice) for choice in choices))


def _integer(value: Any, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ConfigError(f"{where}: a whole number; found {value!r}")
    return value


def _float(value: Any, where: str) -> float:
    value = number_in_text(value)
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ConfigError(f"{where}: a number; found {value!r}")
    return float(value)


def _spread(low: float, high: float, log: bool) -> list[float]:
    fractions = [index / (GRID_POINTS - 1) for index in range(GRID_POINTS)]
    if log:
        return [low * (high / low) ** fraction for fraction in fractions]
    return [low + (high - low) * fraction for fraction in fractions]


def _options(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value}
