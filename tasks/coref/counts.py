"""Numerators and denominators of the coreference metrics on one document, as scorer.pl v8.01 counts them.

K key clusters, R response clusters. All that the metrics need of two clusterings is in an `Overlap`.

Mentions that only one side has (twinless mentions) need no repair: they are in no cell of the overlap and count in
the denominators of their side (Pradhan et al. 2014, ACL, "Scoring coreference partitions of predicted mentions").
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from atinuke_bench.tasks.coref.clusters import Clustering, distinct, in_scorer_order


class Counts(NamedTuple):
    """Numerator and denominator of recall and of precision; counts of several documents are summed field by field."""

    recall_num: float = 0
    recall_den: float = 0
    precision_num: float = 0
    precision_den: float = 0

    def plus(self, other: Counts) -> Counts:
        """The field-by-field sum.

        >>> Counts(1, 2, 1, 4).plus(Counts(1, 1, 1, 1))
        Counts(recall_num=2, recall_den=3, precision_num=2, precision_den=5)
        """
        return Counts(*(ours + theirs for ours, theirs in zip(self, other, strict=True)))


@dataclass(frozen=True)
class Overlap:
    """Which mentions the clusters of a key and a response share.

    `placed[r]` holds, for each mention of response cluster r, the index of its key cluster or None when the key lacks
    it. `shared[k, r]` is the number of mentions that both clusters hold; pairs that share none are absent.
    """

    key_sizes: tuple[int, ...]  # [K]
    placed: tuple[tuple[int | None, ...], ...]  # [R][mentions of r]
    shared: Mapping[tuple[int, int], int]

    @property
    def response_sizes(self) -> tuple[int, ...]:
        return tuple(map(len, self.placed))

    @property
    def num_shared(self) -> int:
        return sum(self.shared.values())


def overlap_of(key: Clustering, response: Clustering, *, name: Hashable = "") -> Overlap:
    """The overlap of two clusterings of one document, called `name` in errors; empty clusters are ignored.

    Raises DataError when a mention occurs twice on one side.

    >>> overlap_of([["a", "b"], ["c"]], [["a", "b", "x"]]).shared
    {(0, 0): 2}
    """
    key_clusters = in_scorer_order(distinct(key, "key", name))
    response_clusters = in_scorer_order(distinct(response, "response", name))
    key_cluster_of = {mention: index for index, cluster in enumerate(key_clusters) for mention in cluster}
    placed = tuple(tuple(key_cluster_of.get(mention) for mention in cluster) for cluster in response_clusters)
    shared = Counter((k, r) for r, key_indices in enumerate(placed) for k in key_indices if k is not None)
    return Overlap(tuple(map(len, key_clusters)), placed, dict(shared))


def mentions(overlap: Overlap) -> Counts:
    """Mention detection: exact spans in any cluster, singletons included."""
    return Counts(overlap.num_shared, sum(overlap.key_sizes), overlap.num_shared, sum(overlap.response_sizes))


def muc(overlap: Overlap) -> Counts:
    """MUC counts the links of a spanning tree of each cluster (Vilain et al. 1995); singletons have none."""
    num_correct = overlap.num_shared - len(overlap.shared)
    num_key = sum(size - 1 for size in overlap.key_sizes)
    num_response = sum(size - 1 for size in overlap.response_sizes)
    return Counts(num_correct, num_key, num_correct, num_response)


def b_cubed(overlap: Overlap) -> Counts:
    """B-cubed: the share of each mention's cluster that is right, over mentions (Bagga and Baldwin 1998)."""
    recall = precision = 0.0
    for r, key_indices in enumerate(overlap.placed):
        for k in key_indices:
            if k is not None:
                recall += overlap.shared[k, r] / overlap.key_sizes[k]
                precision += overlap.shared[k, r] / len(key_indices)
    return Counts(recall, sum(overlap.key_sizes), precision, sum(overlap.response_sizes))


def ceaf_m(overlap: Overlap) -> Counts:
    """CEAF over mentions: shared mentions under the best one-to-one alignment of clusters (Luo 2005, phi 3)."""
    similarity = np.zeros((len(overlap.key_sizes), len(overlap.placed)))  # [K, R]
    for (k, r), num_shared in overlap.shared.items():
        similarity[k, r] = num_shared
    best = int(sum(_aligned(similarity)))
    return Counts(best, sum(overlap.key_sizes), best, sum(overlap.response_sizes))


def ceaf_e(overlap: Overlap) -> Counts:
    """CEAF over entities: the Dice coefficients of aligned clusters, over clusters (Luo 2005, phi 4)."""
    similarity = np.zeros((len(overlap.key_sizes), len(overlap.placed)))  # [K, R]
    for (k, r), num_shared in overlap.shared.items():
        similarity[k, r] = 2 * num_shared / (overlap.key_sizes[k] + len(overlap.placed[r]))
    # 1 - (1 - x) is what scorer.pl adds up, since it minimises 1 - x; the last bit differs from x.
    best = sum(1 - (1 - value) for value in _aligned(similarity))
    return Counts(best, len(overlap.key_sizes), best, len(overlap.placed))


def _aligned(similarity: np.ndarray) -> list[float]:
    """The similarities chosen by the best one-to-one alignment of rows and columns, in the order of the rows."""
    rows, columns = linear_sum_assignment(1 - similarity)
    return similarity[rows, columns].tolist()


def blanc(overlap: Overlap) -> tuple[Counts, Counts]:
    """BLANC: the coreferent pairs of mentions, and the pairs that do not corefer (Luo et al. 2014).

    scorer.pl sums both kinds of pairs over documents, and only then takes the mean of the two F1.
    """
    shared_of_key: Counter[int] = Counter()
    shared_of_response: Counter[int] = Counter()
    for (k, r), num_shared in overlap.shared.items():
        shared_of_key[k] += num_shared
        shared_of_response[r] += num_shared
    together = _pairs(overlap.shared.values())
    # Pairs of shared mentions less those that corefer in the key or in the response, by inclusion and exclusion.
    apart = (
        comb(overlap.num_shared, 2) - _pairs(shared_of_key.values()) - _pairs(shared_of_response.values()) + together
    )
    key_links, response_links = _pairs(overlap.key_sizes), _pairs(overlap.response_sizes)
    key_others = comb(sum(overlap.key_sizes), 2) - key_links
    response_others = comb(sum(overlap.response_sizes), 2) - response_links
    return Counts(together, key_links, together, response_links), Counts(apart, key_others, apart, response_others)


def _pairs(sizes: Iterable[int]) -> int:
    return sum(comb(size, 2) for size in sizes)


def lea(overlap: Overlap) -> Counts:
    """LEA: the share of each cluster's links that is found, weighted by its size (Moosavi and Strube 2016).

    A singleton has one link, to itself, found when the other side has the same singleton.
    """
    key_sizes, response_sizes = overlap.key_sizes, overlap.response_sizes
    key_links, response_links = [0] * len(key_sizes), [0] * len(response_sizes)
    for (k, r), num_shared in overlap.shared.items():
        both_single = key_sizes[k] == response_sizes[r] == 1
        num_links = 1 if both_single else comb(num_shared, 2)
        key_links[k] += num_links
        response_links[r] += num_links
    recall, precision = _resolved(key_sizes, key_links), _resolved(response_sizes, response_links)
    return Counts(recall, sum(key_sizes), precision, sum(response_sizes))


def _resolved(sizes: Sequence[int], links: Sequence[int]) -> float:
    return sum((found / (comb(size, 2) or 1) * size for size, found in zip(sizes, links, strict=True)), start=0.0)
