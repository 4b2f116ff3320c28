"""Robust fits of sums of powers on a logarithmic scale, many at once.

log y = log(exp(e) + exp(a1 - b1 x1) + exp(a2 - b2 x2) ...) is Hoffmann et al.'s (2022, appendix D.2) way to write y = E
+ A1 / X1^b1 + A2 / X2^b2 with x = log X: no term can be negative, and no power overflows. What is minimised is the sum,
not the mean, of Huber's loss over the points: divided by their number it would be so flat that a solver stops early
(Besiroglu et al. 2024). The problems of a batch are solved together by Levenberg and Marquardt's method with Huber's
weights, each to the rounding of its own loss.

Letters: P problems, C points, K axes, Q = 1 + 2K parameters in the order e, a1, b1, a2, b2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Where Huber's loss turns from a square to a line, in units of the noise: 95 % as efficient as squares where the noise
#: is normal (Huber 1981).
TURN = 1.345
#: Exponents that are tried; a term with one of 5 is over within a factor of two.
MOST_EXPONENT = 5.0
_MOST_STEPS = 150
_DAMPED = 1e-3


@dataclass(frozen=True)
class Problem:
    """Points to fit: `x` [K, C], `y` [C] the logarithms of what is measured there; the bounds [Q] of parameters."""

    x: Floats
    y: Floats
    low: Floats
    high: Floats

    @property
    def num_parameters(self) -> int:
        return 1 + 2 * len(self.x)


def terms(theta: Floats, x: Floats) -> Floats:  # [P, Q], [K, C] -> [P, 1 + K, C]
    """The logarithm of each term at each point."""
    powers = theta[:, 1::2, None] - theta[:, 2::2, None] * x
    constant = np.broadcast_to(theta[:, :1, None], (len(theta), 1, x.shape[1]))
    return np.concatenate([constant, powers], axis=1)


def log_sum(parts: Floats) -> Floats:  # [P, 1 + K, C] -> [P, C]
    """The logarithm of the sum of terms given as logarithms."""
    largest = parts.max(axis=1, keepdims=True)
    return np.asarray(np.log(np.exp(parts - largest).sum(axis=1)) + largest[:, 0])


def huber(residuals: Floats, turn: Floats) -> Floats:  # [P, C], [P] -> [P]
    """The sum of Huber's loss: half the square up to `turn`, a line beyond it."""
    size, turn = np.abs(residuals), turn[:, None]
    return np.asarray(np.where(size <= turn, size**2 / 2, turn * (size - turn / 2)).sum(axis=1))


def solve(
    problem: Problem,
    theta: Floats,  # [P, Q]
    turn: Floats,  # [P]
    *,
    is_free: NDArray[np.bool_] | None = None,  # [P, Q]
    y: Floats | None = None,  # [P, C] in place of the problem's own
    most_steps: int = _MOST_STEPS,
) -> tuple[Floats, Floats]:  # [P, Q], [P]
    """The parameters of least loss that are reached from `theta`, and their loss. What is not free stays as it is."""
    theta = np.clip(theta, problem.low, problem.high)
    y = np.broadcast_to(problem.y, (len(theta), len(problem.y))) if y is None else y
    is_free = np.ones(theta.shape, dtype=bool) if is_free is None else is_free
    damping = np.full(len(theta), _DAMPED)
    loss = huber(log_sum(terms(theta, problem.x)) - y, turn)
    is_open = np.ones(len(theta), dtype=bool)
    for _ in range(most_steps):
        own = np.flatnonzero(is_open)
        if not len(own):
            break
        step = _step(problem, theta[own], y[own], turn[own], is_free[own], damping[own])
        tried = np.clip(theta[own] + step, problem.low, problem.high)
        found = huber(log_sum(terms(tried, problem.x)) - y[own], turn[own])
        is_better = found < loss[own]
        gain = loss[own] - found
        theta[own[is_better]], loss[own[is_better]] = tried[is_better], found[is_better]
        damping[own] = np.where(is_better, damping[own] / 5, damping[own] * 4)
        is_done = (is_better & (gain <= 1e-12 * loss[own] + 1e-300)) | (damping[own] > 1e10)
        is_open[own[is_done]] = False
    return theta, loss


def _step(
    problem: Problem, theta: Floats, y: Floats, turn: Floats, is_free: NDArray[np.bool_], damping: Floats
) -> Floats:  # [P, Q]
    parts = terms(theta, problem.x)
    total = log_sum(parts)
    residuals = total - y
    weights = np.minimum(1, turn[:, None] / np.maximum(np.abs(residuals), 1e-300))
    jacobian = slopes(parts, total, problem.x)
    gradient = np.einsum("pqc,pc->pq", jacobian, weights * residuals)
    # What is at a bound and would leave it stays there.
    is_held = ((theta <= problem.low) & (gradient > 0)) | ((theta >= problem.high) & (gradient < 0)) | ~is_free
    jacobian = np.where(is_held[:, :, None], 0.0, jacobian)
    curvature = np.einsum("pqc,pc,prc->pqr", jacobian, weights, jacobian)
    diagonal = np.einsum("pqq->pq", curvature)
    diagonal += damping[:, None] * diagonal + 1e-14 + is_held
    step = np.linalg.solve(curvature, -np.where(is_held, 0.0, gradient)[:, :, None])[:, :, 0]
    return np.asarray(np.clip(np.nan_to_num(step), -20.0, 20.0))


def slopes(parts: Floats, total: Floats, x: Floats) -> Floats:  # [P, 1 + K, C], [P, C], [K, C] -> [P, Q, C]
    """How the logarithm of the sum changes with each parameter."""
    shares = np.exp(parts - total[:, None])
    found = np.empty((len(parts), 2 * parts.shape[1] - 1, parts.shape[2]))
    found[:, 0], found[:, 1::2], found[:, 2::2] = shares[:, 0], shares[:, 1:], -shares[:, 1:] * x
    return found
