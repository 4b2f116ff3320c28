"""The slice of the train split that selection uses, so that dev and test are only ever evaluated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# The slice is the same for every seed and every core: runs differ in what they learn, not in what they are judged on.
_SLICE_SEED = 20_240_116


def hold_out(
    num_examples: int, fraction: float, limit: int, groups: Sequence[object] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers to train on and row numbers to select on, both ascending.

    About `fraction` of the examples, at most `limit` and at least one, are held out. Examples of one group (pairs with
    the same premise, questions of the same article) are never on both sides, unless there is only one group.

    >>> train, held_out = hold_out(10, 0.2, 100)
    >>> len(train), len(held_out)
    (8, 2)
    """
    target = max(1, min(limit, round(num_examples * fraction)))
    generator = np.random.default_rng(_SLICE_SEED)
    members = _members(num_examples, groups)
    order = generator.permutation(len(members))
    if len(members) < 2:
        members = [np.array([row]) for row in range(num_examples)]
        order = generator.permutation(num_examples)
    taken: list[np.ndarray] = []
    count = 0
    for group in order[:-1]:  # the last group always stays for training
        if count >= target:
            break
        taken.append(members[group])
        count += len(members[group])
    held_out = np.sort(np.concatenate(taken))
    return np.setdiff1d(np.arange(num_examples), held_out), held_out


def _members(num_examples: int, groups: Sequence[object] | None) -> list[np.ndarray]:
    if groups is None:
        return [np.array([row]) for row in range(num_examples)]
    rows: dict[object, list[int]] = {}
    for row, group in enumerate(groups):
        rows.setdefault(group, []).append(row)
    return [np.array(members) for members in rows.values()]
