"""Which examples of the train split are learned from, and which decide between epochs.

Selection uses a slice of train, so that dev and test are only ever evaluated. Both choices are the same for every seed
and every core: runs differ in what they learn, not in what they are given or judged on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Raised when the same config would be given other examples: part of every run's identity, and of cached features.
CUT_VERSION = 2

_SLICE_SEED = 20_240_116
_LIMIT_SEED = 20_240_117
# Where groups taken one after another come this near, no better set of them is looked for.
_NEAR_ENOUGH = 0.01

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Cut:
    """Row numbers to train on and to select on, both ascending; `note` says what groups did not allow."""

    train: Rows
    held_out: Rows
    note: str = ""


def num_limited(num_examples: int, limit: float) -> int:
    """How many examples a limit leaves; one below 1 is a part of them.

    >>> num_limited(100, 5), num_limited(3, 10), num_limited(100, 0.25), num_limited(100, 0.001)
    (5, 3, 25, 2)
    """
    return min(num_examples, max(2, round(num_examples * limit)) if 0 < limit < 1 else int(limit))


def limit_rows(num_examples: int, limit: float) -> Rows:
    """The rows that a limit leaves, ascending: drawn at random, so that they come from all over the split.

    A larger limit keeps all that a smaller one keeps.

    >>> set(limit_rows(100, 5)) < set(limit_rows(100, 10)), len(limit_rows(3, 10))
    (True, 3)
    """
    return np.sort(np.random.default_rng(_LIMIT_SEED).permutation(num_examples)[: num_limited(num_examples, limit)])


def hold_out(num_examples: int, fraction: float, limit: int, groups: Sequence[object] | None = None) -> Cut:
    """The cut of a train split of at least two examples.

    `fraction` of the examples, at most `limit` and at least one, are held out. Examples of one group (pairs with the
    same premise, questions of the same article) are never on both sides, unless there is only one group: of the sets of
    whole groups that hold no more than `limit`, the one that comes nearest is taken. Where even the smallest group is
    larger than `limit`, as many of its examples are held out, and the others of it are left out.

    >>> cut = hold_out(10, 0.2, 100)
    >>> len(cut.train), len(cut.held_out)
    (8, 2)
    >>> cut = hold_out(200, 0.1, 2000, ["long"] * 198 + ["short"] * 2)
    >>> cut.held_out.tolist(), cut.note
    ([198, 199], 'groups allow 2 held-out examples, not 20')
    """
    target = max(1, min(limit, round(num_examples * fraction)))
    generator = np.random.default_rng(_SLICE_SEED)
    members = _members(num_examples, groups)
    if len(members) < 2:
        members = _members(num_examples, None)
    order = generator.permutation(len(members))
    sizes = [len(members[group]) for group in order]
    most = min(limit, num_examples - 1)
    if min(sizes) > most:
        smallest = members[order[int(np.argmin(sizes))]]
        train = np.setdiff1d(np.arange(num_examples), smallest)
        dropped = len(smallest) - most
        return Cut(train, smallest[:most], f"every group is larger than the limit; {dropped} examples are left out")
    chosen = [members[order[place]] for place in _nearest_sum(sizes, target, most)]
    held_out = np.sort(np.concatenate(chosen))
    note = ""
    if abs(len(held_out) - target) > 0.1 * target:
        note = f"groups allow {len(held_out)} held-out examples, not {target}"
    return Cut(np.setdiff1d(np.arange(num_examples), held_out), held_out, note)


def _nearest_sum(sizes: Sequence[int], target: int, most: int) -> list[int]:
    """Places of sizes whose sum is as near to `target` as can be, from 1 to `most`; early places are preferred.

    >>> _nearest_sum([7, 3, 5], 8, 100), _nearest_sum([90, 2], 20, 100)
    ([1, 2], [1])
    """
    taken, total = [], 0
    for place, size in enumerate(sizes):
        if total + size <= target:
            taken.append(place)
            total += size
    if taken and target - total <= _NEAR_ENOUGH * target:
        return taken
    # Sums that can be reached with the sizes from a place on, as the bits of one number.
    within, reachable = (1 << (most + 1)) - 1, [1]
    for size in reversed(sizes):
        reachable.append(reachable[-1] | (reachable[-1] << size) & within)
    reachable.reverse()
    sums = [value for value in range(1, most + 1) if reachable[0] >> value & 1]
    left = min(sums, key=lambda value: (abs(value - target), value))
    chosen = []
    for place, size in enumerate(sizes):
        if left >= size and reachable[place + 1] >> (left - size) & 1:
            chosen.append(place)
            left -= size
    return chosen


def _members(num_examples: int, groups: Sequence[object] | None) -> list[Rows]:
    if groups is None:
        return [np.array([row]) for row in range(num_examples)]
    rows: dict[object, list[int]] = {}
    for row, group in enumerate(groups):
        rows.setdefault(group, []).append(row)
    return [np.array(members) for members in rows.values()]
