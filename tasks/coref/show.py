"""A document, and the mentions of its clusters, each cluster by a number."""

from __future__ import annotations

import json
from itertools import accumulate

from atinuke_bench.metrics.display import Display, Example, Field, ShownAnswer, Words
from atinuke_bench.tasks.coref.clusters import Clusters, Span, as_spans

DOCUMENT = "document"


class CorefDisplay(Display):
    """Right clusters are numbered from 1; one that is found has the number of the right one that it shares most with.

    One that shares no mention with any, or less than another one that is found, is named `+` and its first word's
    number.
    """

    def fields(self, example: Example) -> list[Field]:
        words = Words(example["words"])
        starts = words.starts
        firsts = list(accumulate(example["sentence_lengths"], initial=0))[:-1]
        return [Field(DOCUMENT, words.text, tuple(starts[first] for first in firsts if first < len(words.words)))]

    def right(self, example: Example, gold: str) -> ShownAnswer:
        clusters = _ordered(gold)
        return _shown(example, clusters, list(range(1, len(clusters) + 1)))

    def answer(self, example: Example, prediction: str, gold: str) -> ShownAnswer:
        clusters = _ordered(prediction)
        return _shown(example, clusters, _numbers(_ordered(gold), clusters))


def _ordered(stored: str) -> Clusters:
    """Clusters in the order of their first mentions."""
    return sorted(sorted(cluster) for cluster in as_spans(json.loads(stored)) if cluster)


def _numbers(gold: Clusters, found: Clusters) -> list[int | None]:
    """The number of the right cluster that each found one is taken for: the pairs that share most first."""
    members = [set(cluster) for cluster in gold]
    shared = [
        (-len(own & set(cluster)), number, place)
        for place, cluster in enumerate(found)
        for number, own in enumerate(members)
        if own & set(cluster)
    ]
    numbers: list[int | None] = [None] * len(found)
    for _, number, place in sorted(shared):
        if numbers[place] is None and number + 1 not in numbers:
            numbers[place] = number + 1
    return numbers


def _shown(example: Example, clusters: Clusters, numbers: list[int] | list[int | None]) -> ShownAnswer:
    words = Words(example["words"])
    marks, texts = [], []
    for cluster, number in zip(clusters, numbers, strict=True):
        first: Span = cluster[0]
        label = f"+{first[0] + 1}" if number is None else str(number)
        group = number or len(words.words) + first[0]
        marks += [words.mark(DOCUMENT, start, end, label, group) for start, end in cluster]
        texts.append(f"{label}: {words.part(*first)} ({len(cluster)})")
    return ShownAnswer("; ".join(texts) or "no cluster", tuple(marks))
