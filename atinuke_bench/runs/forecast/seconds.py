"""Time as a clock on the wall and as the processor tell it, and what of it grows with the data."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Seconds:
    """A stretch of time. `processor` counts all threads of a process, and hardly changes when others use the machine.

    >>> 2 * (Seconds(3.0, 2.0) - Seconds(1.0, 1.5))
    Seconds(wall=4.0, processor=1.0)
    """

    wall: float = 0.0
    processor: float = 0.0

    @classmethod
    def now(cls) -> Seconds:
        """A moment of this process; the difference of two is a stretch."""
        return cls(time.perf_counter(), time.process_time())

    @classmethod
    def since(cls, moment: Seconds) -> Seconds:
        return cls.now() - moment

    def __add__(self, other: Seconds) -> Seconds:
        return Seconds(self.wall + other.wall, self.processor + other.processor)

    def __sub__(self, other: Seconds) -> Seconds:
        return Seconds(self.wall - other.wall, self.processor - other.processor)

    def __rmul__(self, factor: float) -> Seconds:
        return Seconds(factor * self.wall, factor * self.processor)

    def positive(self) -> Seconds:
        """Itself, but never less than nothing: differences of measurements may be."""
        return Seconds(max(0.0, self.wall), max(0.0, self.processor))


NO_TIME = Seconds()


@dataclass(frozen=True)
class Line:
    """Time that has a fixed part and one for each example."""

    fixed: Seconds = NO_TIME
    each: Seconds = NO_TIME

    @classmethod
    def through(cls, few: int, time_of_few: Seconds, many: int, time_of_many: Seconds) -> Line:
        """The line through what two sizes took.

        >>> Line.through(10, Seconds(2.0, 1.0), 30, Seconds(4.0, 3.0)).at(100)
        Seconds(wall=11.0, processor=10.0)
        """
        each = ((1 / (many - few)) * (time_of_many - time_of_few)).positive()
        return cls((time_of_few - few * each).positive(), each)

    def at(self, number: float) -> Seconds:
        return self.fixed + number * self.each
