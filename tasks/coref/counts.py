"""Numerators and denominators of the coreference metrics on one document, as scorer.pl v8.01 counts them.

K key clusters, R response clusters. All that the metrics need of two clusterings is in an `Overlap`.

Mentions that only one side has (twinless mentions) need no repair: they are in no cell of the overlap and count in
the denominators of their side (Pradhan et al. 2014, ACL, "Scoring coreference partitions of predicted mentions").

A mention may be twice in one cluster or in two clusters. scorer.pl drops such a repeat from a response, but only where
the key has the mention. What is left has its part in the sizes of its clusters, and is looked up in the last of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import comb
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from atinuke_bench.errors import DataError
from atinuke_bench.tasks.coref.clusters import Clustering, in_scorer_order

#: scorer.pl refuses a response with more, as a sign of a systematic error or of manipulation.
MAX_REPEATS = 10
#: The clusters that hold a mention, one as often as it holds it.
Places = Mapping[Hashable, Sequence[int]]


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
    it. `shared[k, r]` is the number of mentions of k that r holds too, a repeat in k counted again, and `matched[k, r]`
    that of mentions of r that k holds; pairs that share none are absent. `repeats` were dropped from the response.
    """

    name: Hashable
    key_places: Places
    response_places: Places
    key_sizes: tuple[int, ...]  # [K]
    placed: tuple[tuple[int | None, ...], ...]  # [R][mentions of r]
    shared: Mapping[tuple[int, int], int]
    matched: Mapping[tuple[int, int], int]
    repeats: tuple[Hashable, ...] = ()

    @property
    def response_sizes(self) -> tuple[int, ...]:
        return tuple(map(len, self.placed))

    def placed_together(self) -> Counter[tuple[int, int]]:
        """How many mentions of response cluster r are placed in key cluster k, by (k, r)."""
        return Counter((k, r) for r, indices in enumerate(self.placed) for k in indices if k is not None)


def overlap_of(key: Clustering, response: Clustering, *, name: Hashable = "") -> Overlap:
    """The overlap of two clusterings of one document, called `name` in errors; empty clusters are ignored.

    >>> overlap_of([["a", "b"], ["c"]], [["a", "b", "x"]]).shared
    {(0, 0): 2}
    """
    key_clusters = in_scorer_order(key)
    key_places = _places(key_clusters)
    response_clusters, repeats = _without_repeats(in_scorer_order(response), key_places)
    placed = tuple(
        tuple(key_places[mention][-1] if mention in key_places else None for mention in cluster)
        for cluster in response_clusters
    )
    places = [(r, key_places.get(mention, ())) for r, cluster in enumerate(response_clusters) for mention in cluster]
    shared = Counter((k, r) for r, indices in places for k in indices)
    matched = Counter((k, r) for r, indices in places for k in set(indices))
    return Overlap(
        name,
        key_places,
        _places(response_clusters),
        tuple(map(len, key_clusters)),
        placed,
        dict(shared),
        dict(matched),
        tuple(repeats),
    )


def _places(clusters: Sequence[Sequence[Hashable]]) -> dict[Hashable, list[int]]:
    places: dict[Hashable, list[int]] = {}
    for number, cluster in enumerate(clusters):
        for mention in cluster:
            places.setdefault(mention, []).append(number)
    return places


def _without_repeats(
    response: Sequence[Sequence[Hashable]], key_places: Places
) -> tuple[list[list[Hashable]], list[Hashable]]:
    """The response's clusters with each mention of the key once, where it came first; and the repeats dropped."""
    kept: list[list[Hashable]] = []
    repeats: list[Hashable] = []
    seen: set[Hashable] = set()
    for cluster in response:
        kept.append([])
        for mention in cluster:
            if mention in seen and mention in key_places:
                repeats.append(mention)
            else:
                kept[-1].append(mention)
            seen.add(mention)
    return [cluster for cluster in kept if cluster], repeats


def require_few_repeats(overlaps: Iterable[Overlap], path: str | Path | None = None) -> int:
    """The number of repeats dropped from a response; DataError where scorer.pl refuses so many."""
    repeats = [(overlap.name, mention) for overlap in overlaps for mention in overlap.repeats]
    if len(repeats) > MAX_REPEATS:
        name, mention = repeats[0]
        problem = (
            f"scorer.pl drops up to {MAX_REPEATS} repeated mentions of a response; found {len(repeats)}, the first is "
            f"mention {mention!r} in document {name!r}"
        )
        raise DataError(problem, path=path)
    return len(repeats)


def mentions(overlap: Overlap) -> Counts:
    """Mention detection: exact spans in any cluster, singletons included."""
    num_found = len(overlap.key_places.keys() & overlap.response_places.keys())
    return Counts(num_found, len(overlap.key_places), num_found, len(overlap.response_places))


