"""Holm's correction of p values."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from atinuke_bench.metrics.metric import Floats


def holm(p_values: ArrayLike, num_tests: int | None = None) -> Floats:
    """Holm's (1979) adjusted p values. NaN stays NaN.

    `num_tests` counts tests that could have been made, when more than are given: the others count as p = 1.

    >>> holm([0.01, 0.04, 0.03]).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    given = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(given.shape, np.nan)
    known = np.flatnonzero(np.isfinite(given))
    order = known[np.argsort(given[known], kind="stable")]
    total = max(num_tests or 0, len(order))
    factors = total - np.arange(len(order))
    adjusted[order] = np.minimum(np.maximum.accumulate(given[order] * factors), 1.0)
    return adjusted
