"""Scores of tags by their type, by whether the train split has their words, and by the length of sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from datasets import Dataset
from numpy.typing import NDArray

from atinuke_bench.metrics.metric import Answers, Measured
from atinuke_bench.tasks.tagging.chunks import Chunks, Compared, Integers, split_tag
from atinuke_bench.tasks.tagging.metric import precision_recall_f1
from atinuke_bench.tasks.tagging.schemes import is_chunk_tag
from atinuke_bench.training.task import Slices

#: Last lengths of sentences of each slice, in words; the last slice has no end.
_LENGTHS = np.array([9, 19, 29, 49])
_LENGTH_NAMES = ("1-9", "10-19", "20-29", "30-49", "50+")
_SEEN_NAMES = ("in train", "not in train")
#: Of plain tags, so many are shown: the most frequent.
_MOST_TAGS = 40


def by_type_and_words(examples: Dataset, answers: Answers, measured: Measured) -> Slices:
    """F1, precision and recall of chunks, or the accuracy of plain tags; `num` counts the right answers."""
    seen = np.array([one for row in examples["seen"][:] for one in row], dtype=bool)  # (words,)
    if isinstance(measured.details, Compared):
        return _of_chunks(measured.details, seen)
    return _of_words(answers, seen)


def types_and_length_of(examples: Dataset, gold: Sequence[Any]) -> list[dict[str, list[str]]]:
    """The slices of each sentence: the types of its chunks, or else its tags, and its length."""
    names_chunks = all(is_chunk_tag(tag) for tags in gold for tag in tags)
    found = []
    for tags in gold:
        if names_chunks:
            kinds = {"type": sorted({split_tag(tag)[1] or "chunk" for tag in tags if tag != "O"})}
        else:
            kinds = {"tag": sorted(set(tags))}
        length = _LENGTH_NAMES[int(np.searchsorted(_LENGTHS, len(tags)))]
        found.append({**kinds, "words in the sentence": [length]})
    return found


def _of_chunks(compared: Compared, seen: NDArray[np.bool_]) -> Slices:
    num_unseen = np.concatenate([[0], np.cumsum(~seen)])

    def counts(kinds: int, groups: Sequence[Integers]) -> Integers:  # (groups, 3)
        """Correct, predicted and gold chunks of each group, from the groups of predicted and of gold ones."""
        predicted, gold = groups
        sides = (predicted[compared.is_correct], predicted, gold)
        return np.stack([np.bincount(side, minlength=kinds) for side in sides], axis=1)

    def has_unseen(chunks: Chunks) -> Integers:
        return (num_unseen[chunks.end + 1] > num_unseen[chunks.start]).astype(np.int64)

    def length(chunks: Chunks) -> Integers:
        return np.searchsorted(_LENGTHS, compared.lengths[chunks.sentence])

    sides = (compared.predicted, compared.gold)
    types = [name or "chunk" for name in compared.types]
    by_type = counts(len(types), [chunks.kind for chunks in sides])
    order = sorted(range(len(types)), key=types.__getitem__)
    tables = {
        "type": ([types[place] for place in order], by_type[order]),
        "all its words": (_SEEN_NAMES, counts(2, [has_unseen(chunks) for chunks in sides])),
        "words in the sentence": (_LENGTH_NAMES, counts(5, [length(chunks) for chunks in sides])),
    }
    return {
        title: {
            name: {**precision_recall_f1(*row), "num": row[2]}
            for name, row in zip(names, table.tolist(), strict=True)
            if any(row)
        }
        for title, (names, table) in tables.items()
    }


def _of_words(answers: Answers, seen: NDArray[np.bool_]) -> Slices:
    gold = [tag for tags in answers.gold for tag in tags]
    predicted = [tag for tags in answers.predicted for tag in tags]
    lengths = [len(tags) for tags in answers.gold]
    bins = np.repeat(np.searchsorted(_LENGTHS, lengths), lengths).tolist()
    groups = {
        "tag": (sorted(tag for tag, _ in Counter(gold).most_common(_MOST_TAGS)), gold),
        "word": (_SEEN_NAMES, [_SEEN_NAMES[not one] for one in seen.tolist()]),
        "words in the sentence": (_LENGTH_NAMES, [_LENGTH_NAMES[place] for place in bins]),
    }
    right = list(map(str.__eq__, gold, predicted))
    slices: Slices = {}
    for title, (names, own) in groups.items():
        total = Counter(own)
        correct = Counter(name for name, is_right in zip(own, right, strict=True) if is_right)
        slices[title] = {
            name: {"accuracy": 100.0 * correct[name] / total[name], "num": total[name]} for name in names if total[name]
        }
    return slices
