"""Slices of coreference scores: by type of mention, and by distance to the antecedent in sentences.

Pure functions of one document's clusters. What a mention's type or sentence is, the caller says, so that the rules
(`atinuke_bench.tasks.coref.floor.mention_type`) stay with the data. Counts of documents are summed with `plus`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Hashable, Sequence
from itertools import pairwise
from typing import NamedTuple

from atinuke_bench.tasks.coref.counts import Clusters, Counts, overlap_of

Span = tuple[int, int]

#: Sentences between a mention and its antecedent: the largest distance of each bucket but the last.
DISTANCE_LIMITS = (0, 1, 3, 7)
DISTANCES = ("0", "1", "2-3", "4-7", "8+")


class TypeCounts(NamedTuple):
    """Mention detection and B-cubed, over mentions of one type."""

    mentions: Counts = Counts()
    bcub: Counts = Counts()

    def plus(self, other: TypeCounts) -> TypeCounts:
        return TypeCounts(self.mentions.plus(other.mentions), self.bcub.plus(other.bcub))


class LinkCounts(NamedTuple):
    """How many links there are, and how many the other side has too."""

    num_links: int = 0
    num_found: int = 0

    def plus(self, other: LinkCounts) -> LinkCounts:
        return LinkCounts(self.num_links + other.num_links, self.num_found + other.num_found)

    @property
    def recall(self) -> float | None:
        """0 to 100; None when there are no links."""
        return 100 * self.num_found / self.num_links if self.num_links else None


def by_mention_type(key: Clusters, response: Clusters, type_of: Callable[[Hashable], str]) -> dict[str, TypeCounts]:
    """Counts by mention type, for the types that occur on either side, sorted by name.

    B-cubed is a mean over mentions, so the counts of the types add up to those of the whole document. Raises
    DataError when a mention occurs twice on one side.

    >>> types = {(0, 0): "name", (2, 2): "pronoun", (4, 5): "nominal"}
    >>> by_mention_type([[(0, 0), (2, 2)]], [[(0, 0), (2, 2), (4, 5)]], types.get)["pronoun"].mentions.recall_num
    1
    """
    key_clusters, response_clusters = _listed(key), _listed(response)
    overlap_of(key_clusters, response_clusters)  # refuses repeated mentions
    key_members, response_members = _members(key_clusters), _members(response_clusters)
    counts: dict[str, TypeCounts] = {}
    for mention in dict.fromkeys((*key_members, *response_members)):
        ours, theirs = key_members.get(mention, frozenset()), response_members.get(mention, frozenset())
        in_key, in_response, num_shared = int(bool(ours)), int(bool(theirs)), len(ours & theirs)
        both = in_key * in_response
        found = Counts(both, in_key, both, in_response)
        bcub = Counts(num_shared / (len(ours) or 1), in_key, num_shared / (len(theirs) or 1), in_response)
        type_ = type_of(mention)
        counts[type_] = counts.get(type_, TypeCounts()).plus(TypeCounts(found, bcub))
    return dict(sorted(counts.items()))


def by_antecedent_distance(key: Clusters, response: Clusters, sentence_starts: Sequence[int]) -> dict[str, LinkCounts]:
    """Links of the key found in the response, by the number of sentences from the mention back to its antecedent.

    Every mention but the first of its cluster has one link, to the nearest mention before it (by start, then end, of
    its span); the link is found when one response cluster has both. With key and response exchanged the "recall" is
    the precision of the response's links. `sentence_starts` is the position of each sentence's first word. Raises
    DataError when a mention occurs twice on one side.

    >>> by_antecedent_distance([[(0, 0), (2, 2), (9, 9)]], [[(0, 0), (2, 2)]], [0, 4, 8])["0"].recall
    100.0
    """
    key_clusters, response_clusters = _listed(key), _listed(response)
    overlap_of(key_clusters, response_clusters)  # refuses repeated mentions
    cluster_of = {mention: index for index, cluster in enumerate(response_clusters) for mention in cluster}
    counts = dict.fromkeys(DISTANCES, LinkCounts())
    for cluster in key_clusters:
        spans = sorted(cluster)
        for antecedent, mention in pairwise(spans):
            bucket = distance_bucket(_sentence(mention, sentence_starts) - _sentence(antecedent, sentence_starts))
            found = mention in cluster_of and cluster_of[mention] == cluster_of.get(antecedent)
            counts[bucket] = counts[bucket].plus(LinkCounts(1, int(found)))
    return counts


def distance_bucket(num_sentences: int) -> str:
    """The bucket of a distance in sentences, 0 being the same sentence.

    >>> [distance_bucket(distance) for distance in (0, 1, 2, 7, 8)]
    ['0', '1', '2-3', '4-7', '8+']
    """
    for limit, name in zip(DISTANCE_LIMITS, DISTANCES, strict=False):
        if num_sentences <= limit:
            return name
    return DISTANCES[-1]


def _listed(clusters: Clusters) -> list[list[Hashable]]:
    return [list(cluster) for cluster in clusters]


def _members(clusters: list[list[Hashable]]) -> dict[Hashable, frozenset[Hashable]]:
    """The cluster of each mention."""
    return {mention: members for members in map(frozenset, clusters) for mention in members}


def _sentence(span: Span, sentence_starts: Sequence[int]) -> int:
    return bisect_right(sentence_starts, span[0]) - 1
