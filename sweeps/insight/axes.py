"""A search space as axes: where the values of each parameter lie, how probable each is, and where it has one at all."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from atinuke_bench.sweeps.domains import Domain, values_of
from atinuke_bench.sweeps.spaces import HEADS, HIDDEN, Parameter, Space

#: Values at which an effect is looked at; a range that has no more is looked at in each of them.
MOST_VALUES = 25
#: Draws of the space, by which it is known how often a condition holds.
NUM_DRAWS = 512

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Axis:
    """One parameter: the values [G] that its effect is looked at in, where they lie and how probable they are."""

    path: str
    values: tuple[Any, ...]
    #: [G]; of a range from 0 to 1, evenly by logarithm where the space draws so; of choices their number.
    places: Floats
    #: [G], adding up to 1.
    weights: Floats
    domain: Domain

    @property
    def is_categorical(self) -> bool:
        return isinstance(self.domain, CategoricalDistribution)

    def place(self, value: Any) -> float:
        """Where a value lies; NaN for one that a trial does not have or that is none of the choices."""
        if isinstance(self.domain, CategoricalDistribution):
            return float(self.domain.choices.index(value)) if value in self.domain.choices else math.nan
        if value is None:
            return math.nan
        low, high, now = self.domain.low, self.domain.high, value
        if self.domain.log:
            low, high, now = math.log(low), math.log(high), math.log(now)
        return float((now - low) / (high - low))


@dataclass(frozen=True)
class Axes:
    """The parameters that trials differ in, and how often each has a value, alone and together with another."""

    axes: tuple[Axis, ...]
    #: [d, d]: the share of the space's draws in which both parameters have a value.
    together: Floats
    #: For each parameter, how probable the values [G] of those that its conditions ask are where it has a value itself.
    given: tuple[Mapping[int, Floats], ...]

    def places(self, trials: Sequence[Mapping[str, Any]]) -> Floats:
        """Where the values of trials lie, [n, d]; NaN where a condition holds a parameter back."""
        return np.array(
            [
                [axis.place(trial[axis.path]) if axis.path in trial else math.nan for axis in self.axes]
                for trial in trials
            ]
        ).reshape(len(trials), len(self.axes))


def axes_of(space: Space) -> Axes:
    """The axes of a space. Conditions and the fit of heads to hidden sizes are met as the space itself meets them."""
    rng = np.random.default_rng(0)
    draws = [
        space.draw(lambda _, domain: _drawn(domain, rng)).params  # one after the other, as a sampler is asked
        for _ in range(NUM_DRAWS)
    ]
    has = np.array([[parameter.path in draw for parameter in space.parameters] for draw in draws], dtype=float)
    kept = [place for place in range(len(space.parameters)) if has[:, place].any()]
    axes = tuple(_axis(space.parameters[place], draws) for place in kept)
    given = tuple(_given(axis, axes, space, draws) for axis in axes)
    return Axes(axes, (has.T @ has / NUM_DRAWS)[np.ix_(kept, kept)], given)


def _given(of: Axis, axes: Sequence[Axis], space: Space, draws: Sequence[Mapping[str, Any]]) -> dict[int, Floats]:
    own, asked = [draw for draw in draws if of.path in draw], _asked(of.path, space)
    found = {}
    for number, axis in enumerate(axes):
        if axis.path in asked:
            at = [int(np.abs(axis.places - axis.place(draw[axis.path])).argmin()) for draw in own if axis.path in draw]
            found[number] = np.bincount(at, minlength=len(axis.values)) / len(own)
    return found


def _asked(path: str, space: Space) -> set[str]:
    """The parameters that the conditions of one ask, and theirs."""
    (parameter,) = (one for one in space.parameters if one.path == path)
    found = {other for other, _ in parameter.when if any(one.path == other for one in space.parameters)}
    return found.union(*(_asked(other, space) for other in found))


def _axis(parameter: Parameter, draws: Sequence[Mapping[str, Any]]) -> Axis:
    path, domain = parameter.path, parameter.domain
    values, weights = _values(domain)
    if path in (HEADS, HIDDEN) and len(values) < MOST_VALUES:
        # Fitted to each other, so that some values never occur and others are more frequent than they are drawn.
        counts = Counter(draw[path] for draw in draws if path in draw)
        values = [value for value in values if value in counts]
        weights = np.array([counts[value] for value in values], dtype=float)
    axis = Axis(path, tuple(values), np.empty(0), weights / weights.sum(), domain)
    return Axis(path, axis.values, np.array([axis.place(value) for value in values]), axis.weights, domain)


def _values(domain: Domain) -> tuple[Sequence[Any], Floats]:
    """Values of a domain, all of them or evenly spread ones with both ends, and their weights."""
    if isinstance(domain, CategoricalDistribution):
        return list(domain.choices), np.ones(len(domain.choices))
    if isinstance(domain, IntDistribution) and len(values := values_of(domain)) <= MOST_VALUES:
        # As Optuna draws integers by logarithm: each has the room from half a step below it to half a step above.
        return values, np.array([math.log((v + 0.5) / (v - 0.5)) if domain.log else 1.0 for v in values])
    if isinstance(domain, FloatDistribution) and domain.step is not None:
        count = round((domain.high - domain.low) / domain.step) + 1
        if count <= MOST_VALUES:
            return [domain.low + index * domain.step for index in range(count)], np.ones(count)
    spread = [_at(domain, share) for share in np.linspace(0, 1, MOST_VALUES)]
    weights = np.ones(MOST_VALUES)
    weights[[0, -1]] = 0.5
    return spread, weights


def _at(domain: IntDistribution | FloatDistribution, share: float) -> int | float:
    """The value of a range with so much of it below."""
    if domain.log:
        value = math.exp((1 - share) * math.log(domain.low) + share * math.log(domain.high))
    else:
        value = domain.low + share * (domain.high - domain.low)
    if domain.step is not None and not domain.log:
        value = domain.low + round((value - domain.low) / domain.step) * domain.step
    if isinstance(domain, IntDistribution):
        return min(max(round(value), domain.low), domain.high)
    return min(max(float(f"{value:.12g}"), domain.low), domain.high)


def _drawn(domain: Domain, rng: np.random.Generator) -> Any:
    if isinstance(domain, CategoricalDistribution):
        return domain.choices[rng.integers(len(domain.choices))]
    return _at(domain, rng.random())
