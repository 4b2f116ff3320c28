"""The score as a function of the parameters: a level, an effect of each parameter, one of each pair, and noise.

It is a Gaussian process whose kernel is a functional ANOVA (Durrande, Ginsbourger, Roustant and Carraro 2013): the
kernel of a parameter is centred over the space's own distribution, so that every effect has the mean zero there, and
effects add up without sharing anything. A pair has the product of its parameters' kernels. Where a condition holds a
parameter back its kernel is zero: it has an effect only where it has a value, and that it has one is an effect of what
the condition asks. What an effect amounts to, and the noise, are chosen by the likelihood, which leaves effects that
the trials do not show near zero; a forest, of which fANOVA is usually made, spreads noise over all parameters.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

from .axes import Axes, Axis, Floats

#: How far values must be apart, in shares of a range, for their scores to differ freely; the likelihood chooses.
LENGTHS = (0.2, 0.5, 1.2)
#: Variance of the level, in variances of the scores.
_LEVEL = 4.0
#: What amounts are before scores are looked at, and how sure that is, in natural logarithms: of a parameter, of pairs
#: beside their parameters, of noise; and how far they may go.
_AMOUNT, _PAIRS, _NOISE = (np.log(0.1), 3.0), (np.log(0.3), 2.0), (np.log(0.1), 3.0)
_BOUNDS = ((np.log(1e-5), np.log(30)), (np.log(1e-3), np.log(1e3)), (np.log(1e-4), np.log(3)))
_MOST_STEPS = 40


@dataclass(frozen=True)
class Kernels:
    """What the places of trials make of the axes, for one length."""

    axes: tuple[Axis, ...]
    length: float
    #: [d, n, n]; zero where a trial does not have the parameter.
    between: Floats
    #: For each parameter [G, n], its values against the trials, and [G, G].
    rows: tuple[Floats, ...]
    own: tuple[Floats, ...]

    def of(self, chosen: Any) -> Kernels:
        """Of some of the trials."""
        between = self.between[:, chosen][:, :, chosen]
        return replace(self, between=between, rows=tuple(row[:, chosen] for row in self.rows))


@dataclass(frozen=True)
class Surface:
    """A surface that is fitted. Scores [n] have the mean 0 and the variance 1; a trial of weight 2 counts twice."""

    kernels: Kernels
    scores: Floats
    weights: Floats
    #: [d + 2]: logarithms of the amount of each parameter, of pairs, and of noise.
    amounts: Floats

    @property
    def noise(self) -> float:
        return float(np.exp(self.amounts[-1]))

    @cached_property
    def _solved(self) -> tuple[Any, Floats]:
        covariance = _covariance(self.amounts, self.kernels.between)[0]
        factor = cho_factor(covariance + _LEVEL + np.diag(self.noise / self.weights), lower=True)
        return factor, cho_solve(factor, self.scores)

    @property
    def level(self) -> float:
        """The mean over the space."""
        return float(_LEVEL * self._solved[1].sum())

    def effects(self) -> list[Floats]:
        """What each parameter adds to the level in each of its values, [G]."""
        amounts = np.exp(self.amounts[:-2])
        return [amount * row @ self._solved[1] for amount, row in zip(amounts, self.kernels.rows, strict=True)]

    def pair_effects(self) -> dict[tuple[int, int], Floats]:
        """What each pair of parameters adds beyond the two alone, [G, G]."""
        amounts, rows = np.exp(self.amounts), self.kernels.rows
        return {
            (i, j): amounts[-2] * amounts[i] * amounts[j] * (rows[i] * self._solved[1]) @ rows[j].T
            for i, j in combinations(range(len(rows)), 2)
        }

    def drawn_level(self, rng: np.random.Generator) -> float:
        """The level, drawn from what the trials leave open of it."""
        left = _LEVEL - _LEVEL**2 * cho_solve(self._solved[0], np.ones(len(self.scores))).sum()
        return self.level + float(np.sqrt(max(left, 0.0)) * rng.standard_normal())

    def drawn_effects(self, rng: np.random.Generator) -> list[Floats]:
        """Each parameter's effect, drawn from what the trials leave open of it."""
        drawn = []
        for amount, row, own, mean in zip(
            np.exp(self.amounts[:-2]), self.kernels.rows, self.kernels.own, self.effects(), strict=True
        ):
            left = amount * own - amount**2 * row @ cho_solve(self._solved[0], row.T)
            values, vectors = np.linalg.eigh(left)
            drawn.append(mean + vectors @ (np.sqrt(np.maximum(values, 0)) * rng.standard_normal(len(values))))
        return drawn

    def of_all(self, places: Floats, scores: Floats) -> Surface:
        """The surface with these amounts and all of some trials, of which it was fitted to a part."""
        kernels = _kernels(self.kernels.axes, places, self.kernels.length)
        return Surface(kernels, scores, np.ones(len(scores)), self.amounts)

    def refitted(self, chosen: Any, weights: Floats, steps: int) -> Surface:
        """The surface of some of the trials, each with a weight, its amounts sought in so many steps from these."""
        kernels, scores = self.kernels.of(chosen), self.scores[chosen]
        amounts = _fitted(kernels, scores, weights, self.amounts, steps)[0] if steps else self.amounts
        return Surface(kernels, scores, weights, amounts)