def muc(overlap: Overlap) -> Counts:
    """MUC counts the links of a spanning tree of each cluster (Vilain et al. 1995); singletons have none."""
    num_correct = sum(num_placed - 1 for num_placed in overlap.placed_together().values())
    num_key = sum(size - 1 for size in overlap.key_sizes)
    num_response = sum(size - 1 for size in overlap.response_sizes)
    return Counts(num_correct, num_key, num_correct, num_response)


def b_cubed(overlap: Overlap) -> Counts:
    """B-cubed: the share of each mention's cluster that is right, over mentions (Bagga and Baldwin 1998)."""
    recall = precision = 0.0
    for r, key_indices in enumerate(overlap.placed):
        for k in key_indices:
            if k is not None:
                recall += overlap.matched[k, r] / overlap.key_sizes[k]
                precision += overlap.matched[k, r] / len(key_indices)
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

    scorer.pl sums both kinds of pairs over documents, and only then takes the mean of the two F1. A mention of several
    clusters may corefer with another and also not; pairs with such a mention are looked at one by one.
    """
    sides = (overlap.key_places, overlap.response_places)
    repeated = list(dict.fromkeys(mention for places in sides for mention, at in places.items() if len(at) > 1))
    once = [{mention: at[0] for mention, at in places.items() if len(at) == 1} for places in sides]
    for mention in repeated:
        for numbers in once:
            numbers.pop(mention, None)
    coreferent, distinct = _pairs_of_single(*once)
    others = list(once[0] | once[1])
    for number, mention in enumerate(repeated):
        for other in (*others, *repeated[number:]):
            key, response = (_relations(places, mention, other) for places in sides)
            for counts, in_key, in_response in zip((coreferent, distinct), key, response, strict=True):
                counts += (in_key and in_response, in_key, in_response)
    return _counts_of_pairs(*coreferent.tolist()), _counts_of_pairs(*distinct.tolist())


def _counts_of_pairs(both: int, in_key: int, in_response: int) -> Counts:
    return Counts(both, in_key, both, in_response)


def _pairs_of_single(key: Mapping[Hashable, int], response: Mapping[Hashable, int]) -> tuple[np.ndarray, np.ndarray]:
    """Coreferent and other pairs of mentions that are in one cluster a side: of both sides, the key, the response."""
    shared = key.keys() & response.keys()
    together = _pairs(Counter((key[mention], response[mention]) for mention in shared).values())
    key_links, response_links = (_pairs(Counter(numbers.values()).values()) for numbers in (key, response))
    # Pairs of shared mentions less those that corefer in the key or in the response, by inclusion and exclusion.
    linked = sum(_pairs(Counter(numbers[mention] for mention in shared).values()) for numbers in (key, response))
    apart = comb(len(shared), 2) - linked + together
    others = [comb(len(key), 2) - key_links, comb(len(response), 2) - response_links]
    return np.array([together, key_links, response_links]), np.array([apart, *others])


def _relations(places: Places, mention: Hashable, other: Hashable) -> tuple[bool, bool]:
    """Whether a cluster holds both mentions, and whether two clusters hold one each."""
    ours, theirs = places.get(mention, ()), places.get(other, ())
    if mention == other:  # a pair only where it is there twice
        return len(set(ours)) < len(ours), len(set(ours)) > 1
    return not set(ours).isdisjoint(theirs), bool(ours and theirs) and len({*ours, *theirs}) > 1


def _pairs(sizes: Iterable[int]) -> int:
    return sum(comb(size, 2) for size in sizes)


def lea(overlap: Overlap) -> Counts:
    """LEA: the share of each cluster's links that is found, weighted by its size (Moosavi and Strube 2016).

    A singleton has one link, to itself, found when the other side has the same singleton.
    """
    key_sizes, response_sizes = overlap.key_sizes, overlap.response_sizes
    key_links, response_links = [0] * len(key_sizes), [0] * len(response_sizes)
    for (k, r), num_shared in overlap.shared.items():
        key_links[k] += int(response_sizes[r] == 1) if key_sizes[k] == 1 else comb(num_shared, 2)
    for (k, r), num_placed in overlap.placed_together().items():
        response_links[r] += int(key_sizes[k] == 1) if response_sizes[r] == 1 else comb(num_placed, 2)
    recall, precision = _resolved(key_sizes, key_links), _resolved(response_sizes, response_links)
    return Counts(recall, sum(key_sizes), precision, sum(response_sizes))


def _resolved(sizes: Sequence[int], links: Sequence[int]) -> float:
    return sum((found / (comb(size, 2) or 1) * size for size, found in zip(sizes, links, strict=True)), start=0.0)
