"""How an error falls with size and with data: y = E + A/N^a + B/D^b (Hoffmann et al. 2022), and what follows from it.

A point is the mean over seeds of one core of one size on one amount of data. Points count alike, whatever the number of
seeds: their scatter around the law, seeds and the law's own faults together, is the noise that every interval has. With
one axis the law is y = E + A/N^a, and without the constant where there are too few points to tell one.

Intervals of parameters are profiles of the loss: the values at which the others can still fit so well that an F test
does not refuse them. They were simulated against the bootstrap (`benchmarks/scaling_coverage.py`). One that has no end
within what is tried is open: the points do not say how large the parameter is.

Letters: C points, K axes, Q = 1 + 2K parameters, B draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product

import numpy as np
from scipy import integrate, stats

from .log_sums import MOST_EXPONENT, TURN, Floats, Problem, huber, log_sum, solve, terms

#: Fewest levels of an axis, how far apart the first and the last must be, and points beyond one for each parameter.
FEWEST_LEVELS, LEAST_RATIO, LEAST_FREEDOM = 3, 4.0, 2
#: Fewest levels of the one axis of a law, and of one that has a constant.
FEWEST_ALONE, FEWEST_WITH_CONSTANT = 4, 5
LEVEL = 0.05
NUM_DRAWS = 400
#: Two levels are one where they are so near, as a share.
_SAME = 0.03
#: The logarithm of the least constant, in units of the least value: nothing that rounding would show.
_NO_CONSTANT = -14.0
_EXPONENTS = (0.1, 0.3, 0.6, 1.0, 2.0)
_CONSTANTS = (0.02, 0.5, 0.9)
#: Values of a parameter that are tried for an end of its interval.
_MOST_TRIALS = 44
#: How far the logarithm of a coefficient is looked for.
_FAR = 60.0


@dataclass(frozen=True)
class Interval:
    """A 95 % interval; an end that nothing shows is 0 or infinite."""

    low: float
    high: float

    @property
    def is_open(self) -> bool:
        """Whether the points do not say how large the value is at most."""
        return not np.isfinite(self.high)

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True)
class Law:
    """A fitted law; `x` [K, C] and `values` [C] are what it was fitted to, `theta` [Q] its parameters around `centre`.

    `noise` is the standard deviation of log values around it, with `freedom` degrees.
    """

    x: Floats
    values: Floats
    theta: Floats
    noise: float
    has_constant: bool

    @property
    def num_axes(self) -> int:
        return len(self.x)

    @property
    def freedom(self) -> int:
        return len(self.values) - 2 * self.num_axes - self.has_constant

    @cached_property
    def centre(self) -> Floats:  # [K]
        return np.asarray(np.log(self.x).mean(axis=1))

    @property
    def constant(self) -> float:
        """E: what neither size nor data takes away."""
        return float(np.exp(self.theta[0])) if self.has_constant else 0.0

    @property
    def exponents(self) -> Floats:  # [K]
        return self.theta[2::2]

    @property
    def coefficients(self) -> Floats:  # [K]
        return np.asarray(np.exp(self.theta[1::2] + self.theta[2::2] * self.centre))

    def predict(self, x: Floats) -> Floats:  # [K, M] -> [M]
        """The law's value at some places."""
        return np.asarray(np.exp(log_sum(terms(self.theta[None], np.log(x) - self.centre[:, None])))[0])

    def problem(self, centre: Floats) -> Problem:
        return _problem(self.x, self.values, centre)

    @cached_property
    def draws(self) -> Floats:  # [B, 1 + Q]
        """The noise, and the parameters of the law fitted anew, in draws of what might have been measured."""
        generator = np.random.default_rng(len(self.values))
        noise = self.noise * np.sqrt(self.freedom / generator.chisquare(self.freedom, NUM_DRAWS))
        problem = self.problem(self.centre)
        fitted = log_sum(terms(self.theta[None], problem.x))
        drawn = fitted + noise[:, None] * generator.normal(size=(NUM_DRAWS, len(self.values)))
        start, turn = np.repeat(self.theta[None], NUM_DRAWS, axis=0), TURN * noise
        theta, _ = solve(problem, start, turn, y=drawn, is_free=_free(start, self.has_constant), most_steps=40)
        return np.column_stack([noise, theta])

    def predict_new(self, x: Floats) -> list[Interval]:  # [K, M] -> M
        """Where the value at each of some places will be, were it measured as the points were."""
        noise, theta = self.draws[:, 0], self.draws[:, 1:]
        fitted = log_sum(terms(theta, np.log(x) - self.centre[:, None]))  # [B, M]
        drawn = fitted + noise[:, None] * np.random.default_rng(len(x[0])).normal(size=fitted.shape)
        ends = np.exp(np.quantile(drawn, (LEVEL / 2, 1 - LEVEL / 2), axis=0))
        return [Interval(float(low), float(high)) for low, high in ends.T]


