"""A figure measured here as it is set beside published ones: the values of its seeds, and what they say together."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

from atinuke_bench.formatting import with_spread


@dataclass(frozen=True)
class Ours:
    """A figure of a variant, or of a column of a suite, which `name` says; a value a seed."""

    name: str
    values: tuple[float, ...]
    #: The 95 % interval of the mean over units and seeds, of headline figures; NaN where there is none.
    interval: tuple[float, float] = (math.nan, math.nan)

    @property
    def mean(self) -> float:
        return statistics.fmean(self.values)

    @property
    def deviation(self) -> float:
        """Standard deviation over seeds; NaN of one."""
        return statistics.stdev(self.values) if len(self.values) > 1 else math.nan

    @property
    def num_seeds(self) -> int:
        return len(self.values)

    @property
    def text(self) -> str:
        """The mean, its deviation over seeds, and their number.

        >>> Ours("lstm", (84.0, 85.0)).text, Ours("lstm", (84.0,)).text
        ('84.50 ± 0.71 (2)', '84.00 (1)')
        """
        return f"{with_spread(self.mean, self.deviation)} ({self.num_seeds})"
