"""What each member of a test set adds to its figure, so that two cores' figures can be compared member by member."""

from __future__ import annotations

import numpy as np

from atinuke_bench.metrics.metric import Floats, Sample, SumSample
from atinuke_bench.metrics.units import WEIGHTS_AT_ONCE

#: A figure that is no function of sums is computed anew without each member, which takes the square of their number.
MOST_RANKED = 3000


def contributions(sample: Sample) -> Floats | None:
    """One number a member of a sample [N], whose mean is the figure, up to what the jackknife corrects.

    They are the jackknife's pseudo-values (Tukey 1958): N times the figure, less N - 1 times the figure without the
    member. Of a mean they are the members' own values; of any other smooth figure their scatter is its sampling error.
    None where one cannot be computed, or the figure would take too long.

    >>> from atinuke_bench.metrics.metric import mean_sample
    >>> contributions(mean_sample(["a", "b", "c"], [1.0, 0.0, 0.5])).round(6).tolist()
    [100.0, 0.0, 50.0]
    """
    size = len(sample.units)
    if size < 2:
        return None
    whole = sample.value()
    if isinstance(sample, SumSample):
        without = sample.finish(sample.statistics.sum(axis=0) - sample.statistics)
    elif size > MOST_RANKED:
        return None
    else:
        step = max(1, WEIGHTS_AT_ONCE // size)
        parts = [_all_but(size, start, min(start + step, size)) for start in range(0, size, step)]
        without = np.concatenate([sample.values(weights) for weights in parts])
    values = size * whole - (size - 1) * without
    return values if np.isfinite(values).all() else None


def _all_but(size: int, start: int, stop: int) -> Floats:
    """Weights [stop - start, size] that leave out one member each."""
    weights = np.ones((stop - start, size))
    weights[np.arange(stop - start), np.arange(start, stop)] = 0.0
    return weights
