"""The figures of scaling laws: one for each core over size and data, one for each task over size or data alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..drawing.labels import compact
from ..drawing.names import short
from ..drawing.scaling import Frontier, Marks, Panel, Predicted, scaling_figure, told
from ..drawing.style import MOST_VARIANTS, Look, Plot, looks, slug
from ..statistics.scaling_use import Operations, optima
from .scaling import Scaling
from .scaling_points import Point, Series

_NUM_PLACES = 40
#: Letters of a name in a panel.
_MOST_LETTERS = 20


def scaling_plots(found: Sequence[Scaling]) -> list[Plot]:
    """Every law over size and data has a figure; the others of a task share one."""
    plots = [_over_both(one) for one in found if one.is_over_both]
    alone: dict[tuple[str, str, bool], list[Scaling]] = {}
    for one in found:
        if not one.is_over_both and (_along(one) > 0).all():
            alone.setdefault((one.series.task, one.series.quantity, _is_by_data(one)), []).append(one)
    return plots + [_over_one(own) for own in alone.values()]


def _is_by_data(one: Scaling) -> bool:
    """Whether what is no law over both is drawn over data, and not over size."""
    return one.over == (1,) or one.part.num_sizes < 2


def _along(one: Scaling) -> np.ndarray:
    return one.part.tokens if _is_by_data(one) else one.part.sizes


def _over_both(one: Scaling) -> Plot:
    series = one.part
    groups = _by_size(series)
    look = looks([name for name, _ in groups])
    panels, told_left = [], ""
    if one.knows_operations:
        panels.append(_over_operations(one, groups, look))
        told_left = "Left: a line for each size; "
        if one.optima:
            told_left += "thick: the least error for a budget by the law, dashed: by these runs; "
    predicted = _predicted(one)
    marks = [
        _marks(series, places, name, look[name], series.sizes, has_intervals=not one.knows_operations)
        for name, places in groups
    ]
    heading = "by tokens; bars: predicted" if predicted else "by tokens"
    panels.append(Panel(series.size_name, tuple(marks), _over_sizes(one), predicted, heading=heading))
    bars = "; bars: the 95 % intervals of a law fitted without the largest size" if predicted else ""
    title = (
        f"{series.short_name} on {series.task}: error by size and data (mean, 95 % interval), with the fitted law. "
        f"{told_left}{'right: ' if told_left else ''}a line for each amount of data{bars}"
    )
    return scaling_figure(f"scaling-{slug(f'{series.task}-{series.name}')}", title, series.quantity, tuple(panels))


def _over_operations(one: Scaling, groups: Sequence[tuple[str, np.ndarray]], look: Mapping[str, Look]) -> Panel:
    series, law = one.part, one.law
    assert law is not None, "a law over both"
    operations = Operations.of(series.sizes, series.tokens, series.operations)
    marks = []
    for name, places in groups:
        tokens = np.geomspace(series.tokens[places].min(), series.tokens[places].max(), _NUM_PLACES)
        size = series.sizes[places].mean()
        spent = operations.coefficient * size**operations.exponent * tokens
        curve = spent, law.predict(np.array([np.full_like(tokens, size), tokens]))
        marks.append(_marks(series, places, name, look[name], series.operations, curve))
    frontier = _frontier(one, operations) if one.optima else None
    heading = "by size, and the best of all sizes" if frontier else "by size"
    return Panel("training FLOPs", tuple(marks), frontier=frontier, heading=heading)


def _over_sizes(one: Scaling) -> tuple[tuple[str, tuple[np.ndarray, np.ndarray]], ...]:
    """The law over sizes, a named curve for each amount of data."""
    assert one.law is not None, "a law over both"
    sizes = np.geomspace(one.part.sizes.min(), one.part.sizes.max(), _NUM_PLACES)
    curves = []
    for amount in _amounts(one.part):
        values = one.law.predict(np.array([sizes, np.full_like(sizes, amount)]))
        curves.append((f"{compact(float(f'{amount:.2g}'))} tokens", (sizes, values)))
    return tuple(curves)


def _by_size(series: Series) -> list[tuple[str, np.ndarray]]:
    """The points of each size, called as its variant is."""
    order = np.argsort(series.sizes, kind="stable")
    logs = np.log(series.sizes[order])
    groups = np.split(order, np.flatnonzero(np.diff(logs) > 0.03) + 1)
    return [(series.points[int(own[0])].cell.variant, own[np.argsort(series.tokens[own])]) for own in groups]


def _amounts(series: Series) -> list[float]:
    found = np.sort(np.log(series.tokens))
    return [float(np.exp(own.mean())) for own in np.split(found, np.flatnonzero(np.diff(found) > 0.03) + 1)]


def _marks(
    series: Series, places: np.ndarray, name: str, look: Look, x: np.ndarray,
    curve: tuple[np.ndarray, np.ndarray] | None = None, *, has_intervals: bool = True,
) -> Marks:  # fmt: skip
    points = [series.points[int(place)] for place in places]
    tips = tuple(
        _told(series, point, float(series.sizes[int(place)])) for point, place in zip(points, places, strict=True)
    )
    intervals = tuple(point.interval if has_intervals else (np.nan, np.nan) for point in points)
    return Marks(short(name, _MOST_LETTERS), look, x[places], series.values[places], intervals, tips, curve)


def _told(series: Series, point: Point, size: float) -> str:
    return told(point.cell.variant, series.quantity, point.value, size, point.tokens, point.operations)


def _frontier(one: Scaling, operations: Operations) -> Frontier:
    spent, values = one.part.operations, one.part.values
    assert one.law is not None, "a law over both"
    budgets = np.geomspace(spent.min(), spent.max(), _NUM_PLACES // 2)
    best = optima(one.law, operations, budgets)
    order = np.argsort(spent)
    measured = spent[order], np.minimum.accumulate(values[order])
    low, high = (np.array([getattr(found.values, end) for found in best]) for end in ("low", "high"))
    return Frontier(budgets, np.array([found.value for found in best]), low, high, measured)


def _predicted(one: Scaling) -> tuple[Predicted, ...]:
    found = one.checks.get("largest size")
    if found is None:
        return ()
    return tuple(
        Predicted(float(one.part.sizes[place]), float(value), interval.low, interval.high)
        for place, value, interval in zip(found.places, found.predicted, found.intervals, strict=True)
    )


def _over_one(found: Sequence[Scaling]) -> Plot:
    """The cores of a task beside each other, over size or data, and over operations."""
    drawn = list(found)[:MOST_VARIANTS]
    look = looks(sorted(one.series.name for one in drawn))
    is_data = _is_by_data(drawn[0])
    first, second = [], []
    for one in drawn:
        series, own = one.part, look[one.series.name]
        x = _along(one)
        places = np.argsort(x, kind="stable")
        first.append(_marks(series, places, one.series.name, own, x, _curve(one, x)))
        second.append(_marks(series, places, one.series.name, own, series.operations))
    label = "tokens of an epoch" if is_data else drawn[0].part.size_name
    panels = [Panel(label, tuple(first))]
    if all(one.knows_operations for one in drawn):
        panels.append(Panel("training FLOPs", tuple(second)))
    task, quantity = drawn[0].series.task, drawn[0].series.quantity
    some = f"; {len(drawn)} of {len(found)} cores" if len(drawn) < len(found) else ""
    what = "data" if is_data else "size"
    title = f"{task}: error by {what} (mean, 95 % interval; lines: fitted laws{some})"
    return scaling_figure(f"scaling-{slug(task)}{'-data' if is_data else ''}", title, quantity, tuple(panels))


def _curve(one: Scaling, x: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    if one.law is None:
        return None
    grid = np.geomspace(x.min(), x.max(), _NUM_PLACES)
    return grid, one.law.predict(grid[None])
