"""Sums of independent variances, with the degrees of freedom of what they add up to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from atinuke_bench.metrics.metric import Floats

from .spread import Spread


@dataclass(frozen=True)
class Term:
    """A part of a variance; `observed` is what its doubt is proportional to, with so many degrees of freedom."""

    variance: float
    observed: float
    freedom: float


def pooled(variances: Floats, observed: Floats, freedom: Sequence[float]) -> Term:
    """Independent terms as one, whose sum alone is cut off at 0; see `combined`."""
    total = float(observed.sum())
    doubt = float((observed**2 / (np.array(freedom) + 2)).sum())
    own = total**2 / doubt - 2 if doubt else 0.0
    return Term(float(variances.sum()), total, min(max(own, *freedom), sum(freedom)))


def combined(value: float, terms: Sequence[Term], bias: float) -> Spread:
    """A figure whose variance is a sum of terms.

    Degrees of freedom are Satterthwaite's; a bias of 2 takes off theirs: the square of an estimated variance with f of
    them is 1 + 2/f times too large, 3 times with two seeds, which would make intervals over many tasks too wide.
    """
    total = sum(max(0.0, term.variance) for term in terms)
    doubt = sum(term.observed**2 / (term.freedom + bias) for term in terms)
    if not doubt or not total:
        return Spread(value, math.sqrt(total), math.inf)
    return Spread(value, math.sqrt(total), max(total**2 / doubt - bias, min(term.freedom for term in terms)))
