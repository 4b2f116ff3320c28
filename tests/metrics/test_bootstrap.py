"""Figures of samples on resamples of their units."""

from __future__ import annotations

import numpy as np
import pytest

from atinuke_bench.metrics.bootstrap import draw_weights, resample_together
from atinuke_bench.metrics.metric import SumSample, mean_sample


@pytest.mark.parametrize("most", [4_000_000, 100])
def test_samples_drawn_together_have_the_figures_of_each_alone_to_the_bit(monkeypatch, most):
    monkeypatch.setattr("atinuke_bench.metrics.bootstrap.WEIGHTS_AT_ONCE", most)
    source = np.random.default_rng(3)
    ids = [str(n) for n in range(40)]

    def of(statistics):
        return SumSample(tuple(ids), statistics, lambda sums: np.sqrt(sums.prod(axis=1)))

    whole = [of(source.integers(0, 9, size=(40, width)).astype(float)) for width in (1, 2, 3, 2)]
    fractions = [
        of(source.random((40, 2))),
        of(np.full((40, 1), 2.0**52)),
        mean_sample(ids, source.random(40).tolist()),
    ]
    samples = [whole[0], fractions[0], *whole[1:], *fractions[1:]]
    together = resample_together(samples, 30, np.random.default_rng(1))
    alone = [resample_together([sample], 30, np.random.default_rng(1))[0] for sample in samples]
    assert np.array_equal(together, np.stack(alone))
    weights = draw_weights(40, 30, np.random.default_rng(1))
    if most > 1000:
        assert np.array_equal(together, np.stack([sample.values(weights) for sample in samples]))
