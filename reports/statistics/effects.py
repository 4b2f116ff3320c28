"""How large a difference is, in figures that need no test."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def probability_of_improvement(a: ArrayLike, b: ArrayLike) -> float:
    """Share of pairs of runs in which A scores higher, equals counting half (Agarwal et al. 2021).

    >>> probability_of_improvement([3.0, 1.0], [1.0, 2.0])
    0.625
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    signs = np.sign(a[:, None] - b[None, :])
    return float((signs + 1).mean() / 2)


def relative_change(ours: float, theirs: float) -> float:
    """Change in percent of the other's score; NaN when that is 0.

    >>> round(relative_change(85.8, 81.1), 1)
    5.8
    """
    return 100 * (ours - theirs) / abs(theirs) if theirs else float("nan")


def relative_error_reduction(ours: float, theirs: float, best: float = 100.0) -> float:
    """Percent of the other's distance from the best possible score that is gone; NaN when there is none.

    >>> round(relative_error_reduction(85.8, 81.1), 1)
    24.9
    """
    return 100 * (ours - theirs) / (best - theirs) if best != theirs else float("nan")
