"""The chunks that tags name (entities, phrases), by the rules of conlleval and of seqeval's default mode.

A tag is `O`, or a letter and a type: `B-PER`. `B` begins a chunk, `I` or `M` is inside, `E` or `L` ends it, `S` or `U`
is a whole one; tags without a type (`B`) have the type "". Any sequence of tags has chunks, however broken: a chunk
begins where a tag says so, where the type changes, and after `O` or an end. conlleval knows `B` and `I` alone, of which
both say the same; of the others seqeval's rules hold. seqeval's strict mode would leave out what is broken.

Letters in shapes: S sentences, W words of all of them, C chunks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

OUTSIDE, BEGIN, INSIDE, END, SINGLE = range(5)
_PARTS = {"B": BEGIN, "I": INSIDE, "M": INSIDE, "E": END, "L": END, "S": SINGLE, "U": SINGLE}


@cache
def split_tag(tag: str) -> tuple[int, str]:
    """The part of a chunk that a tag names, and its type; ValueError for a tag that names none.

    >>> split_tag("B-PER") == (BEGIN, "PER"), split_tag("O") == (OUTSIDE, ""), split_tag("U-LOC") == (SINGLE, "LOC")
    (True, True, True)
    """
    if tag == "O":
        return OUTSIDE, ""
    letter, dash, kind = tag.partition("-")
    if letter not in _PARTS or (dash and not kind):
        raise ValueError(f"a tag is 'O', or a letter and a type, such as 'B-PER'; found {tag!r}")
    return _PARTS[letter], kind


@dataclass(frozen=True, slots=True)
class Chunks:
    """All chunks of some sentences, in order; places count the words of all sentences, both ends inside."""

    start: Integers  # [C]
    end: Integers  # [C]
    kind: Integers  # [C] place in the types they were found with
    sentence: Integers  # [C]

    def __len__(self) -> int:
        return len(self.start)


def find_chunks(sentences: Sequence[Sequence[str]], types: dict[str, int]) -> Chunks:
    """The chunks of tagged sentences; types that `types` lacks are added to it, numbered on.

    >>> types = {}
    >>> found = find_chunks([["B-PER", "I-PER", "I-LOC"], ["I-LOC", "O"]], types)
    >>> list(types), list(zip(found.start.tolist(), found.end.tolist(), found.kind.tolist()))
    (['PER', 'LOC'], [(0, 1, 0), (2, 2, 1), (3, 3, 1)])
    """
    numbers: dict[str, int] = {}
    codes = np.fromiter((numbers.setdefault(tag, len(numbers)) for tags in sentences for tag in tags), np.int64)
    pairs = [split_tag(tag) for tag in numbers]
    part = np.array([one for one, _ in pairs], dtype=np.int64)[codes]  # [W]
    kind = np.array([types.setdefault(name, len(types)) if one else -1 for one, name in pairs], dtype=np.int64)[codes]
    lengths = np.array([len(tags) for tags in sentences], dtype=np.int64)
    before = np.full(len(part), OUTSIDE)
    before[1:] = part[:-1]
    firsts = np.cumsum(lengths) - lengths
    before[firsts[lengths > 0]] = OUTSIDE
    begins = np.isin(part, (BEGIN, SINGLE)) | np.isin(before, (OUTSIDE, END, SINGLE))
    begins[1:] |= kind[1:] != kind[:-1]
    start = np.flatnonzero(begins & (part != OUTSIDE))
    stops = np.append(np.flatnonzero(begins | (part == OUTSIDE)), len(part))
    end = stops[np.searchsorted(stops, start, side="right")] - 1
    sentence = np.repeat(np.arange(len(lengths)), lengths)
    return Chunks(start, end, kind[start], sentence[start])


@dataclass(frozen=True, slots=True)
class Compared:
    """Chunks that are right and those that were predicted; one is correct if both ends and the type agree.

    `right_words` [W] says where the predicted tag is the right one.
    """

    types: list[str]
    lengths: Integers  # [S] words of each sentence
    gold: Chunks
    predicted: Chunks
    is_found: Mask  # of the gold ones
    is_correct: Mask  # of the predicted ones
    right_words: Mask  # [W]

    @property
    def by_sentence(self) -> NDArray[np.float64]:  # [S, 3]
        """Correct, predicted and gold chunks of each sentence."""
        sides = (self.predicted.sentence[self.is_correct], self.predicted.sentence, self.gold.sentence)
        return np.stack([np.bincount(side, minlength=len(self.lengths)) for side in sides], axis=1).astype(np.float64)


def compare(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> Compared:
    """The chunks of predicted tags beside the right ones; both have equally many words in each sentence.

    >>> compared = compare([["B-PER", "I-PER", "O"]], [["I-PER", "I-PER", "B-PER"]])
    >>> compared.by_sentence.tolist(), compared.right_words.tolist()
    ([[1.0, 2.0, 1.0]], [False, True, False])
    """
    types: dict[str, int] = {}
    ours, theirs = find_chunks(gold, types), find_chunks(predicted, types)
    right = np.fromiter(
        (one == other for pair in zip(gold, predicted, strict=True) for one, other in zip(*pair, strict=True)), np.bool_
    )
    # At most one chunk of a side begins at a word.
    _, at_gold, at_predicted = np.intersect1d(ours.start, theirs.start, assume_unique=True, return_indices=True)
    same = (ours.end[at_gold] == theirs.end[at_predicted]) & (ours.kind[at_gold] == theirs.kind[at_predicted])
    is_found, is_correct = np.zeros(len(ours), dtype=bool), np.zeros(len(theirs), dtype=bool)
    is_found[at_gold[same]], is_correct[at_predicted[same]] = True, True
    lengths = np.array([len(tags) for tags in gold], dtype=np.int64)
    return Compared(list(types), lengths, ours, theirs, is_found, is_correct, right)
