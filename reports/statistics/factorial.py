"""The cells of a factorial and the errors of contrasts between them.

Letters: K cells, S seeds, R resamples.

A cell is one level of each factor; the first level of a factor is what its others are compared with. What factors are
worth (`attribution.py`) are sums of cell means with weights that add up to 0, so that one error serves all of them:

    var(sum of w m) = var_bootstrap(sum of w m) * N/(N-1) + sum of w^2 v / S

with v the variance between the seeds of a cell that is its own, beyond what the resampling of units explains. Where all
cells have the same seeds, the luck of a seed may be common to all cells. It drops out of every contrast, and so it is
taken out of v: each seed's mean over the cells is subtracted, and Grubbs' (1948) estimators give the variance of each
cell from what is left. Elsewhere seeds are taken as independent, which is too careful where they are not. Luck that
only the cells of one level have in common is not told from that of each cell, so that the interval of this factor's
effect is too narrow. The parts of the cells are added up before the sum is cut off at 0, and degrees of freedom are
those of such sums (`variances.py`).

`benchmarks/attribution_coverage.py` simulates it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

import numpy as np

from atinuke_bench.metrics.metric import Floats

from .spread import Scores, Spread, sources, unit_variance
from .variances import Term, combined, pooled

#: A cell of a factorial: a level of each factor, in the order of the factors.
Key = tuple[str, ...]
#: How much each cell counts in a contrast; cells that are left out count nothing.
Weights = dict[Key, float]


@dataclass(frozen=True)
class Factorial:
    """The scores of cells, by a level of each factor; of `factors`, the levels in order. Cells may be missing.

    `shares_seeds` says that the runs of all cells have the same seeds, in the same order.
    """

    factors: Mapping[str, tuple[str, ...]]
    scores: Mapping[Key, Scores]
    shares_seeds: bool = False

    @cached_property
    def keys(self) -> tuple[Key, ...]:
        """All cells that the factors have, the last factor's levels changing first."""
        return tuple(product(*self.factors.values()))

    @cached_property
    def missing(self) -> tuple[Key, ...]:
        return tuple(key for key in self.keys if key not in self.scores)

    @cached_property
    def fewest_seeds(self) -> int:
        """Seeds of the cell that has the fewest, of those whose scores depend on them."""
        return min((len(scores.observed) for scores in self.scores.values() if not scores.is_fixed), default=0)

    @cached_property
    def means(self) -> dict[Key, float]:
        """The mean over seeds of each cell."""
        return {key: float(scores.observed.mean()) for key, scores in self.scores.items()}

    def contrast(self, weights: Mapping[Key, float]) -> Spread:
        """A sum of cell means whose weights add up to 0; error NaN where a cell has one seed or no predictions."""
        used = {key: weight for key, weight in weights.items() if weight}
        value = sum(weight * self.means[key] for key, weight in used.items())
        units = unit_variance([(self._over_seeds[key], weight) for key, weight in used.items()])
        if units is None or any(self._of_seeds[key] is None for key in used):
            return Spread(value, math.nan, math.nan)
        known = [(weight**2, term) for key, weight in used.items() if (term := self._of_seeds[key]) is not None]
        left, seen = (
            np.array([share * getattr(term, name) for share, term in known]) for name in ("variance", "observed")
        )
        seeds = pooled(left, seen, [term.freedom for _, term in known])
        if seeds.variance <= 0:  # cut off; its doubt would make intervals too wide where seeds hardly differ
            seeds = Term(0.0, 0.0, seeds.freedom)
        of_units, freedom = units
        return combined(value, [Term(of_units, of_units, freedom), seeds], 2.0)

    @cached_property
    def _over_seeds(self) -> dict[Key, Scores]:
        """The mean over seeds of each cell, also where it is resampled: what units make of a contrast."""
        return {
            key: replace(
                own,
                observed=np.array([self.means[key]]),
                resampled=None if own.resampled is None else own.resampled.mean(axis=1, keepdims=True),
            )
            for key, own in self.scores.items()
        }

    @cached_property
    def _of_seeds(self) -> dict[Key, Term | None]:
        """The variance of each cell's mean that is due to its own seeds; None where it cannot be known."""
        if not self.shares_seeds or len(self.scores) < 2:
            return {key: _own_seeds(scores) for key, scores in self.scores.items()}
        return dict(zip(self.scores, _crossed_seeds(list(self.scores.values())), strict=True))


def _own_seeds(scores: Scores) -> Term | None:
    found = sources([(scores, 1.0)])
    if found is None or not found.of_seeds:
        return None
    left, seen, num_seeds = found.of_seeds[0]
    return Term(left / num_seeds, seen / num_seeds, num_seeds - 1.0)


def _crossed_seeds(cells: Sequence[Scores]) -> list[Term | None]:
    """As `_own_seeds`, without the luck that a seed has in all K cells alike."""
    resampled = [scores.resampled for scores in cells if scores.resampled is not None]
    num_cells = len(cells)
    if len(resampled) < num_cells:
        return [None] * num_cells
    shared, shared_resampled = np.mean([own.observed for own in cells], axis=0), np.mean(resampled, axis=0)
    apart = [
        _own_seeds(Scores(own.observed - shared, drawn - shared_resampled, own.num_units))
        for own, drawn in zip(cells, resampled, strict=True)
    ]
    known = [term for term in apart if term is not None]
    if len(known) < num_cells:
        return [None] * num_cells
    left, seen = (_grubbs(np.array([getattr(term, name) for term in known])) for name in ("variance", "observed"))
    share = (num_cells - 1) / num_cells
    return [Term(float(left[place]), float(seen[place]), share * term.freedom) for place, term in enumerate(known)]


def _grubbs(apart: Floats) -> Floats:
    """The variance of each of K cells, from the variances of their distances from the mean of all: [K] -> [K]."""
    num = len(apart)
    total = apart.sum() * num / (num - 1)
    return (apart - total / num**2) * num / (num - 2) if num > 2 else np.full(num, total / num)
