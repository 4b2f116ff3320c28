"""Random draws that are the same on every machine and every version of Python.

`random.Random.random` is the one method whose sequence Python promises to keep for an integer seed, so every draw here
is made from it alone. Nothing depends on `hash()` or on the order of sets.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


class Draws:
    """A stream of draws that is a pure function of its key.

    >>> draws = Draws("world", 0, "train", 7)
    >>> draws.below(10), draws.choice("abc"), draws.chance(0.5)
    (3, 'a', False)
    """

    __slots__ = ("uniform",)

    def __init__(self, *key: str | int) -> None:
        digest = hashlib.blake2b("/".join(map(str, key)).encode(), digest_size=8).digest()
        #: A float in [0, 1).
        self.uniform = random.Random(int.from_bytes(digest, "little")).random

    def below(self, bound: int) -> int:
        """A whole number from 0 to `bound` - 1."""
        return int(self.uniform() * bound)

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.uniform() < probability

    def choice(self, items: Sequence[Item]) -> Item:
        """One of the items."""
        return items[int(self.uniform() * len(items))]

    def other(self, items: Sequence[Item], than: Item) -> Item:
        """One of the items that is not `than`; at least one must differ."""
        while True:
            item = items[int(self.uniform() * len(items))]
            if item != than:
                return item

    def sample(self, items: Sequence[Item], num: int) -> list[Item]:
        """`num` of the items, each at most once, in random order."""
        size = len(items)
        if 3 * num < size:  # few of many: draw again instead of copying them all
            picks: list[int] = []
            while len(picks) < num:
                pick = int(self.uniform() * size)
                if pick not in picks:
                    picks.append(pick)
            return [items[pick] for pick in picks]
        pool = list(items)
        for place in range(num):
            pick = place + int(self.uniform() * (size - place))
            pool[place], pool[pick] = pool[pick], pool[place]
        return pool[:num]

    def shuffled(self, items: Sequence[Item]) -> list[Item]:
        """All items in random order."""
        return self.sample(items, len(items))


def balanced(num_labels: int, index: int, *key: str | int) -> int:
    """The label of example `index`: every block of `num_labels` examples has each label once, in an order drawn for it.

    >>> [balanced(3, index, "snli", 0) for index in range(9)]
    [1, 0, 2, 2, 1, 0, 0, 1, 2]
    """
    block, place = divmod(index, num_labels)
    return Draws("labels", *key, block).shuffled(range(num_labels))[place]
