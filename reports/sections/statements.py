"""What a test found of two cores, and sentences made of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from atinuke_bench.formatting import number, p_value

from ..statistics.spread import LEVEL, minimum_detectable_difference
from ..statistics.verdict import NOT_TESTED, Judged, detectable_text, points

#: Cores that one verdict of a sentence names; the tables have all.
MOST_NAMED = 6
#: Verdicts in the order in which a sentence has them.
_ORDER = ("better", "worse", "equal", "tie", "undecided", NOT_TESTED)


@dataclass(frozen=True)
class Statement:
    """What was found of A and B on a task, or on the average over some: figures of A less B, in `unit`."""

    task: str
    a: str
    b: str
    verdict: str
    difference: float
    low: float
    high: float
    p_corrected: float
    detectable: float
    unit: str
    higher_is_better: bool = True
    with_floor: bool = False
    #: Why there is no test, where there is none.
    note: str = ""
    margin: float | None = None
    #: What the margin adds to a verdict: who is not worse by it, or that a difference which was found is within it.
    remark: str = ""
    low_90: float = math.nan
    high_90: float = math.nan

    @classmethod
    def of(cls, task: str, a: str, b: str, judged: Judged, unit: str, note: str = "", **fields: Any) -> Statement:
        """A difference that was judged."""
        low, high = judged.spread.interval() or (math.nan, math.nan)
        low_90, high_90 = judged.spread.interval(1 - 2 * LEVEL) or (math.nan, math.nan)
        margin = None if judged.equivalence is None else judged.equivalence.margin
        remark = _remark(a, b, judged)
        note = note.removeprefix(f"{NOT_TESTED}: ")
        return cls(
            task, a, b, judged.verdict, judged.spread.value, low, high, judged.p_corrected,
            minimum_detectable_difference(judged.spread), unit, judged.higher_is_better, note=note, margin=margin,
            remark=remark, low_90=low_90, high_90=high_90, **fields,
        )  # fmt: skip

    def seen_from(self, core: str) -> Statement:
        """The same with this core as A."""
        if self.a == core:
            return self
        turned = {"better": "worse", "worse": "better"}.get(self.verdict, self.verdict)
        own = asdict(self) | {"a": self.b, "b": self.a, "verdict": turned, "difference": -self.difference}
        return Statement(
            **own | {"low": -self.high, "high": -self.low, "low_90": -self.high_90, "high_90": -self.low_90}
        )


def _remark(a: str, b: str, judged: Judged) -> str:
    equivalence = judged.equivalence
    if equivalence is None:
        return ""
    if judged.is_told_apart:
        return f"less than {equivalence.text}" if equivalence.is_shown else ""
    if judged.verdict == "undecided" and equivalence.p_not_inferior_corrected < LEVEL:
        side = a if (judged.spread.value >= 0) == judged.higher_is_better else b
        return f"{side} is not worse by {equivalence.text}"
    return ""


def sentence(pivot: str, name: str, statements: Sequence[Statement]) -> str:
    """Who a core is better or worse than, tied with or equal to, and whether it is above the floor."""
    seen = [one.seen_from(pivot) for one in statements]
    cores = [one for one in seen if not one.with_floor]
    parts = [_clause(verdict, [one for one in cores if one.verdict == verdict]) for verdict in _ORDER]
    parts += [_floor_clause(one) for one in seen if one.with_floor]
    return f"{name} is {'; '.join(part for part in parts if part)}."


def _clause(verdict: str, found: Sequence[Statement]) -> str:
    if not found:
        return ""
    shown = found[:MOST_NAMED]
    more = f" and {len(found) - len(shown)} more" if len(found) > len(shown) else ""
    if verdict == NOT_TESTED:
        reasons: dict[str, list[str]] = {}
        for one in shown:
            reasons.setdefault(one.note, []).append(f"{one.b} ({number(one.difference, sign=True)} {one.unit})")
        return "; ".join(f"not tested against {', '.join(own)}{more}: {why}" for why, own in reasons.items())
    if verdict in ("better", "worse"):
        return f"{verdict} than {join([f'{one.b} by {_size(one)}' for one in shown])}{more}"
    if verdict == "equal":
        margin = shown[0].margin or math.nan
        texts = [
            f"{one.b} ({_signed(one)}, 90 % interval [{number(one.low_90)}, {number(one.high_90)}])" for one in shown
        ]
        return f"equal within {points(margin)} to {join(texts)}{more}"
    texts = [
        f"{one.b} ({_signed(one)}, {_p(one.p_corrected)}; {detectable_text(one.detectable)}{_also(one)})"
        for one in shown
    ]
    if verdict == "tie":
        return f"tied with {join(texts)}{more}"
    return f"neither told apart from nor shown to be equal to {join(texts)}{more}"


def _floor_clause(one: Statement) -> str:
    if one.verdict == NOT_TESTED:
        return f"not tested against the floor {one.b} ({number(one.difference, sign=True)} {one.unit}): {one.note}"
    if one.verdict == "better":
        return f"above the floor {one.b} by {_size(one)}"
    if one.verdict == "worse":
        return f"BELOW the floor {one.b} by {_size(one)}"
    figures = f"{_signed(one)}, {_p(one.p_corrected)}; {detectable_text(one.detectable)}{_also(one)}"
    return f"NOT shown to be above the floor {one.b} ({figures})"


def _size(one: Statement) -> str:
    """How far apart two are, whichever is better: "3.20 points [1.10, 5.30] (p 0.0040)"."""
    sign = 1.0 if one.difference > 0 else -1.0
    ends = sorted((sign * one.low, sign * one.high))
    interval = f" [{number(ends[0])}, {number(ends[1])}]"
    return f"{number(abs(one.difference))} {one.unit}{interval} ({_p(one.p_corrected)}{_also(one)})"


def _also(one: Statement) -> str:
    return f"; {one.remark}" if one.remark else ""


def _signed(one: Statement) -> str:
    return f"{number(one.difference, sign=True)} {one.unit} [{number(one.low)}, {number(one.high)}]"


def _p(p: float) -> str:
    """
    >>> _p(0.0123), _p(1e-9)
    ('p 0.0123', 'p <0.0001')
    """
    return f"p {p_value(p)}"


def join(texts: Sequence[str]) -> str:
    """
    >>> join(["a"]), join(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"
