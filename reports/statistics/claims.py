"""What a set of runs says to one claim: supported, refuted or undecided, and what it would take to decide.

A claim is that some contrasts of means are above 0. It is supported where every one of them is, each tested at the
level (Berger 1982: a conjunction needs no correction), and refuted where one of them is below 0, corrected for how many
there are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .cells import Cell
from .spread import LEVEL, Spread, contrast, sources

SUPPORTED, REFUTED, UNDECIDED = "supported", "refuted", "undecided"
#: Numbers of seeds at which a claim that is carried out is looked at.
LOOKS = (3, 5, 8, 12, 18, 27, 40, 60)


@dataclass(frozen=True)
class Contrast:
    """How far A is beyond a bound on one task: above 0 where the claim holds there."""

    task: str
    a: Cell
    b: Cell
    #: For readers: "A - B - 1 points".
    formula: str
    spread: Spread
    #: Share of the level's two sides that may be spent on its support.
    one_sided: float = 0.5
    #: Seeds of each core that would decide it if the difference is what it seems; None where no number does.
    seeds_needed: int | None = None

    def turned(self) -> Contrast:
        """The same distance to the other side of the bound."""
        value = Spread(-self.spread.value, self.spread.error, self.spread.freedom)
        return replace(self, spread=value)

    def interval(self, level: float) -> tuple[float, float]:
        """The two-sided interval; NaN where there is none."""
        return self.spread.interval(1 - level) or (math.nan, math.nan)

    def verdict(self, level: float, num_contrasts: int = 1) -> str:
        """What the runs say to this contrast alone."""
        if self.interval(2 * level * self.one_sided)[0] > 0:
            return SUPPORTED
        return REFUTED if self.interval(level / num_contrasts)[1] < 0 else UNDECIDED


def make_contrast(
    a: Cell, b: Cell, *, relative: float = 0.0, offset: float = 0.0, formula: str = "", one_sided: float = 0.5
) -> Contrast:
    """How far A, by its metric's direction, is beyond B changed by a share and beyond an offset in points.

    With s = 1 where higher is better and -1 otherwise it is s (A - (1 + s relative) B) - offset.
    """
    sign = 1.0 if a.higher_is_better else -1.0
    parts = [(a.scores, sign), (b.scores, -sign * (1 + sign * relative))]
    found = contrast(parts)
    spread = Spread(found.value - offset, found.error, found.freedom)
    known = sources(parts)
    can_tell = math.isfinite(spread.error) and spread.value != 0
    needed = known.seeds_needed(spread.value) if known and can_tell else None
    return Contrast(a.column.task, a, b, formula, spread, one_sided, needed)


def verdict(contrasts: Sequence[Contrast], level: float = LEVEL) -> str:
    """Supported, refuted or undecided, at a two-sided level."""
    own = [one.verdict(level, len(contrasts)) for one in contrasts]
    if REFUTED in own:
        return REFUTED
    return SUPPORTED if all(one == SUPPORTED for one in own) else UNDECIDED


def level_of_look(number: int) -> float:
    """The level of look `number` (from 0) at a claim that is carried out: half of what is left of 5 %.

    The looks together spend less than 5 %, however many there are, so that to stop at any of them is allowed.

    >>> [level_of_look(number) for number in range(3)]
    [0.025, 0.0125, 0.00625]
    """
    return LEVEL / 2 ** (number + 1)


def next_look(num_seeds: int, most: int) -> int | None:
    """The number of seeds at which to look next, after `num_seeds`; None where that is more than `most`.

    >>> next_look(0, 10), next_look(3, 10), next_look(8, 10)
    (3, 5, None)
    """
    return next((look for look in LOOKS if num_seeds < look <= most), None)
