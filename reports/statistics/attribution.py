"""What the factors of a factorial are worth: effects, interactions, Shapley values, each a contrast of cell means.

An effect is what a change adds, averaged over the settings of the other factors. An interaction is how much more it
adds where another change is made too; on top of both effects it is what the two make together. The difference between
two corners is shared out by Shapley values. All are linear in the cell means, so that `factorial.py` has their errors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np

from atinuke_bench.metrics.metric import Floats

from .factorial import Factorial, Key, Weights
from .spread import Spread
from .verdict import FEWEST_SEEDS, Judged, corrected


@dataclass(frozen=True, kw_only=True)
class Effect(Judged):
    """A contrast of a factorial with its test. `changes` are the factors that it is about, each with two levels.

    It is averaged over `num_settings` settings of the other factors of `all_settings`: those that have all its cells.
    """

    changes: Mapping[str, tuple[str, str]]
    num_settings: int = 1
    all_settings: int = 1
    is_higher_better: bool = True
    #: Of the cell that has the fewest.
    num_seeds: int = FEWEST_SEEDS

    @property
    def higher_is_better(self) -> bool:
        return self.is_higher_better

    @property
    def factors(self) -> tuple[str, ...]:
        return tuple(self.changes)

    @property
    def finding(self) -> str:
        """The verdict for readers; of two factors, whether one changes what the other is worth."""
        found = super().finding
        if not self.is_tested:
            return found
        if len(self.changes) == 1:
            # A is with the change, B without it.
            with_it = found.replace("A is not worse", "with it not worse")
            return with_it.replace("B is not worse", "without it not worse")
        if self.is_told_apart:
            return f"{self.verdict} together than the sum" + found.removeprefix(self.verdict)
        if self.verdict == "equal":
            return found.replace("equal within", "no interaction of") + " or more"
        return found.partition(";")[0].rstrip(")").replace("tie", "no interaction found") + ")"

    @property
    def why_no_margin(self) -> str:
        """As of a comparison: the spread of few seeds is too uncertain to show that nothing is there."""
        return "" if self.num_seeds >= FEWEST_SEEDS else f"equal needs {FEWEST_SEEDS} seeds of each cell"


def effects(factorial: Factorial, *, is_higher_better: bool = True, margin: float | None = None) -> list[Effect]:
    """The main effect of each level against the first of its factor, then each interaction of two such changes.

    With a margin in points, those that are not told apart from 0 are equal to it within the margin, or undecided.
    """
    changed = [{factor: (levels[0], level)} for factor, levels in factorial.factors.items() for level in levels[1:]]
    pairs = [one | other for one, other in combinations(changed, 2) if one.keys() != other.keys()]
    found = []
    for changes in (*changed, *pairs):
        settings = _settings(factorial, changes)
        num_all = math.prod(len(levels) for name, levels in factorial.factors.items() if name not in changes)
        spread = factorial.contrast(average(settings)) if settings else Spread(math.nan, math.nan, math.nan)
        found.append(
            Effect(
                spread=spread,
                p_corrected=math.nan,
                changes=changes,
                num_settings=len(settings),
                all_settings=num_all,
                is_higher_better=is_higher_better,
                num_seeds=factorial.fewest_seeds,
            )
        )
    return corrected(found, None, margin)


def _settings(factorial: Factorial, changes: Mapping[str, tuple[str, str]]) -> list[Weights]:
    """The contrast of some changes in each setting of the other factors that has all of its cells.

    Of one factor it is what the change adds; of two, how much more it adds where the other is changed too.
    """
    signed = [((old, -1.0), (new, 1.0)) for old, new in changes.values()]
    patterns = {
        tuple(level for level, _ in chosen): math.prod(sign for _, sign in chosen) for chosen in product(*signed)
    }
    return matched(factorial, tuple(changes), patterns)


def matched(factorial: Factorial, names: Sequence[str], patterns: Mapping[Key, float]) -> list[Weights]:
    """Weighted levels of the named factors, in each setting of the others that has all of these cells."""
    others = {name: levels for name, levels in factorial.factors.items() if name not in names}
    found = []
    for setting in product(*others.values()):
        cells = {}
        for levels, weight in patterns.items():
            at = dict(zip((*names, *others), (*levels, *setting), strict=True))
            cells[tuple(at[name] for name in factorial.factors)] = weight
        if cells.keys() <= factorial.scores.keys():
            found.append(cells)
    return found


def average(settings: Sequence[Weights]) -> Weights:
    """Contrasts of different cells as their mean."""
    return {key: weight / len(settings) for cells in settings for key, weight in cells.items()}


@dataclass(frozen=True)
class LevelMean:
    """The mean of the cells of a level, and how far it is from the mean over the levels of its factor."""

    factor: str
    level: str
    mean: float
    distance: Spread


def level_means(factorial: Factorial) -> list[LevelMean]:
    """Each level of each factor, over those settings of the other factors that have all levels; NaN without any."""
    found = []
    for factor, levels in factorial.factors.items():
        for level in levels:
            own = average(matched(factorial, [factor], {(name,): float(name == level) for name in levels}))
            centred: dict[Key, float] = {(name,): (name == level) - 1 / len(levels) for name in levels}
            distance = average(matched(factorial, [factor], centred))
            mean = sum(weight * factorial.means[key] for key, weight in own.items())
            known = bool(own)
            spread = factorial.contrast(distance) if known else Spread(math.nan, math.nan, math.nan)
            found.append(LevelMean(factor, level, float(mean) if known else math.nan, spread))
    return found


def shares_of_variance(factorial: Factorial) -> dict[tuple[str, ...], float]:
    """How much of the variance between the means of all cells each factor, and each pair beyond both, makes; percent.

    What is left, of three factors or more together, is under (). Nothing where a cell is missing or all are equal.
    """
    if factorial.missing:
        return {}
    names = list(factorial.factors)
    means = np.array([factorial.means[key] for key in factorial.keys])
    means = means.reshape([len(levels) for levels in factorial.factors.values()])
    means = means - means.mean()
    total = float((means**2).mean())
    if not total:
        return {}
    places = range(len(names))

    def marginal(*kept: int) -> Floats:
        return means.mean(axis=tuple(place for place in places if place not in kept), keepdims=True)

    found: dict[tuple[str, ...], float] = {(names[place],): float((marginal(place) ** 2).mean()) for place in places}
    for a, b in combinations(places, 2):
        found[names[a], names[b]] = float(((marginal(a, b) - marginal(a) - marginal(b)) ** 2).mean())
    shares = {own: 100 * part / total for own, part in found.items()}
    return {**shares, (): max(0.0, 100 - sum(shares.values()))} if len(names) > 2 else shares


@dataclass(frozen=True)
class Breakdown:
    """The difference of the cell of all last levels less that of all first ones, and each factor's share of it.

    `alone` is what a factor's change adds to the first of the two cells, `at_last` to the second without it.
    """

    total: Spread
    shares: tuple[Effect, ...]
    alone: tuple[float, ...]
    at_last: tuple[float, ...]


def break_down(factorial: Factorial, *, is_higher_better: bool = True, margin: float | None = None) -> Breakdown | None:
    """The Shapley values of the factors (Shapley 1953), whose sum is the difference; None where a cell is missing.

    Each is what a factor's change adds, averaged over all orders in which the factors may be changed.
    """
    changes = {factor: (levels[0], levels[-1]) for factor, levels in factorial.factors.items()}
    weights = {factor: shapley(changes, factor) for factor in changes}
    if not all(own.keys() <= factorial.scores.keys() for own in weights.values()):
        return None

    def mean(changed: Sequence[str]) -> float:
        return factorial.means[_corner(changes, changed)]

    every = list(changes)
    shares = [
        Effect(
            spread=factorial.contrast(own),
            p_corrected=math.nan,
            changes={factor: changes[factor]},
            is_higher_better=is_higher_better,
            num_seeds=factorial.fewest_seeds,
        )
        for factor, own in weights.items()
    ]
    total = factorial.contrast({_corner(changes, every): 1.0, _corner(changes, ()): -1.0})
    alone = tuple(mean([factor]) - mean(()) for factor in changes)
    at_last = tuple(mean(every) - mean([name for name in changes if name != factor]) for factor in changes)
    return Breakdown(total, tuple(corrected(shares, None, margin)), alone, at_last)


def shapley(changes: Mapping[str, tuple[str, str]], factor: str) -> Weights:
    """The weights of the corners in a factor's Shapley value; `changes` are the two levels of every factor."""
    others = [name for name in changes if name != factor]
    weights: Weights = {}
    for size in range(len(changes)):
        share = 1 / (len(changes) * math.comb(len(others), size))
        for changed in combinations(others, size):
            weights[_corner(changes, (*changed, factor))] = share
            weights[_corner(changes, changed)] = -share
    return weights


def _corner(changes: Mapping[str, tuple[str, str]], changed: Sequence[str]) -> Key:
    """The cell in which some of the factors are changed."""
    return tuple(levels[name in changed] for name, levels in changes.items())
