"""From the scores of candidates and links to clusters.

Letters: K candidates (padding included), A antecedents of each.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from atinuke_bench.tasks.coref.clusters import Clusters


class Scored(NamedTuple):
    """What the module gives of one document; candidates are ordered by start and end."""

    starts: np.ndarray  # (K,) -1 in padding
    ends: np.ndarray  # (K,)
    mention_score: np.ndarray  # (K,) log-odds of being a mention
    antecedent: np.ndarray  # (K, A) candidate numbers
    link_score: np.ndarray  # (K, A) against 0 for no link


def decode_clusters(scored: Scored, *, keep_singletons: bool) -> Clusters:
    """Clusters of a document, ordered by their first mention.

    A candidate is a mention when its own score is above 0 or a link with it is. Of mentions that cross, the one with
    the better score stays, since mentions nest; each then joins its best antecedent with a score above 0.

    >>> scored = Scored(
    ...     np.array([0, 4, 8]), np.array([1, 4, 9]), np.array([2.0, -0.5, 1.0]),
    ...     np.array([[0], [0], [0]]), np.array([[-9.0], [3.0], [-1.0]]),
    ... )
    >>> decode_clusters(scored, keep_singletons=True)
    [[(0, 1), (4, 4)], [(8, 9)]]
    >>> decode_clusters(scored, keep_singletons=False)
    [[(0, 1), (4, 4)]]
    """
    real = scored.starts >= 0
    starts, ends = scored.starts.astype(int), scored.ends.astype(int)
    antecedents = scored.antecedent.astype(int)
    links = np.where(real[:, None], scored.link_score, -np.inf)
    is_mention = real & (scored.mention_score > 0)
    anaphors, places = np.nonzero(links > 0)
    is_mention[anaphors] = True
    is_mention[antecedents[anaphors, places]] = True
    is_mention = drop_crossing(starts, ends, scored.mention_score, is_mention)

    cluster_of: dict[int, list[int]] = {}
    for number in np.flatnonzero(is_mention).tolist():
        usable = np.where(is_mention[antecedents[number]], links[number], -np.inf)
        best = int(usable.argmax()) if len(usable) else 0
        if len(usable) and usable[best] > 0:
            cluster = cluster_of[int(antecedents[number, best])]
            cluster.append(number)
            cluster_of[number] = cluster
        else:
            cluster_of[number] = [number]
    unique = {id(cluster): cluster for cluster in cluster_of.values()}.values()
    keep_single = scored.mention_score > 0 if keep_singletons else np.zeros(len(starts), dtype=bool)
    return [
        [(int(starts[number]), int(ends[number])) for number in cluster]
        for cluster in unique
        if len(cluster) > 1 or keep_single[cluster[0]]
    ]


def drop_crossing(starts: np.ndarray, ends: np.ndarray, scores: np.ndarray, is_mention: np.ndarray) -> np.ndarray:
    """`is_mention` without those that cross a mention of a better score.

    >>> starts, ends, scores = np.array([0, 2, 2]), np.array([3, 5, 3]), np.array([1.0, 2.0, 0.5])
    >>> drop_crossing(starts, ends, scores, np.array([True, True, True])).tolist()
    [False, True, True]
    """
    kept = np.zeros_like(is_mention)
    farthest: dict[int, int] = {}  # start -> last end of the kept mentions that begin there
    nearest: dict[int, int] = {}  # end -> first start of those that end there
    order = sorted(np.flatnonzero(is_mention).tolist(), key=lambda number: (-scores[number], number))
    for number in order:
        start, end = int(starts[number]), int(ends[number])
        crosses = any(farthest.get(place, -1) > end for place in range(start + 1, end + 1)) or any(
            nearest.get(place, start) < start for place in range(start, end)
        )
        if not crosses:
            kept[number] = True
            farthest[start] = max(end, farthest.get(start, -1))
            nearest[end] = min(start, nearest.get(end, start))
    return kept
