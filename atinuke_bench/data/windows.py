"""Overlapping windows of a text too long for one row, in whole words, and the window that each word is read from.

Letters: W words, G windows. `offsets` (W + 1,) holds the pieces before each word, and all of them at its end.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def overlapping_windows(offsets: np.ndarray, room: int, overlap: int) -> list[tuple[int, int]]:
    """First word and end of every window of at most `room` pieces; no word may have more.

    Neighbours share at least `overlap` pieces where words allow, and each window brings at least one new word.

    >>> overlapping_windows(np.arange(7), room=4, overlap=2)
    [(0, 4), (2, 6)]
    """
    num_words = len(offsets) - 1
    windows, first = [], 0
    while True:
        end = int(np.searchsorted(offsets, offsets[first] + room, side="right")) - 1
        windows.append((first, end))
        if end >= num_words:
            return windows
        back = int(np.searchsorted(offsets, offsets[end] - overlap, side="right")) - 1
        # The next window must reach past this one's end, however long the next word is.
        while offsets[end + 1] - offsets[max(back, 0)] > room:
            back += 1
        first = max(back, first + 1)


def owners(offsets: np.ndarray, windows: Sequence[tuple[int, int]]) -> np.ndarray:  # (W,)
    """The window that each word is read from: the first of those where its nearer edge is farthest.

    The ends of the text are no edges, since no context is missing there.

    >>> owners(np.arange(7), [(0, 4), (2, 6)]).tolist()
    [0, 0, 0, 1, 1, 1]
    """
    num_words = len(offsets) - 1
    owner = np.zeros(num_words, dtype=np.int64)
    best = np.full(num_words, -1.0)
    for number, (first, end) in enumerate(windows):
        left = offsets[first:end] - offsets[first] if first > 0 else np.full(end - first, np.inf)
        right = offsets[end] - offsets[first + 1 : end + 1] if end < num_words else np.full(end - first, np.inf)
        context = np.minimum(left, right)
        better = context > best[first:end]
        owner[first:end][better] = number
        best[first:end][better] = context[better]
    return owner
