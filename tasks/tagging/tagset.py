"""The tags that a run can give, as numbers that a module is trained on.

Where tags name chunks, the numbers are those of `data.bio`, whatever the scheme of the corpus; else the places of tags.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from atinuke_bench.data.bio import BioTags
from atinuke_bench.tasks.tagging.chunks import find_chunks, split_tag
from atinuke_bench.tasks.tagging.schemes import PLAIN, SCHEMES, is_chunk_tag, recognise

#: Number of a word whose tag is not learned: hidden, or not among the labels.
IGNORED = -100


@dataclass(frozen=True)
class TagSet:
    """A scheme, and the types of its chunks; or `plain`, and the tags."""

    scheme: str
    labels: tuple[str, ...]

    @classmethod
    def of(cls, sentences: Iterable[Sequence[str]]) -> TagSet:
        """What tagged sentences use.

        >>> TagSet.of([["B-PER", "O"], ["B-LOC", "I-LOC"]]), TagSet.of([["NOUN", "VERB"]])
        (TagSet(scheme='iob2', labels=('LOC', 'PER')), TagSet(scheme='plain', labels=('NOUN', 'VERB')))
        """
        sentences = list(sentences)
        scheme = recognise(sentences)
        found: dict[str, int] = {}
        if scheme == PLAIN:
            found = {tag: 0 for tags in sentences for tag in tags}
        else:
            find_chunks(sentences, found)
        return cls(scheme, tuple(sorted(found)))

    @staticmethod
    def listed(scheme: str, labels: Sequence[str]) -> tuple[str, ...]:
        """Labels that a user lists: tags, or types of chunks with or without their letters.

        >>> TagSet.listed("iob2", ["O", "B-PER", "I-PER", "LOC"])
        ('PER', 'LOC')
        """
        if scheme == PLAIN:
            return tuple(labels)
        types = (split_tag(label)[1] if is_chunk_tag(label) else label for label in labels if label != "O")
        return tuple(dict.fromkeys(types))

    def has(self, tag: str) -> bool:
        """Whether a tag can be given."""
        if self.is_plain:
            return tag in self._places
        return tag == "O" or (is_chunk_tag(tag) and split_tag(tag)[1] in self._places)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {label: place for place, label in enumerate(self.labels)}

    @property
    def is_plain(self) -> bool:
        return self.scheme == PLAIN

    @property
    def num_tags(self) -> int:
        """How many numbers there are."""
        return len(self.labels) if self.is_plain else BioTags(self.labels).num_tags

    @property
    def names(self) -> tuple[str, ...]:
        """The tag of each number; of chunks as BIO writes it.

        >>> TagSet("bioes", ("LOC", "PER")).names
        ('O', 'B-LOC', 'I-LOC', 'B-PER', 'I-PER')
        """
        if self.is_plain:
            return self.labels
        return ("O", *(f"{place}-{label}" for label in self.labels for place in "BI"))

    def encode(self, sentences: Sequence[Sequence[str]]) -> NDArray[np.int64]:
        """The number of each word of tagged sentences, one after another; IGNORED where a label is not in the set.

        >>> TagSet("bioes", ("LOC", "PER")).encode([["B-PER", "E-PER", "O"], ["S-LOC", "S-ORG"]]).tolist()
        [3, 4, 0, 1, -100]
        """
        if self.is_plain:
            return np.array([self._places.get(tag, IGNORED) for tags in sentences for tag in tags], dtype=np.int64)
        found = find_chunks(sentences, dict(self._places))
        numbers = np.zeros(sum(map(len, sentences)), dtype=np.int64)
        lengths = found.end - found.start + 1
        kind = np.repeat(found.kind, lengths)
        at = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)  # place inside the chunk
        values = np.where(kind < len(self.labels), 1 + 2 * kind + (at > 0), IGNORED)
        numbers[np.repeat(found.start, lengths) + at] = values
        return numbers

    def decode(self, numbers: NDArray[np.int64]) -> list[str]:
        """The tags of one sentence, in the scheme of the corpus.

        >>> TagSet("bioes", ("LOC", "PER")).decode(np.array([3, 4, 0, 1]))
        ['B-PER', 'E-PER', 'O', 'S-LOC']
        """
        if self.is_plain:
            return [self.labels[number] for number in numbers.tolist()]
        (spans,) = BioTags(self.labels).decode_batch(numbers[None], [len(numbers)])
        return SCHEMES[self.scheme].write(spans, len(numbers))
