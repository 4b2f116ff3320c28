"""The held-out slice is of the size that was asked for, as far as groups allow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atinuke_bench.data.hold_out import hold_out, limit_rows

GROUPS = st.lists(st.integers(0, 6), min_size=2, max_size=60)


@given(GROUPS, st.floats(0.05, 0.45), st.integers(1, 30))
@settings(deadline=None, max_examples=100)
def test_groups_are_never_on_both_sides_of_the_cut(groups, fraction, limit):
    cut = hold_out(len(groups), fraction, limit, groups)
    assert not set(cut.train) & set(cut.held_out)
    assert len(cut.train) > 0
    assert 0 < len(cut.held_out) <= limit
    if len(set(groups)) > 1:
        assert not {groups[row] for row in cut.train} & {groups[row] for row in cut.held_out}
    if not cut.note.startswith("every group"):
        assert len(cut.train) + len(cut.held_out) == len(groups)


@given(GROUPS, st.floats(0.05, 0.45))
@settings(deadline=None, max_examples=100)
def test_no_set_of_groups_comes_nearer(groups, fraction):
    sizes = [groups.count(group) for group in set(groups)]
    if len(sizes) < 2:
        return
    target = max(1, round(len(groups) * fraction))
    sums = {0}
    for size in sizes:
        sums |= {known + size for known in sums}
    nearest = min(abs(total - target) for total in sums - {0, len(groups)})
    held_out = hold_out(len(groups), fraction, 1000, groups).held_out
    assert abs(len(held_out) - target) == nearest


@pytest.mark.parametrize(
    ("sizes", "limit", "expected", "note"),
    [
        ([198, 2], 2000, 2, "groups allow 2 held-out examples, not 20"),  # the large one first drawn took 198
        ([198, 2], 20, 2, "groups allow 2 held-out examples, not 20"),
        ([269, 31], 2000, 31, ""),
        ([100, 100], 20, 20, "every group is larger than the limit; 80 examples are left out"),
        ([50, 50, 50, 50], 2000, 50, "groups allow 50 held-out examples, not 20"),
        ([10] * 20, 2000, 20, ""),
    ],
)
def test_a_large_group_does_not_take_everything(sizes, limit, expected, note):
    groups = [number for number, size in enumerate(sizes) for _ in range(size)]
    cut = hold_out(len(groups), 0.1, limit, groups)
    assert (len(cut.held_out), cut.note) == (expected, note)


def test_many_groups_take_no_time_and_come_within_a_hundredth():
    groups = np.repeat(np.arange(60_000), 3).tolist()
    cut = hold_out(len(groups), 0.1, 2000, groups)
    assert 1980 <= len(cut.held_out) <= 2000
    assert cut.note == ""


def test_a_limit_draws_from_all_over_the_split_and_nests():
    rows = limit_rows(10_000, 300)
    assert (np.histogram(rows, bins=5, range=(0, 10_000))[0] > 40).all()
    assert set(rows) < set(limit_rows(10_000, 600))
    assert (np.diff(rows) > 0).all()
    assert limit_rows(5, 9).tolist() == [0, 1, 2, 3, 4]
