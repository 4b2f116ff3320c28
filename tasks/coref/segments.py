"""Overlapping segments of a document's word pieces.

Segments: at most S pieces each, `[CLS]` and `[SEP]` included, whole words only. Neighbours share at least `overlap`
pieces where words allow, and a word is read from the segment in which the nearer edge is farthest; the ends of the
document are no edges, since no context is missing there.

Letters: W words of a document, P pieces of all its segments together, G segments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from atinuke_bench.data.windows import overlapping_windows, owners


@dataclass(frozen=True)
class Segments:
    """The pieces of a document in overlapping segments, one after another."""

    piece_ids: np.ndarray  # (P,) int32
    piece_word: np.ndarray  # (P,) int32: the word that reads this piece; -1 where another segment is read for it
    lengths: np.ndarray  # (G,) int32: pieces of each segment, special ones included


def cut_segments(
    pieces: Sequence[Sequence[int]], segment_length: int, overlap: int, special: tuple[int, int]
) -> Segments:
    """Segments of a document whose words have these pieces, between the ids of `[CLS]` and `[SEP]`.

    A word of more pieces than a segment holds keeps its first ones.

    >>> segments = cut_segments([[7], [8], [9], [10]], segment_length=5, overlap=2, special=(2, 3))
    >>> segments.piece_ids.tolist(), segments.piece_word.tolist()
    ([2, 7, 8, 9, 3, 2, 8, 9, 10, 3], [-1, 0, 1, -1, -1, -1, -1, 2, 3, -1])
    """
    room = segment_length - 2
    pieces = [word[:room] for word in pieces]
    offsets = np.concatenate([[0], np.cumsum([len(word) for word in pieces])]).astype(np.int64)  # (W + 1,)
    spans = overlapping_windows(offsets, room, overlap)
    owner = owners(offsets, spans)
    ids: list[int] = []
    readers: list[int] = []
    lengths = []
    for number, (first, end) in enumerate(spans):
        ids.append(special[0])
        readers.append(-1)
        for word in range(first, end):
            ids += pieces[word]
            readers += [word if owner[word] == number else -1] * len(pieces[word])
        ids.append(special[1])
        readers.append(-1)
        lengths.append(2 + int(offsets[end] - offsets[first]))
    return Segments(np.array(ids, np.int32), np.array(readers, np.int32), np.array(lengths, np.int32))
