"""How the error of a core falls with its size and with its data: the law, the best size for a budget, and a check.

Which runs belong together is in `scaling_points.py`, the law in `statistics/scaling.py`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from atinuke_bench.formatting import MISSING, number

from ..drawing.labels import compact
from ..statistics.scaling import Interval, Law, fit, intervals
from ..statistics.scaling_use import Check, Operations, Optimum, check, growth, optima
from .findings import Finding, TableFindings
from .scaling_points import Series
from .table import Table

SECTION = "scaling"
AXES = ("sizes", "amounts of data")
_LEFT_OUT = ("largest size", "most data")
LAW_NOTE = (
    "y = E + A/N^a + B/D^b (Hoffmann et al. 2022) of the error y: a loss, or 100 less the score. N: parameters "
    "without look-up tables where every run recorded them; D: tokens of one epoch, so that repeated ones count "
    "once. Huber's loss of log y, minimised over the means over seeds; brackets: 95 % profile intervals, in which "
    "seeds and the law's own faults are noise, the choice of test examples is not. “–” with a bracket from 0 or up to "
    "∞: the points do not tell the parameter. E is left out where fewer than five levels of one axis cannot tell it."
)
OPTIMUM_NOTE = (
    "The size and the tokens of one epoch that the law calls best for a budget of training FLOPs, which these runs "
    "spend as k·N^c·D, all their epochs counted; intervals over refits of drawn data. Measured: the least mean "
    "error of a run here that spent no more. Budgets are the middle and the largest of the runs here, and ten times "
    "that; “extrapolated”: the budget, the best size or the best tokens are beyond all runs here."
)
CHECK_NOTE = (
    "The law fitted without the points in question, and what it says of them beside what was measured. Miss: "
    "predicted less measured, as a share of measured. Brackets: where a mean over seeds should be in 95 % of cases."
)


@dataclass(frozen=True)
class Scaling:
    """What a series says: its law with what follows from it, or a note why there is none.

    `over` are the axes of the law, 0 for size and 1 for data; `part` the points that it was fitted to.
    """

    series: Series
    part: Series
    over: tuple[int, ...] = ()
    law: Law | None = None
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    optima: tuple[Optimum, ...] = ()
    growth: tuple[float, Interval] | None = None
    checks: Mapping[str, Check] = field(default_factory=dict)

    @property
    def is_over_both(self) -> bool:
        return self.law is not None and len(self.over) == 2

    @property
    def knows_operations(self) -> bool:
        """Whether every run recorded what its training took."""
        return bool((self.part.operations > 0).all())

    @property
    def over_name(self) -> str:
        return {(0, 1): "size and data", (0,): "size", (1,): "data", (): MISSING}[self.over]

    def is_told(self, parameter: str) -> bool:
        """Whether the points say that a parameter is above 0, and how large it is at most."""
        own = self.intervals[parameter]
        return own.low > 0 and not own.is_open

    def name_of(self, parameter: str) -> str:
        """The name of a parameter of the law in the table: of a law of data alone, B and b."""
        return {"A": "B", "a": "b"}.get(parameter, parameter) if self.over == (1,) else parameter


def scalings(found: Sequence[Series]) -> list[Scaling]:
    """The law of each series."""
    return [_scaling(one) for one in found]


def _scaling(series: Series) -> Scaling:
    """The first law that can be fitted: over both axes, over sizes on most data, over data of the largest size."""
    notes = [series.note] if series.note else []
    for over, part in _candidates(series):
        try:
            law = fit([_axis(part, axis) for axis in over], part.values, [AXES[axis] for axis in over])
        except ValueError as error:
            notes.append(str(error))
            continue
        return _with_uses(Scaling(series, part, over, law, intervals(law), tuple(notes)))
    return Scaling(series, series, notes=tuple(dict.fromkeys(notes)))


def _with_uses(one: Scaling) -> Scaling:
    """A fitted law with what follows from it, and with notes on what does not."""
    assert one.law is not None, "a law"
    part, over, notes = one.part, one.over, list(one.notes)
    if len(over) == 1 and one.series.num_sizes > 1 < one.series.num_amounts:
        notes.append(f"over {one.over_name} alone, with the {_LEFT_OUT[1 - over[0]]}")
    if not one.law.has_constant:
        notes.append("no E: five or more are needed to tell it")
    checks, unchecked = _checks(part, over)
    notes += unchecked
    untold = [AXES[axis] for axis, name in zip(over, ("a", "b"), strict=False) if not one.is_told(name)]
    if untold:
        notes.append(f"how much {' and '.join(untold)} help is not told")
    if untold or not (one.is_over_both and one.knows_operations):
        return replace(one, notes=tuple(notes), checks=checks)
    operations = Operations.of(part.sizes, part.tokens, part.operations)
    best = tuple(optima(one.law, operations, _budgets(part.operations)))
    return replace(one, notes=tuple(notes), checks=checks, optima=best, growth=growth(one.law, operations))


def _candidates(series: Series) -> list[tuple[tuple[int, ...], Series]]:
    found: list[tuple[tuple[int, ...], Series]] = []
    known = series.where(np.isfinite(series.sizes) & np.isfinite(series.tokens))
    if known.num_sizes > 1 and known.num_amounts > 1:
        found.append(((0, 1), known))
    if series.num_sizes > 1:
        # Runs of before did not record their tokens; the protocol has their examples.
        amounts = series.tokens if np.isfinite(series.tokens).all() else series.examples
        found.append(((0,), series.where(amounts >= amounts.max() / 1.05)))
    if known.num_amounts > 1:
        found.append(((1,), known.where(known.sizes >= known.sizes.max() / 1.05)))
    return found


def _axis(part: Series, axis: int) -> np.ndarray:
    return part.tokens if axis else part.sizes


def _checks(part: Series, over: tuple[int, ...]) -> tuple[dict[str, Check], list[str]]:
    found, notes = {}, []
    for place, axis in enumerate(over):
        try:
            found[_LEFT_OUT[axis]] = check(
                [_axis(part, one) for one in over], part.values, place, [AXES[one] for one in over]
            )
        except ValueError as error:
            notes.append(f"not checked without the {_LEFT_OUT[axis]}: {str(error).removeprefix('no fit: ')}")
    return found, notes


def _budgets(operations: np.ndarray) -> np.ndarray:
    low, high = operations.min(), operations.max()
    return np.array([np.sqrt(low * high), high, 10 * high])


def scaling_tables(found: Sequence[Scaling]) -> list[Table]:
    """The laws, the best size for some budgets, and what each law said of points that it had not seen."""
    tables = [_laws(found), _optima(found), _check_rows(found)]
    return [table for table in tables if table is not None]


def _laws(found: Sequence[Scaling]) -> Table:
    data, shown = [], []
    for one in found:
        series = one.series
        first = {"task": series.task, "core": series.name, "error": series.quantity, "over": one.over_name}
        figures, texts = _parameters(one)
        noise = one.law.noise if one.law else math.nan
        note = "; ".join(one.notes)
        data.append(
            {**first, "points": len(one.part), **figures, "noise": noise, "size_is": series.size_name, "note": note}
        )
        percent = number(100 * noise, 1, unit=" %")
        shown.append({**first, "points": _points_of(one), **texts, "noise": percent, "note": note})
    is_cut = any(one.series.is_cut for one in found)
    return Table("scaling", "Scaling laws", pd.DataFrame(shown), pd.DataFrame(data), (LAW_NOTE,), is_cut, SECTION)


def _points_of(one: Scaling) -> str:
    """How many points a law has, and how many sizes on how many amounts they are."""
    sizes, amounts = one.part.num_sizes, one.part.num_amounts
    if not one.is_over_both:
        return str(len(one.part))
    whole = f"{sizes} × {amounts}"
    return whole if len(one.part) == sizes * amounts else f"{len(one.part)} of {whole}"


def _parameters(one: Scaling) -> tuple[dict[str, float], dict[str, str]]:
    """Value and interval of each parameter, as figures and as texts."""
    figures: dict[str, float] = {}
    texts = dict.fromkeys(("E", "A", "a", "B", "b"), MISSING)
    for name in texts:
        figures |= {name: math.nan, f"{name}_low": math.nan, f"{name}_high": math.nan}
    if one.law is None:
        return figures, texts
    values = dict(zip(("A", "B"), one.law.coefficients, strict=False)) | {"E": one.law.constant}
    values |= dict(zip(("a", "b"), one.law.exponents, strict=False))
    for parameter, interval in one.intervals.items():
        # What the points cannot fix is no finding, and the factor of an unknown power is none either.
        is_told = one.is_told(parameter) and one.is_told(parameter.lower() if parameter != "E" else parameter)
        name = one.name_of(parameter)
        figures[name] = float(values[parameter]) if is_told else math.nan
        figures[f"{name}_low"], figures[f"{name}_high"] = interval.low, interval.high
        texts[name] = f"{_figure(figures[name]) if is_told else MISSING} {bracket(interval)}"
    return figures, texts


def _figure(value: float) -> str:
    """A parameter to three digits; ∞ where it has no end."""
    return "∞" if math.isinf(value) else f"{value:.3g}" if value < 1e4 else f"{value:.1e}"


def bracket(interval: Interval) -> str:
    """An interval of a parameter.

    >>> bracket(Interval(0.1234, float("inf")))
    '[0.123, ∞]'
    """
    return f"[{_figure(interval.low)}, {_figure(interval.high)}]"


def _optima(found: Sequence[Scaling]) -> Table | None:
    data, shown = [], []
    for one in found:
        for best in one.optima:
            spent = one.part.operations <= best.budget * 1.001
            measured = float(one.part.values[spent].min()) if spent.any() else math.nan
            first = {"task": one.series.task, "core": one.series.name}
            is_dearer = best.budget > one.part.operations.max() * 1.001
            is_beyond = is_dearer or _is_beyond(best.size, one.part.sizes) or _is_beyond(best.tokens, one.part.tokens)
            data.append(
                {**first, "training_flops": best.budget, "is_extrapolated": is_beyond}
                | _spread("size", best.size, best.sizes)
                | _spread("tokens", best.tokens, best.amounts)
                | _spread("error", best.value, best.values)
                | {"measured": measured}
            )
            shown.append(
                {**first, "training FLOPs": f"{best.budget:.2g}" + (" (extrapolated)" if is_beyond else ""),
                 "best size": counted(best.size, best.sizes), "best tokens": counted(best.tokens, best.amounts),
                 one.series.quantity: f"{number(best.value)} [{number(best.values.low)}, {number(best.values.high)}]",
                 "measured": MISSING if is_dearer else number(measured)}
            )  # fmt: skip
    if not data:
        return None
    table = pd.DataFrame(shown).fillna(MISSING)
    return Table("scaling-optimum", "Compute-optimal size and data", table, pd.DataFrame(data), (OPTIMUM_NOTE,),
                 any(one.series.is_cut for one in found), SECTION)  # fmt: skip


def _is_beyond(value: float, measured: np.ndarray) -> bool:
    return not measured.min() / 1.05 < value < measured.max() * 1.05


def _spread(name: str, value: float, interval: Interval) -> dict[str, float]:
    return {name: value, f"{name}_low": interval.low, f"{name}_high": interval.high}


def counted(value: float, interval: Interval) -> str:
    """A count with its interval, in the units of figures.

    >>> counted(98_304, Interval(81_000, 2_140_000))
    '98k [81k, 2.1M]'
    """
    low, middle, high = (_count(one) for one in (interval.low, value, interval.high))
    return f"{middle} [{low}, {high}]"


def _check_rows(found: Sequence[Scaling]) -> Table | None:
    data, shown = [], []
    for one in found:
        for left_out, own in one.checks.items():
            for place, measured, predicted, interval, miss in zip(
                own.places, own.measured, own.predicted, own.intervals, own.misses, strict=True
            ):
                size, tokens = one.part.sizes[place], one.part.tokens[place]
                first = {"task": one.series.task, "core": one.series.name, "fitted without": left_out}
                is_inside = interval.holds(measured)
                data.append({**first, "size": size, "tokens": tokens, "measured": measured, "predicted": predicted,
                             "low": interval.low, "high": interval.high, "miss": miss,
                             "is_inside": is_inside})  # fmt: skip
                shown.append(
                    {**first, "size": _count(size), "tokens": _count(tokens), "error": one.series.quantity,
                     "measured": number(measured), "predicted": number(predicted),
                     "95 % interval": f"[{number(interval.low)}, {number(interval.high)}]",
                     "miss": number(100 * miss, 1, sign=True, unit=" %"), "": "inside" if is_inside else "outside"}
                )  # fmt: skip
    if not data:
        return None
    return Table("scaling-check", "What the law says of runs that it was not fitted to", pd.DataFrame(shown),
                 pd.DataFrame(data), (CHECK_NOTE,), any(one.series.is_cut for one in found), SECTION)  # fmt: skip


def _count(value: float) -> str:
    if math.isinf(value):
        return "∞"
    return MISSING if math.isnan(value) else compact(float(f"{value:.2g}"))


def scaling_findings(found: Sequence[Scaling]) -> list[TableFindings]:
    """A sentence for each law: what size and data are worth, the best size, and how well the law predicts."""
    tasks = tuple(Finding(one.series.task, _sentence(one), "scaling") for one in found if one.law is not None)
    return [TableFindings("scaling", "How errors fall with size and data", (), tasks)] if tasks else []


def _sentence(one: Scaling) -> str:
    assert one.law is not None, "a law"
    what = f"{one.series.name}, {one.series.quantity} over {one.over_name}"
    parts = []
    for parameter, axis, power in zip(("a", "b"), one.over, one.law.exponents.tolist(), strict=False):
        ends, what_falls = bracket(one.intervals[parameter]), ("size", "data")[axis]
        told = f"{('N', 'D')[axis]}^−{_figure(power)} {ends}"
        untold = f"a power that the runs do not tell {ends}"
        parts.append(f"the part of {what_falls} falls as {told if one.is_told(parameter) else untold}")
    if one.law.has_constant:
        constant = one.intervals["E"]
        left = f"{_figure(one.law.constant)} {bracket(constant)} stays"
        parts.append(left if one.is_told("E") else f"at most {_figure(constant.high)} stays, and perhaps nothing")
    if one.growth is not None:
        power, interval = one.growth
        parts.append(f"the best size grows with the budget to the power {_figure(power)} {bracket(interval)}")
    for left_out, own in one.checks.items():
        worst = float(own.misses[np.abs(own.misses).argmax()])
        miss = number(100 * worst, 1, sign=True, unit=" %")
        most = "at most " if len(own.misses) > 1 else ""
        inside = f"{own.num_inside} of {len(own.misses)} inside the interval"
        parts.append(f"fitted without the {left_out} it misses that by {most}{miss}, {inside}")
    return f"{what}: {'; '.join(parts)}."
