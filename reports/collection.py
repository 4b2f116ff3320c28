"""Garbage looked for less often."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

#: New objects after which Python looks for garbage among them; its own number is 700.
_NUM_NEW = 200_000


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Let garbage be looked for seldom: a report makes so many objects that this takes a tenth of its time."""
    before = gc.get_threshold()
    if before[0]:  # else it is switched off
        gc.set_threshold(max(before[0], _NUM_NEW), *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
