"""BIO tags of labelled spans: `O` outside, `B-X` at the first word of a span with label X, `I-X` at its other words.

Continuations and references (`C-A1`, `R-A0`) are labels like any other. Tag numbers are 0 for `O`, then `B-X` and
`I-X` of each label in turn: 1 + 2k and 2 + 2k for the label numbered k. Spans are (start, end, label), words counted
from 0, both ends inside.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

LabelledSpan = tuple[int, int, str]
OUTSIDE = 0


def place_spans(spans: Iterable[LabelledSpan]) -> tuple[list[LabelledSpan], list[LabelledSpan]]:
    """Spans that fit into one tag sequence together, and those dropped because they overlap one of them.

    `V` has precedence, since each predicate must keep its own word; then the spans that start earlier, and of those
    the longer. Spans that do not overlap are all kept.

    >>> place_spans([(0, 5, "A1"), (1, 2, "A0"), (6, 6, "V"), (7, 8, "A2")])
    ([(0, 5, 'A1'), (6, 6, 'V'), (7, 8, 'A2')], [(1, 2, 'A0')])
    """
    placed: list[LabelledSpan] = []  # always in order
    dropped: list[LabelledSpan] = []
    for start, end, label in sorted(spans, key=lambda span: (span[2] != "V", span[0], -span[1])):
        place = bisect(placed, (start, end, label))
        if (place == 0 or placed[place - 1][1] < start) and (place == len(placed) or end < placed[place][0]):
            placed.insert(place, (start, end, label))
        else:
            dropped.append((start, end, label))
    return placed, dropped


@dataclass(frozen=True)
class BioTags:
    """The numbered tags of some labels."""

    labels: tuple[str, ...]

    @property
    def num_tags(self) -> int:
        """`O`, and two tags for each label."""
        return 1 + 2 * len(self.labels)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {label: number for number, label in enumerate(self.labels)}

    def encode(self, spans: Iterable[LabelledSpan], num_words: int) -> tuple[NDArray[np.int64], list[LabelledSpan]]:
        """Tag numbers [num_words], and the spans they leave out: of unknown labels, or overlapping (`place_spans`).

        >>> numbers, left_out = BioTags(("A0", "V")).encode([(0, 0, "V"), (1, 2, "A0"), (3, 3, "A9")], 4)
        >>> numbers.tolist(), left_out
        ([3, 1, 2, 0], [(3, 3, 'A9')])
        """
        spans = [(start, end, label) for start, end, label in spans]
        unknown = [span for span in spans if span[2] not in self._numbers]
        placed, dropped = place_spans(span for span in spans if span[2] in self._numbers)
        tags = np.zeros(num_words, dtype=np.int64)
        for start, end, label in placed:
            assert 0 <= start <= end < num_words, f"span ({start}, {end}) in a sentence of {num_words} words"
            tags[start] = 1 + 2 * self._numbers[label]
            tags[start + 1 : end + 1] = 2 + 2 * self._numbers[label]
        return tags, unknown + dropped

    def decode_batch(self, tags: ArrayLike, lengths: ArrayLike) -> list[list[LabelledSpan]]:
        """The spans of each row of tag numbers [batch, length], of which the first `lengths` [batch] count.

        Any row is accepted: an `I-X` that continues no span of label X begins one, as in conlleval.

        >>> BioTags(("A0", "V")).decode_batch([[1, 2, 3, 0], [2, 0, 1, 1]], [3, 3])
        [[(0, 1, 'A0'), (2, 2, 'V')], [(0, 0, 'A0'), (2, 2, 'A0')]]
        """
        tags, lengths = np.asarray(tags), np.asarray(lengths)
        num_rows, num_columns = tags.shape
        # One column of O after every row ends its last span there, so all rows can be searched as one.
        padded = np.zeros((num_rows, num_columns + 1), dtype=np.int64)
        padded[:, :-1] = np.where(np.arange(num_columns) < lengths[:, None], tags, OUTSIDE)
        flat = padded.ravel()
        label = (flat + 1) // 2  # 0 for O, from 1 for labels
        inside = np.zeros(len(flat), dtype=bool)
        inside[1:] = (flat[1:] > 0) & (flat[1:] % 2 == 0) & (label[1:] == label[:-1])
        starts = np.flatnonzero((flat > 0) & ~inside)
        stops = np.flatnonzero(~inside)
        ends = stops[np.searchsorted(stops, starts, side="right")] - 1
        spans: list[list[LabelledSpan]] = [[] for _ in range(num_rows)]
        for start, end, number in zip(starts.tolist(), ends.tolist(), label[starts].tolist(), strict=True):
            row, first = divmod(start, num_columns + 1)
            spans[row].append((first, first + end - start, self.labels[number - 1]))
        return spans