def num_levels(values: Floats) -> int:
    """How many levels an axis has.

    >>> num_levels(np.array([1e5, 1.01e5, 4e5]))
    2
    """
    return 1 + int((np.diff(np.sort(np.log(values))) > _SAME).sum()) if len(values) else 0


def fit(x: Sequence[Floats], values: Floats, names: Sequence[str] = ("sizes", "amounts of data")) -> Law:
    """The law through points; ValueError with the reason where there are too few, or they are too near.

    `x` has the axes that vary, of which `names` are the plural.
    """
    axes, values = np.array(x, dtype=np.float64), np.asarray(values, dtype=np.float64)
    is_known = np.isfinite(axes).all(axis=0) & (axes > 0).all(axis=0) & np.isfinite(values) & (values > 0)
    axes, values = axes[:, is_known], values[is_known]
    fewest = FEWEST_ALONE if len(axes) == 1 else FEWEST_LEVELS
    for axis, name in zip(axes, names, strict=False):
        if (found := num_levels(axis)) < fewest:
            raise ValueError(f"no fit: {found} {name}, {fewest} needed")
        if (ratio := axis.max() / axis.min()) < LEAST_RATIO:
            raise ValueError(f"no fit: {name} are {ratio:.1f} times apart, {LEAST_RATIO:g} needed")
    needed = 2 * len(axes) + 1 + LEAST_FREEDOM
    if len(axes) > 1 and len(values) < needed:
        raise ValueError(f"no fit: {len(values)} points, {needed} needed")
    has_constant = len(axes) > 1 or num_levels(axes[0]) >= FEWEST_WITH_CONSTANT
    problem = _problem(axes, values, np.log(axes).mean(axis=1))
    starts = _starts(problem, values, has_constant)
    free = _free(starts, has_constant)
    freedom = len(values) - 2 * len(axes) - has_constant
    theta, loss = solve(problem, starts, np.full(len(starts), np.inf), is_free=free, most_steps=12)
    best = theta[np.argsort(loss)[:6]]
    theta, loss = solve(problem, best, np.full(len(best), np.inf), is_free=free[: len(best)])
    noise = np.sqrt(2 * loss.min() / freedom)
    # Huber's second proposal (1981): noise and parameters in turn, until both stay.
    for _ in range(12):
        noise = max(_noise(problem, theta[loss.argmin()], noise, freedom), 1e-9)
        theta, loss = solve(problem, theta, np.full(len(theta), TURN * noise), is_free=free[: len(theta)])
    return Law(axes, values, theta[loss.argmin()], float(noise), has_constant)


def _problem(x: Floats, values: Floats, centre: Floats) -> Problem:
    low = np.array([np.log(values.min()) + _NO_CONSTANT, *([-_FAR, 0.0] * len(x))])
    high = np.array([np.log(values.min()) + 1.0, *([2 * _FAR, MOST_EXPONENT] * len(x))])
    return Problem(np.log(x) - centre[:, None], np.log(values), low, high)


def _starts(problem: Problem, values: Floats, has_constant: bool) -> Floats:  # [P, Q]
    num_axes, starts = len(problem.x), []
    for share, *exponents in product(_CONSTANTS if has_constant else (0.0,), *[_EXPONENTS] * num_axes):
        constant = np.log(share * values.min()) if has_constant else problem.low[0]
        each = np.log((np.median(values) - share * values.min()) / num_axes)
        starts.append([constant, *(part for exponent in exponents for part in (each, exponent))])
    return np.array(starts)


