"""From the tags of rows to those of sentences, of which a long one is read in windows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from atinuke_bench.data.features import Encoded


def join_rows(
    outputs: Iterable[Mapping[str, np.ndarray]], encoded: Encoded, num_sentences: int
) -> list[NDArray[np.int64]]:
    """The tag numbers of each sentence's words, each word's from the row that answers it.

    Outputs have `rows` (B) and `tags` (B, W). Where two windows meet in a chunk, its second part may begin with an
    inside tag, which continues what is before it, if that is of its type.
    """
    first, begin, end = (encoded.fixed[name] for name in ("first_word", "own_begin", "own_end"))
    sizes = np.zeros(num_sentences, dtype=np.int64)
    np.maximum.at(sizes, encoded.example_index, end)
    numbers = [np.zeros(size, dtype=np.int64) for size in sizes.tolist()]
    for output in outputs:
        for row, tags in zip(output["rows"].tolist(), output["tags"], strict=True):
            own = slice(int(begin[row]), int(end[row]))
            numbers[encoded.example_index[row]][own] = tags[own.start - first[row] : own.stop - first[row]]
    return numbers
