"""The tokens of mentions and their antecedents, for who looks at attention heads."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from atinuke_bench.data.features import Encoded
from atinuke_bench.training.capabilities import Link, Links


def mentions_to_antecedents(encoded: Encoded, row: int) -> list[Link]:
    """One link for each mention with antecedents in its segment: its tokens, and those of all earlier mentions.

    Words count in the segment that they are read from; tokens that a mention shares with an antecedent are left out.
    """
    readers, lengths = encoded.ragged["piece_word"][row], encoded.ragged["segment_lengths"][row]
    starts, ends, clusters = (encoded.ragged[name][row] for name in ("gold_start", "gold_end", "gold_cluster"))
    order = np.lexsort((ends, starts))
    links = []
    for number, words in enumerate(np.split(readers, np.cumsum(lengths)[:-1])):
        earlier: dict[int, list[np.ndarray]] = defaultdict(list)
        for mention in order.tolist():
            tokens = np.flatnonzero((words >= starts[mention]) & (words <= ends[mention]))
            before = earlier[int(clusters[mention])]
            if len(tokens) and before:
                known = np.unique(np.concatenate(before))
                links.append(Link(number, np.setdiff1d(tokens, known), np.setdiff1d(known, tokens)))
            if len(tokens):
                before.append(tokens)
    return links


LINKS = Links("antecedent", mentions_to_antecedents)
