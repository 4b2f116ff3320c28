"""What may be said of a difference: better, worse, equal within a margin, undecided; by tests that Holm corrects.

Two questions are asked of each difference d of A less B. Is it 0? With a margin m, is it between -m and m (TOST,
Schuirmann 1987), or at least not below -m for the side that scores higher (non-inferiority)? TOST at 5 % says yes
exactly where the uncorrected 90 % interval of d lies within the margin. Each question has Holm's correction over all
comparisons of its table. Of the two hypotheses of inferiority of a comparison at most one is true, so that its smaller
p counts as one test (Shaffer 1986).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from atinuke_bench.errors import ConfigError
from atinuke_bench.formatting import number
from atinuke_bench.metrics.holm import holm

from .spread import LEVEL, Spread, minimum_detectable_difference

NOT_TESTED = "not tested"
#: Seeds of each trained core that "equal" on one task needs: of two, whose spread is hardly known, 7 % of simulated
#: tables of seven tasks had a false one; of three 3 %.
FEWEST_SEEDS = 3
#: Of two that no example and no seed set apart.
ALIKE = "scored alike on every example"
#: Verdicts of a difference that no test found; what is least known comes first.
NOT_TOLD_APART = ("tie", "undecided", "equal")


@dataclass(frozen=True)
class Equivalence:
    """Whether a difference is within `margin` points: p of TOST, and of the higher side being worse by the margin.

    Both NaN where there is no test (`Judged.why_no_margin`).
    """

    margin: float
    p: float
    p_not_inferior: float
    p_corrected: float
    p_not_inferior_corrected: float

    @property
    def is_shown(self) -> bool:
        """Whether a test found the difference within the margin."""
        return self.p_corrected < LEVEL

    @property
    def text(self) -> str:
        return points(self.margin)


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A difference of A less B, Holm's p of it over its family, and with a margin whether it is within."""

    spread: Spread
    p_corrected: float
    equivalence: Equivalence | None = None

    @property
    def higher_is_better(self) -> bool:
        return True

    @property
    def why_no_margin(self) -> str:
        """Why no margin can be tested; empty where one can."""
        return ""

    @property
    def is_tested(self) -> bool:
        return math.isfinite(self.spread.error)

    @property
    def is_told_apart(self) -> bool:
        """Whether a test found a difference."""
        return self.p_corrected < LEVEL

    @property
    def verdict(self) -> str:
        """Better, worse or tie, as seen from A; with a margin, equal or undecided in place of tie."""
        if not self.is_tested:
            return NOT_TESTED
        if self.is_told_apart:
            return "better" if (self.spread.value > 0) == self.higher_is_better else "worse"
        if self.equivalence is None:
            return "tie"
        return "equal" if self.equivalence.is_shown else "undecided"

    @property
    def finding(self) -> str:
        """The verdict for readers: beside one that is open, the difference that the runs could have shown."""
        verdict, equivalence = self.verdict, self.equivalence
        detectable = detectable_text(minimum_detectable_difference(self.spread))
        if verdict == "tie":
            return f"tie ({detectable})"
        if equivalence is None:
            return verdict
        if verdict == "undecided" and equivalence.p_not_inferior_corrected < LEVEL:
            side = "A" if (self.spread.value >= 0) == self.higher_is_better else "B"
            return f"undecided ({detectable}; {side} is not worse by {equivalence.text})"
        if verdict == "undecided":
            return f"undecided ({detectable})"
        if verdict == "equal":
            return f"equal within {equivalence.text}"
        return f"{verdict}, by less than {equivalence.text}" if equivalence.is_shown else verdict

    def margin_record(self) -> dict[str, Any]:
        """What the margin adds to the plain figures; nothing without one."""
        if self.equivalence is None:
            return {}
        low, high = self.spread.interval(1 - 2 * LEVEL) or (math.nan, math.nan)
        return {
            "margin": self.equivalence.margin,
            "low 90": low,
            "high 90": high,
            "p equal": self.equivalence.p,
            "p equal corrected": self.equivalence.p_corrected,
            "p not inferior": self.equivalence.p_not_inferior,
            "p not inferior corrected": self.equivalence.p_not_inferior_corrected,
            "finding": self.finding,
        }


J = TypeVar("J", bound=Judged)


def detectable_text(difference: float) -> str:
    """What two that a test did not tell apart could have differed by; NaN where no example and no seed set them apart.

    >>> detectable_text(0.584), detectable_text(math.nan)
    ('detectable: 0.58', 'scored alike on every example; detectable: unknown')
    """
    return f"detectable: {number(difference)}" if math.isfinite(difference) else f"{ALIKE}; detectable: unknown"


def points(margin: float) -> str:
    """A margin in words.

    >>> points(1.0), points(0.5)
    ('1 point', '0.5 points')
    """
    return f"{margin:g} {'point' if margin == 1 else 'points'}"


def require_margin(margin: float | None) -> float | None:
    """The margin, if there is one that a difference can be within; ConfigError."""
    if margin is not None and not 0 < margin < 100:
        raise ConfigError(f"--margin is a number of points above 0 and below 100, such as 1; found {margin:g}")
    return margin


def margin_note(margin: float | None) -> str:
    """What the verdicts of a margin mean, below a table; empty without one."""
    if margin is None:
        return ""
    text = points(margin)
    return (
        f"Margin {text}: equal is a finding, that the difference is less than {text} either way (TOST at 5 %, which is "
        "the 90 % interval within the margin, and Holm's correction); not worse by it: the test of non-inferiority of "
        "the side that scores higher; undecided: neither better nor equal could be shown."
    )


def equivalence_p(spread: Spread, margin: float) -> tuple[float, float]:
    """p of the difference being as large as the margin (TOST), and of the higher side being worse by it.

    >>> [round(p, 4) for p in equivalence_p(Spread(0.5, 0.25, 20.0), 1.0)]
    [0.0296, 0.0]
    >>> equivalence_p(Spread(2.0, 0.0, 20.0), 1.0)
    (1.0, 0.0)

    Of two that are alike on every unit, p is how likely that is where as many units differ as the margin needs.

    >>> [round(p, 4) for p in equivalence_p(Spread(0.0, 0.0, 99.0), 1.0)]
    [0.366, 0.366]
    """
    if not math.isfinite(spread.error):
        return math.nan, math.nan
    if spread.is_alike:
        return (max(0.0, 1 - margin / 100) ** (spread.freedom + 1),) * 2
    sides = spread.p_above(-margin), spread.p_below(margin)
    return max(sides), min(sides)


def corrected(judged: Sequence[J], num_tests: int | None = None, margin: float | None = None) -> list[J]:
    """The differences with Holm's p values over all of them."""
    adjusted = holm([one.spread.p_value for one in judged], num_tests)
    found = [replace(one, p_corrected=float(p)) for one, p in zip(judged, adjusted, strict=True)]
    if margin is None:
        return found
    plain = [(math.nan, math.nan) if one.why_no_margin else equivalence_p(one.spread, margin) for one in found]
    both = [holm(values, num_tests) for values in zip(*plain, strict=True)]
    return [
        replace(one, equivalence=Equivalence(margin, p, p_not_inferior, float(equal), float(not_inferior)))
        for one, (p, p_not_inferior), equal, not_inferior in zip(found, plain, *both, strict=True)
    ]
