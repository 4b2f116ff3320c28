"""Mentions and clusters of a document, and the order in which scorer.pl meets them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar, cast

from atinuke_bench.data.conll.spans import in_order_of_meeting

#: First and last word of a mention in its document.
Span = tuple[int, int]
Clusters = list[list[Span]]
#: What is counted: clusters of anything hashable.
Clustering = Iterable[Iterable[Hashable]]
Mention = TypeVar("Mention", bound=Hashable)


def as_spans(clusters: Iterable[Iterable[Sequence[int]]]) -> Clusters:
    """Clusters from plain data, in which a mention is a list.

    >>> as_spans([[[0, 1], [4, 4]]])
    [[(0, 1), (4, 4)]]
    """
    return [[(start, end) for start, end in cluster] for cluster in clusters]


def in_scorer_order(clusters: Clustering) -> list[list[Hashable]]:
    """The clusters that are not empty; where mentions are spans, in the order in which scorer.pl meets them in a file.

    The scorer adds fractions one by one and cuts the printed digits off, so that on small documents the order of the
    additions shows in the second decimal; and of several clusters with the same mention, the last counts. It meets a
    mention where it closes (the inner one first), a cluster where its first mention opens (one-word mentions first),
    and clusters that open at one word in the order of the cell, which is the order in which they are given here.
    """
    listed = [list(cluster) for cluster in clusters]
    if not all(_is_span(mention) for cluster in listed for mention in cluster):
        return [cluster for cluster in listed if cluster]
    spans = in_order_of_meeting(sorted(cluster) for cluster in cast(Clusters, listed) if cluster)
    ordered = [sorted(cluster, key=lambda span: (span[1], -span[0])) for cluster in spans]
    return cast(list[list[Hashable]], ordered)


def cluster_by_mention(clusters: Iterable[Iterable[Mention]]) -> dict[Mention, int]:
    """The number of each mention's cluster, of several the last, as scorer.pl looks a mention up.

    >>> cluster_by_mention([["a", "b"], ["b"]])
    {'a': 0, 'b': 1}
    """
    return {mention: number for number, cluster in enumerate(clusters) for mention in cluster}


def _is_span(mention: Hashable) -> bool:
    return isinstance(mention, tuple) and len(mention) == 2 and all(isinstance(place, int) for place in mention)
