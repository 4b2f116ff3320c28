"""Mentions and clusters of a document, and the order in which scorer.pl meets them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import cast

from atinuke_bench.errors import DataError

#: First and last word of a mention in its document.
Span = tuple[int, int]
Clusters = list[list[Span]]
#: What is counted: clusters of anything hashable.
Clustering = Iterable[Iterable[Hashable]]


def as_spans(clusters: Iterable[Iterable[Sequence[int]]]) -> Clusters:
    """Clusters from plain data, in which a mention is a list.

    >>> as_spans([[[0, 1], [4, 4]]])
    [[(0, 1), (4, 4)]]
    """
    return [[(start, end) for start, end in cluster] for cluster in clusters]


def distinct(clusters: Clustering, side: str, name: Hashable = "") -> list[list[Hashable]]:
    """The non-empty clusters as lists; DataError when two mentions are the same."""
    listed = [list(cluster) for cluster in clusters]
    seen: dict[Hashable, int] = {}
    for index, cluster in enumerate(listed):
        for mention in cluster:
            if mention in seen:
                place = "in one cluster" if seen[mention] == index else "in two clusters"
                document = f"document {name!r}: " if name != "" else ""
                raise DataError(f"{document}mention {mention!r} occurs twice in the {side}, {place}")
            seen[mention] = index
    return [cluster for cluster in listed if cluster]


def in_scorer_order(clusters: list[list[Hashable]]) -> list[list[Hashable]]:
    """Span mentions in the order in which scorer.pl meets them in a file; other mentions stay as they are.

    The scorer adds fractions one by one and cuts the printed digits off, so that on small documents the order of the
    additions shows in the second decimal. It meets a mention where it closes (the inner one first), and a cluster
    where its first mention opens (one-word mentions first).
    """
    if not all(_is_span(mention) for cluster in clusters for mention in cluster):
        return clusters
    spans = cast(Clusters, clusters)
    ordered = [sorted(cluster, key=lambda span: (span[1], -span[0])) for cluster in spans]
    return cast(list[list[Hashable]], sorted(ordered, key=_first_opening))


def _is_span(mention: Hashable) -> bool:
    return isinstance(mention, tuple) and len(mention) == 2 and all(isinstance(place, int) for place in mention)


def _first_opening(spans: list[Span]) -> tuple[int, bool, int]:
    start = min(span[0] for span in spans)
    ends = [span[1] for span in spans if span[0] == start]
    return start, start not in ends, -max(ends)
