"""The floor of tagging: the most frequent tag of each word."""

from __future__ import annotations

from collections import Counter, defaultdict

from datasets import Dataset

from atinuke_bench.config import RunConfig


def most_frequent_tags(train: Dataset, examples: Dataset, run: RunConfig) -> dict[str, list[str]]:
    """To each word its most frequent tag in the train split, to others the most frequent tag of all.

    Words are compared as they are written. Of equally frequent tags the first in alphabetical order counts.
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    total: Counter[str] = Counter()
    for words, tags in zip(train["words"][:], train["tags"][:], strict=True):
        for word, tag in zip(words, tags, strict=True):
            counts[word][tag] += 1
            total[tag] += 1
    best = {word: _most_frequent(own) for word, own in counts.items()}
    usual = _most_frequent(total)
    rows = zip(examples["id"][:], examples["words"][:], strict=True)
    return {id_: [best.get(word, usual) for word in words] for id_, words in rows}


def _most_frequent(counts: Counter[str]) -> str:
    return min(counts, key=lambda tag: (-counts[tag], tag))
