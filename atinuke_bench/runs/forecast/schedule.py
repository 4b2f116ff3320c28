"""When runs side by side are done: in the order of the grid, each as soon as a worker is free and its origin is there.

What runs of the same data share (tokenizer, features) the first of them makes; those that need it meanwhile wait.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from atinuke_bench.runs.forecast.seconds import Seconds


@dataclass(frozen=True)
class Planned:
    """A run to come: up to what is shared, the making of it, and the rest. `shared_key` is empty where nothing is."""

    path: str
    origin: str | None
    before: Seconds
    shared: Seconds
    shared_key: str
    rest: Seconds
    clock: Literal["wall", "processor"] = "wall"

    @property
    def seconds(self) -> Seconds:
        """The run by itself, where others have made what is shared."""
        return self.before + self.rest

    @property
    def processor(self) -> float:
        return self.seconds.processor

    def part(self, name: Literal["before", "shared", "rest"]) -> float:
        """Seconds of a part by the run's clock."""
        return float(getattr(getattr(self, name), self.clock))


def seconds_side_by_side(runs: Sequence[Planned], slots: int, done: Collection[str] = ()) -> float:
    """Seconds until the last run is done, with at most `slots` at a time; `done` names runs that are there already.

    >>> one = Planned("a", None, Seconds(1.0), Seconds(3.0), "data", Seconds(2.0))
    >>> seconds_side_by_side([one, Planned("b", None, Seconds(1.0), Seconds(3.0), "data", Seconds(2.0))], 2)
    6.0
    >>> seconds_side_by_side([one, Planned("b", "a", Seconds(1.0), Seconds(), "", Seconds(2.0))], 2)
    9.0
    """
    waiting, free = list(runs), [0.0] * slots
    named, made = {one.path for one in runs}, dict[str, float]()
    ends = dict.fromkeys(done, 0.0)
    while waiting:
        slot = free.index(min(free))
        now = free[slot]
        # What starts from a run that cannot be foreseen is taken as if that were there.
        ready = (one for one in waiting if one.origin not in named or ends.get(str(one.origin), now + 1) <= now)
        chosen = next(ready, None)
        if chosen is None:
            free[slot] = min(end for end in ends.values() if end > now)
            continue
        waiting.remove(chosen)
        shared = now + chosen.part("before")
        if chosen.shared_key:
            made.setdefault(chosen.shared_key, shared + chosen.part("shared"))
            shared = max(shared, made[chosen.shared_key])
        free[slot] = ends[chosen.path] = shared + chosen.part("rest")
    return max(ends.values(), default=0.0)