def fit(axes: Axes, places: Floats, scores: Floats) -> Surface:
    """The surface of trials at `places` [n, d] with `scores` [n] of mean 0 and variance 1."""
    start = np.array([_AMOUNT[0]] * len(axes.axes) + [_PAIRS[0], _NOISE[0]])
    ones, found = np.ones(len(scores)), []
    for length in LENGTHS:
        kernels = _kernels(axes.axes, places, length)
        amounts, value = _fitted(kernels, scores, ones, start, _MOST_STEPS)
        found.append((value, kernels, amounts))
    _, kernels, amounts = min(found, key=lambda one: one[0])
    return Surface(kernels, scores, ones, amounts)


def _kernels(axes: tuple[Axis, ...], places: Floats, length: float) -> Kernels:
    between, rows, own = [], [], []
    for axis, column in zip(axes, places.T, strict=True):
        has, filled = ~np.isnan(column), np.nan_to_num(column)
        kernel = _Centred(axis, length)
        between.append(np.where(np.outer(has, has), kernel(filled, filled), 0.0))
        rows.append(np.where(has, kernel(axis.places, filled), 0.0))
        own.append(kernel(axis.places, axis.places))
    return Kernels(axes, length, np.array(between), tuple(rows), tuple(own))


class _Centred:
    """The kernel of one parameter: zero in its mean over the space's distribution, of variance 1 in its mean."""

    def __init__(self, axis: Axis, length: float) -> None:
        self.axis, self.length = axis, length
        among = self._raw(axis.places, axis.places)
        self.mean = axis.weights @ among @ axis.weights
        self.scale = np.diag(among) @ axis.weights - self.mean

    def __call__(self, left: Floats, right: Floats) -> Floats:
        means = [self._raw(side, self.axis.places) @ self.axis.weights for side in (left, right)]
        centred: Floats = self._raw(left, right) - means[0][:, None] - means[1][None, :] + self.mean
        return centred / self.scale if self.scale > 1e-12 else np.zeros_like(centred)

    def _raw(self, left: Floats, right: Floats) -> Floats:
        if self.axis.is_categorical:
            return (left[:, None] == right[None, :]).astype(float)
        # Matérn's of 5/2: smooth, and yet able to bend where training collapses.
        far = np.sqrt(5) * np.abs(left[:, None] - right[None, :]) / self.length
        return (1 + far + far**2 / 3) * np.exp(-far)


def _covariance(amounts: Floats, between: Floats) -> tuple[Floats, Floats, Floats]:
    """Covariance of trials; and what its gradient needs: the sum over parameters, and that over pairs."""
    own, beside = np.exp(amounts[:-2]), np.exp(amounts[-2])
    total = np.tensordot(own, between, 1)
    pairs = (total**2 - np.tensordot(own**2, between**2, 1)) / 2
    return total + beside * pairs, total, pairs


def _fitted(kernels: Kernels, scores: Floats, weights: Floats, start: Floats, steps: int) -> tuple[Floats, float]:
    count = len(start) - 2
    before = np.array([_AMOUNT] * count + [_PAIRS, _NOISE])
    bounds = [_BOUNDS[0]] * count + [_BOUNDS[1], _BOUNDS[2]]
    options = {"maxiter": steps}
    given = (kernels.between, scores, weights, before)
    found = minimize(_loss, start, args=given, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return np.asarray(found.x), float(found.fun)


def _loss(amounts: Floats, between: Floats, scores: Floats, weights: Floats, before: Floats) -> tuple[float, Floats]:
    """Minus the logarithm of the likelihood and of what is thought of the amounts before, and its gradient."""
    covariance, total, pairs = _covariance(amounts, between)
    beside, noise = np.exp(amounts[-2:])
    try:
        factor = cho_factor(covariance + _LEVEL + np.diag(noise / weights), lower=True)
    except np.linalg.LinAlgError:
        return 1e10, np.zeros_like(amounts)
    solved, inverse = cho_solve(factor, scores), cho_solve(factor, np.eye(len(scores)))
    outer = inverse - np.outer(solved, solved)
    gradient = np.empty_like(amounts)
    for place, (amount, kernel) in enumerate(zip(np.exp(amounts[:-2]), between, strict=True)):
        gradient[place] = amount * np.vdot(outer, kernel + beside * kernel * (total - amount * kernel)) / 2
    gradient[-2] = beside * np.vdot(outer, pairs) / 2
    gradient[-1] = noise * np.sum(np.diag(outer) / weights) / 2
    off = (amounts - before[:, 0]) / before[:, 1]
    value = scores @ solved / 2 + np.log(np.diag(factor[0])).sum() + off @ off / 2
    return float(value), gradient + off / before[:, 1]
