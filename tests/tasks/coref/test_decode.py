"""From scores to clusters."""

from __future__ import annotations

import numpy as np

from atinuke_bench.tasks.coref.decode import Scored, decode_clusters


def test_mentions_that_cross_are_never_answered():
    draw = np.random.default_rng(0)
    spans = sorted(
        {(int(s), int(s + w)) for s, w in zip(draw.integers(0, 60, 80), draw.integers(0, 9, 80), strict=True)}
    )
    starts, ends = np.array(spans).T
    antecedent = np.maximum(np.arange(len(spans))[:, None] - np.arange(1, 6), 0)
    link_score = np.where(antecedent < np.arange(len(spans))[:, None], draw.normal(size=(len(spans), 5)), -1e4)
    clusters = decode_clusters(
        Scored(starts, ends, draw.normal(size=len(spans)), antecedent, link_score), keep_singletons=True
    )
    found = sorted(span for cluster in clusters for span in cluster)
    assert len(found) == len(set(found)) > 10
    assert not any(a[0] < b[0] <= a[1] < b[1] for a in found for b in found)
    assert clusters == sorted(clusters, key=lambda cluster: cluster[0])