def _free(theta: Floats, has_constant: bool) -> np.ndarray:
    free = np.ones(theta.shape, dtype=bool)
    free[:, 0] = has_constant
    return free


@lru_cache(maxsize=1)
def _normal() -> tuple[float, float]:
    """The mean square of Huber's bounded residual of a normal one, and its ratio to the share that is not bounded."""
    square = integrate.quad(lambda z: min(z * z, TURN**2) * stats.norm.pdf(z), -12, 12, points=(-TURN, TURN))[0]
    return square, square / (2 * stats.norm.cdf(TURN) - 1)


def _noise(problem: Problem, theta: Floats, noise: float, freedom: int) -> float:
    residuals = log_sum(terms(theta[None], problem.x))[0] - problem.y
    bounded = np.clip(residuals, -TURN * noise, TURN * noise)
    return float(np.sqrt((bounded**2).sum() / (freedom * _normal()[0])))


def parameter_names(law: Law) -> list[str]:
    """E where there is one, then A and a of the first axis, B and b of the second."""
    return [*(["E"] if law.has_constant else []), *["A", "a", "B", "b"][: 2 * law.num_axes]]


def intervals(law: Law) -> dict[str, Interval]:
    """The 95 % interval of each parameter, by name."""
    own = [place for place in range(len(law.theta)) if place > 0 or law.has_constant]
    names = dict(zip(own, parameter_names(law), strict=True))
    # Coefficients are those at N = 1, where the logarithm is 0; everything else is found around the points' centre.
    apart = law.problem(np.zeros(law.num_axes))
    theta = law.theta.copy()
    theta[1::2] += theta[2::2] * law.centre
    coefficients = [place for place in own if place % 2]
    others = [place for place in own if not place % 2]
    ends = _profiles(law, apart, theta, coefficients) | _profiles(law, law.problem(law.centre), law.theta, others)
    found = {}
    for place, name in names.items():
        low, high = ends[place]
        if name in ("a", "b"):
            found[name] = Interval(low, np.inf if high >= MOST_EXPONENT else high)
        else:
            is_nothing = low <= apart.low[place] + 1e-6
            found[name] = Interval(0.0 if is_nothing else float(np.exp(low)), float(np.exp(high)))
    return found


def _profiles(law: Law, problem: Problem, theta: Floats, places: Sequence[int]) -> dict[int, tuple[float, float]]:
    """The ends of the intervals of some parameters; a bound of the problem where there is no end before that.

    All ends are looked for at once: in growing steps until one fits no more, then by halving what is left.
    """
    which = np.repeat(places, 2)  # [2M]: the lower and the upper end of each
    rows, is_upper = np.arange(len(which)), np.arange(len(which)) % 2 == 1
    kept = np.repeat(theta[None], len(which), axis=0)
    free = _free(kept, law.has_constant)
    free[rows, which] = False
    turn = np.full(len(which), TURN * law.noise)
    least = float(huber(log_sum(terms(theta[None], problem.x)) - problem.y, turn[:1])[0])
    most = least + law.noise**2 * _normal()[1] * float(stats.f.ppf(1 - LEVEL, 1, law.freedom)) / 2
    bounds = np.where(is_upper, problem.high[which], problem.low[which])
    inside, outside = theta[which], bounds.copy()
    step = np.where(is_upper, 1.0, -1.0) * np.maximum(0.02, np.abs(inside) * 0.02)
    is_bracketed = np.zeros(len(which), dtype=bool)
    for _ in range(_MOST_TRIALS):
        step = step * 1.7
        stepped = np.where(is_upper, np.minimum(inside + step, bounds), np.maximum(inside + step, bounds))
        middle = np.where(is_bracketed, (inside + outside) / 2, stepped)
        tried = kept.copy()
        tried[rows, which] = middle
        found, loss = solve(problem, tried, turn, is_free=free, most_steps=60)
        fits = loss <= most
        kept[fits], inside[fits] = found[fits], middle[fits]
        outside[~fits] = middle[~fits]
        is_bracketed |= ~fits
        is_near = np.abs(outside - inside) < 1e-3 * (0.1 + np.abs(inside))
        if np.all(np.where(is_bracketed, is_near, inside == bounds)):
            break
    return {place: (float(inside[2 * n]), float(inside[2 * n + 1])) for n, place in enumerate(places)}
