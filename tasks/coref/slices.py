"""Scores of coreference by type of mention, and by the distance from a mention back to its antecedent in sentences.

Counts are made of one document at a time and summed with `plus`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

from datasets import Dataset

from atinuke_bench.metrics.metric import Answers, Measured
from atinuke_bench.tasks.coref.clusters import Clustering, Clusters, Span, cluster_by_mention
from atinuke_bench.tasks.coref.counts import Counts
from atinuke_bench.tasks.coref.lexicon import mention_type
from atinuke_bench.tasks.coref.scorer import score_of
from atinuke_bench.training.task import Slices

#: Sentences between a mention and its antecedent: the largest distance of each label but the last.
DISTANCE_LIMITS = (0, 1, 3, 7)
DISTANCES = ("0", "1", "2-3", "4-7", "8+")


class TypeCounts(NamedTuple):
    """Mention detection and B-cubed, over mentions of one type."""

    mentions: Counts = Counts()
    bcub: Counts = Counts()

    def plus(self, other: TypeCounts) -> TypeCounts:
        return TypeCounts(self.mentions.plus(other.mentions), self.bcub.plus(other.bcub))

    def figures(self) -> dict[str, float | None]:
        mentions, bcub = score_of(self.mentions), score_of(self.bcub)
        return {
            "mention_recall": mentions.recall,
            "mention_precision": mentions.precision,
            "mention_f1": mentions.f1,
            "bcub_f1": bcub.f1,
            "num": int(self.mentions.recall_den),
        }


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


def by_type_and_distance(examples: Dataset, answers: Answers, measured: Measured) -> Slices:
    """Detection and B-cubed by mention type, recall and precision of links by distance; `num` counts the gold side."""
    types: dict[str, TypeCounts] = {}
    recalled = dict.fromkeys(DISTANCES, LinkCounts())
    precise = dict.fromkeys(DISTANCES, LinkCounts())
    for example, gold, found in zip(examples, answers.gold, answers.predicted, strict=True):
        for name, counts in by_mention_type(gold, found, _typer(example)).items():
            types[name] = types.get(name, TypeCounts()).plus(counts)
        starts = list(accumulate(example["sentence_lengths"], initial=0))[:-1]
        for summed, one, other in ((recalled, gold, found), (precise, found, gold)):
            for distance, links in by_antecedent_distance(one, other, starts).items():
                summed[distance] = summed[distance].plus(links)
    return {
        "mention type": {name: counts.figures() for name, counts in sorted(types.items())},
        "antecedent distance in sentences": {
            name: {
                "recall": recalled[name].recall,
                "precision": precise[name].recall,
                "num": recalled[name].num_links,
            }
            for name in DISTANCES
        },
    }


def _typer(example: Mapping[str, Any]) -> Callable[[Span], str]:
    words, tags = example["words"], example["pos"]
    return lambda span: mention_type(words[span[0] : span[1] + 1], tags[span[0] : span[1] + 1])


def by_mention_type(key: Clustering, response: Clustering, type_of: Callable[[Any], str]) -> dict[str, TypeCounts]:
    """Counts by mention type, for the types that occur on either side, sorted by name.

    B-cubed is a mean over mentions, so the counts of the types add up to the counts of the whole document. A mention of
    several clusters is in the last of them alone.

    >>> types = {(0, 0): "name", (2, 2): "pronoun", (4, 5): "nominal"}
    >>> by_mention_type([[(0, 0), (2, 2)]], [[(0, 0), (2, 2), (4, 5)]], types.get)["pronoun"].mentions.recall_num
    1
    """
    cluster_in_key, cluster_in_response = _members_by_mention(key), _members_by_mention(response)
    counts: dict[str, TypeCounts] = {}
    for mention in dict.fromkeys((*cluster_in_key, *cluster_in_response)):
        ours = cluster_in_key.get(mention, frozenset())
        theirs = cluster_in_response.get(mention, frozenset())
        in_key, in_response, num_shared = int(bool(ours)), int(bool(theirs)), len(ours & theirs)
        both = in_key * in_response
        found = Counts(both, in_key, both, in_response)
        bcub = Counts(num_shared / (len(ours) or 1), in_key, num_shared / (len(theirs) or 1), in_response)
        type_ = type_of(mention)
        counts[type_] = counts.get(type_, TypeCounts()).plus(TypeCounts(found, bcub))
    return dict(sorted(counts.items()))


def _members_by_mention(clusters: Clustering) -> dict[Hashable, frozenset[Hashable]]:
    members: dict[int, set[Hashable]] = {}
    number_of = cluster_by_mention(clusters)
    for mention, number in number_of.items():
        members.setdefault(number, set()).add(mention)
    frozen = {number: frozenset(mentions) for number, mentions in members.items()}
    return {mention: frozen[number] for mention, number in number_of.items()}


def by_antecedent_distance(key: Clusters, response: Clusters, sentence_starts: Sequence[int]) -> dict[str, LinkCounts]:
    """Links of the key found in the response, by the number of sentences from the mention back to its antecedent.

    Every mention but the first of its cluster has one link, to the nearest mention before it (by start, then end, of
    its span); the link is found when one response cluster has both. With key and response exchanged the "recall" is
    the precision of the response's links. `sentence_starts` is the position of each sentence's first word. A response
    mention of several clusters is in the last of them alone.

    >>> by_antecedent_distance([[(0, 0), (2, 2), (9, 9)]], [[(0, 0), (2, 2)]], [0, 4, 8])["0"].recall
    100.0
    """
    found_in = cluster_by_mention(response)
    counts = dict.fromkeys(DISTANCES, LinkCounts())
    for cluster in key:
        for antecedent, mention in pairwise(sorted(set(cluster))):
            num_apart = _sentence(mention, sentence_starts) - _sentence(antecedent, sentence_starts)
            found = mention in found_in and found_in[mention] == found_in.get(antecedent)
            label = sentence_distance_label(num_apart)
            counts[label] = counts[label].plus(LinkCounts(1, int(found)))
    return counts


def sentence_distance_label(num_sentences: int) -> str:
    """The label of a distance in sentences, 0 being the same sentence.

    >>> [sentence_distance_label(distance) for distance in (0, 1, 2, 7, 8)]
    ['0', '1', '2-3', '4-7', '8+']
    """
    for limit, label in zip(DISTANCE_LIMITS, DISTANCES, strict=False):
        if num_sentences <= limit:
            return label
    return DISTANCES[-1]


def _sentence(span: Span, sentence_starts: Sequence[int]) -> int:
    return bisect_right(sentence_starts, span[0]) - 1
