"""Garbage is looked for seldom while a report is made, and as before after it."""

from __future__ import annotations

import gc

import pytest

from atinuke_bench.reports.collection import seldom_collected


@pytest.fixture(autouse=True)
def _threshold():
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


def test_the_threshold_is_raised_and_put_back_after_an_error_too():
    gc.set_threshold(700, 10, 10)
    seen = []

    @seldom_collected()
    def fail():
        seen.append(gc.get_threshold()[0])
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert seen[0] > 100_000
    assert gc.get_threshold() == (700, 10, 10)


def test_what_a_user_has_switched_off_or_set_higher_stays():
    for threshold in ((0, 10, 10), (10_000_000, 5, 5)):
        gc.set_threshold(*threshold)
        with seldom_collected():
            assert gc.get_threshold() == threshold
        assert gc.get_threshold() == threshold
