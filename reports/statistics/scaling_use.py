"""What a scaling law is good for: the best size for a budget of operations, and a test by what it was not fitted to.

Letters: C points, M places, B draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .log_sums import Floats, log_sum
from .scaling import LEVEL, Interval, Law, fit, num_levels

#: The logarithm of a size or an amount beyond all that there is.
_FAR = 90.0


@dataclass(frozen=True)
class Operations:
    """operations = coefficient · N^exponent · D, as they were counted.

    The exponent is 1 where each parameter is used once a token; attention over long texts makes small cores dearer.
    """

    coefficient: float
    exponent: float

    @classmethod
    def of(cls, sizes: Floats, tokens: Floats, operations: Floats) -> Operations:
        """The line through logarithms; each parameter once a token where there is one size."""
        y = np.log(operations) - np.log(tokens)
        slope = float(np.polyfit(np.log(sizes), y, 1)[0]) if num_levels(sizes) > 1 else 1.0
        return cls(float(np.exp((y - slope * np.log(sizes)).mean())), slope)


@dataclass(frozen=True)
class Optimum:
    """The size and the tokens that promise the least error for a budget of operations, with that error."""

    budget: float
    size: float
    tokens: float
    value: float
    sizes: Interval
    amounts: Interval
    values: Interval


def best_size(theta: Floats, centre: Floats, operations: Operations, budget: Floats) -> Floats:  # [B, 5], [M] -> [B, M]
    """The logarithm of the N that minimises A/N^a + B/D^b where k N^c D is the budget: a A / N^a = c b B / D^b there.

    It is Hoffmann et al.'s (2022) equation 4, where c is 1.
    """
    a, b = (np.maximum(theta[:, place, None], 1e-9) for place in (2, 4))
    size, data = theta[:, 1, None] + a * centre[0], theta[:, 3, None] + b * centre[1]
    c, spent = operations.exponent, np.log(budget) - np.log(operations.coefficient)
    found = (np.log(a) + size - np.log(c * b) - data + b * spent) / (a + c * b)
    # A law that does not need size, or data, at all puts the best at no end.
    return np.asarray(np.clip(found, -_FAR, _FAR))


def optima(law: Law, operations: Operations, budgets: Floats) -> list[Optimum]:
    """The optimum of each budget, with intervals over the draws of a law over size and data."""
    theta = np.concatenate([law.theta[None], law.draws[:, 1:]])
    size = best_size(theta, law.centre, operations, budgets)
    tokens = np.log(budgets / operations.coefficient) - operations.exponent * size
    parts = [
        theta[:, :1] + np.zeros_like(size),
        theta[:, 1:2] - theta[:, 2:3] * (size - law.centre[0]),
        theta[:, 3:4] - theta[:, 4:5] * (tokens - law.centre[1]),
    ]
    value = log_sum(np.stack(parts, axis=1))
    found = []
    for place, budget in enumerate(budgets.tolist()):
        logs = [one[:, place] for one in (size, tokens, value)]
        middle = [float(np.exp(one[0])) for one in logs]
        around = [_interval(one[1:]) for one in logs]
        found.append(Optimum(budget, middle[0], middle[1], middle[2], around[0], around[1], around[2]))
    return found


def growth(law: Law, operations: Operations) -> tuple[float, Interval]:
    """The power of the budget with which the best size grows, b / (a + c b)."""
    theta = np.concatenate([law.theta[None], law.draws[:, 1:]])
    a, b = (np.maximum(theta[:, place], 1e-9) for place in (2, 4))
    powers = b / (a + operations.exponent * b)
    return float(powers[0]), _interval(np.log(powers[1:]))


def _interval(logs: Floats) -> Interval:
    """The middle 95 % of values given as logarithms."""
    low, high = np.quantile(logs, (LEVEL / 2, 1 - LEVEL / 2))
    return Interval(float(np.exp(low)) if low > -_FAR / 2 else 0.0, float(np.exp(high)) if high < _FAR / 2 else np.inf)


@dataclass(frozen=True)
class Check:
    """What a law that never saw some points says of them: `places` are theirs among all."""

    places: tuple[int, ...]
    measured: Floats
    predicted: Floats
    intervals: tuple[Interval, ...]

    @property
    def misses(self) -> Floats:
        """How far each prediction is from what was measured, as a share of that."""
        return np.asarray(self.predicted / self.measured - 1)

    @property
    def num_inside(self) -> int:
        return sum(one.holds(value) for one, value in zip(self.intervals, self.measured, strict=True))


def check(x: Sequence[Floats], values: Floats, axis: int, names: Sequence[str]) -> Check:
    """Leave out the points with the most of an axis, and predict them; ValueError where too few are left."""
    axes = np.array(x)
    is_last = axes[axis] > axes[axis].max() / 1.05
    law = fit([own[~is_last] for own in axes], values[~is_last], names)
    places = np.flatnonzero(is_last)
    return Check(tuple(map(int, places)), values[places], law.predict(axes[:, places]),
                 tuple(law.predict_new(axes[:, places])))  # fmt: skip
