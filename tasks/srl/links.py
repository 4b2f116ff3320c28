"""The tokens of arguments and their predicate, for who looks at attention heads."""

from __future__ import annotations

import numpy as np

from atinuke_bench.data.bio import OUTSIDE
from atinuke_bench.data.features import Encoded
from atinuke_bench.training.capabilities import Link, Links


def arguments_to_predicate(encoded: Encoded, row: int) -> list[Link]:
    """One link for each predicate of a row: the tokens of its arguments' words, and its own."""
    word, predicates = encoded.ragged["word"][row], encoded.ragged["predicates"][row]  # (T,), (P,)
    tags = encoded.ragged["tags"][row].reshape(len(predicates), -1)  # (P, W)
    links = []
    for predicate, own in zip(predicates.tolist(), tags, strict=True):
        is_argument = own != OUTSIDE
        is_argument[predicate] = False
        words = np.flatnonzero(is_argument)
        links.append(Link(0, np.flatnonzero(np.isin(word, words)), np.flatnonzero(word == predicate)))
    return links


LINKS = Links("predicate", arguments_to_predicate)
