"""From the tags of rows to those of sentences, of which a long one is read in windows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atinuke_bench.data.features import Encoded


def join_rows(
    outputs: Iterable[Mapping[str, np.ndarray]], encoded: Encoded, num_sentences: int, name: str = "tags"
) -> list[NDArray[Any]]:
    """The tag numbers of each sentence's words, or what else `name` is of them, each word's from its own row.

    Outputs have `rows` (B) and `tags` (B, W), or other values of words (B, W, …). Where two windows meet in a chunk,
    its second part may begin with an inside tag, which continues what is before it, if that is of its type.
    """
    first, begin, end = (encoded.fixed[name] for name in ("first_word", "own_begin", "own_end"))
    sizes = np.zeros(num_sentences, dtype=np.int64)
    np.maximum.at(sizes, encoded.example_index, end)
    batches = list(outputs)
    shape = batches[0][name].shape[2:] if batches else ()
    kind = np.dtype(np.int64) if name == "tags" else batches[0][name].dtype
    joined = [np.zeros((size, *shape), dtype=kind) for size in sizes.tolist()]
    for output in batches:
        for row, values in zip(output["rows"].tolist(), output[name], strict=True):
            own = slice(int(begin[row]), int(end[row]))
            joined[encoded.example_index[row]][own] = values[own.start - first[row] : own.stop - first[row]]
    return joined
