"""Score and loss against parameters and training FLOPs, and the power law they follow, where there are enough sizes.

Points belong to one series when they are variants of one core in one column that differ in size alone. The law is
y = a * x^b, fitted by least squares on logarithms of the means over seeds; y is the loss, or the distance of the score
from its best (100 less the score). The interval of b is Student's, so that it holds the scatter of the sizes around
the line, seeds included. No constant is fitted: a few sizes cannot tell it from the exponent.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import ArrayLike
from scipy import stats

from atinuke_bench.config import is_floor
from atinuke_bench.formatting import MISSING, number

from ..drawing.labels import label_points, plain_log_axis
from ..drawing.style import MOST_VARIANTS, Look, Plot, finished, looks, new_figure, slug
from ..reading.column import Column
from ..reading.frame import Frame
from ..statistics.cells import Cell, Cells
from .table import Table

#: Fewest sizes of a fit, and how far apart the smallest and the largest must be.
FEWEST_SIZES = 4
LEAST_RATIO = 4.0

COSTS = {"cost.parameters": "parameters", "cost.training_flops": "training FLOPs"}
_SIZES = {f"core.{name}" for name in ("hidden_size", "num_layers", "num_heads", "feedforward_size", "max_positions")}
NOTE = (
    f"y = a·x^b, by least squares on logarithms of means over seeds, for {FEWEST_SIZES} or more sizes that are "
    f"{LEAST_RATIO:g} or more times apart; y is the loss, or 100 less the score where more is better. The interval "
    "of b is Student's over the sizes. A law fitted here says nothing of sizes beyond those measured."
)


@dataclass(frozen=True)
class PowerLaw:
    """y = coefficient * x ** exponent, with the 95 % interval of the exponent and the share of variance it explains."""

    coefficient: float
    exponent: float
    low: float
    high: float
    r_squared: float


@dataclass(frozen=True)
class Series:
    """One core in one column, smallest size first: its costs, scores with their intervals, and losses."""

    column: Column
    name: str
    variants: tuple[str, ...]
    costs: Mapping[str, np.ndarray]
    scores: np.ndarray
    intervals: tuple[tuple[float, float], ...]
    losses: np.ndarray
    loss_name: str
    higher_is_better: bool


def fit_power_law(x: ArrayLike, y: ArrayLike) -> PowerLaw:
    """The power law through points; ValueError with the reason when it cannot be fitted.

    >>> law = fit_power_law([1, 2, 4, 8], [8, 4, 2, 1])
    >>> round(law.exponent, 6), round(law.coefficient, 6)
    (-1.0, 8.0)
    """
    points = np.array([x, y], dtype=np.float64)  # [2, N]
    sizes, values = points[:, (np.isfinite(points) & (points > 0)).all(axis=0)]
    num_sizes = len(np.unique(sizes))
    if num_sizes < FEWEST_SIZES:
        raise ValueError(f"no fit: {num_sizes} size{'s' * (num_sizes != 1)}, {FEWEST_SIZES} needed")
    if (ratio := sizes.max() / sizes.min()) < LEAST_RATIO:
        raise ValueError(f"no fit: sizes are {ratio:.1f} times apart, {LEAST_RATIO:g} needed")
    line = stats.linregress(np.log(sizes), np.log(values))
    slope = float(line.slope)
    half = float(stats.t.ppf(0.975, len(sizes) - 2)) * line.stderr
    return PowerLaw(math.exp(line.intercept), slope, slope - half, slope + half, float(line.rvalue**2))


def series_of(frame: Frame, cells: Cells) -> list[Series]:
    """Every core with two or more sizes in a column."""
    groups: dict[tuple[Column, str, str], list[Cell]] = {}
    for cell in (cell for own in cells.values() for cell in own.values()):
        config, core = frame.config(cell.runs[0]), frame.value(cell.runs[0], "core")
        if config and not is_floor(core):
            kind = {name: value for name, value in config.items() if name.startswith("core.") and name not in _SIZES}
            groups.setdefault((cell.column, core, json.dumps(kind, sort_keys=True, default=str)), []).append(cell)
    sized = {key: sizes for key, own in groups.items() if len(sizes := _one_a_size(frame, own)) > 1}
    num_kinds = Counter((column, core) for column, core, _ in sized)
    return [
        _series(frame, core if num_kinds[column, core] == 1 else own[0].variant, own)
        for (column, core, _), own in sized.items()
    ]


def _one_a_size(frame: Frame, cells: Sequence[Cell]) -> list[Cell]:
    """Of several variants of one size the one with the best selection score, as a user would have chosen it."""
    best: dict[str, tuple[float, Cell]] = {}
    for cell in cells:
        config = frame.config(cell.runs[0])
        key = json.dumps([config.get(name) for name in sorted(_SIZES)])
        score = float(frame.runs.loc[list(cell.runs), "selection_score"].mean())
        rank = -math.inf if math.isnan(score) else score if cell.higher_is_better else -score
        if key not in best or rank > best[key][0]:
            best[key] = rank, cell
    return [cell for _, cell in best.values()]


def _series(frame: Frame, name: str, cells: Sequence[Cell]) -> Series:
    runs = frame.runs
    costs = {key: _means(pd.to_numeric(runs[key], errors="coerce"), cells) for key in COSTS if key in runs}
    order = np.argsort(next(iter(costs.values()))) if costs else np.arange(len(cells))
    cells = [cells[place] for place in order]
    losses, loss_name = _means(runs["loss"], cells), "evaluation loss"
    if not np.isfinite(losses).all():
        losses = np.array([np.mean([_last_loss(frame, run) for run in cell.runs]) for cell in cells])
        loss_name = "training loss (last epoch)"
    return Series(
        cells[0].column,
        name,
        tuple(cell.variant for cell in cells),
        {key: values[order] for key, values in costs.items()},
        np.array([cell.mean for cell in cells]),
        tuple(cell.interval for cell in cells),
        losses,
        loss_name,
        cells[0].higher_is_better,
    )


def _means(values: pd.Series, cells: Sequence[Cell]) -> np.ndarray:
    return np.array([float(values[list(cell.runs)].mean()) for cell in cells])


def _last_loss(frame: Frame, run: int) -> float:
    values = [epoch.get("loss") for epoch in frame.history(run)]
    return float("nan") if not values or values[-1] is None else float(values[-1])


def scaling_table(frame: Frame, found: Sequence[Series]) -> Table:
    """One row a series, quantity and cost: the law, or why there is none."""
    rows = [
        {"task": frame.name_of(one.column), "core": one.name, "quantity": quantity, "against": COSTS[cost],
         "sizes": len(one.variants), **_fit_figures(x, y)}
        for one in found
        for cost, x in one.costs.items()
        for quantity, y in _quantities(one)
    ]  # fmt: skip
    data = pd.DataFrame(rows)
    shown = data[["task", "core", "quantity", "against", "sizes"]].copy()
    shown["exponent b"] = [
        f"{number(row['exponent'], 3, sign=True)} [{number(row['low'], 3)}, {number(row['high'], 3)}]"
        if math.isfinite(row["exponent"])
        else MISSING
        for row in rows
    ]
    shown["coefficient a"] = [f"{row['coefficient']:.3g}" if row["note"] == "" else MISSING for row in rows]
    shown["R²"] = [number(row["r_squared"], 3) for row in rows]
    shown["note"] = [row["note"] for row in rows]
    return Table("scaling", "Power laws", shown, data, (NOTE,), section="scaling")


def _quantities(one: Series) -> list[tuple[str, np.ndarray]]:
    score = ("100 − score", 100 - one.scores) if one.higher_is_better else ("score", one.scores)
    return [score, *([(one.loss_name, one.losses)] if np.isfinite(one.losses).any() else [])]


def _fit_figures(x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    try:
        law = fit_power_law(x, y)
    except ValueError as error:
        nan = float("nan")
        return {"exponent": nan, "low": nan, "high": nan, "coefficient": nan, "r_squared": nan, "note": str(error)}
    return {**vars(law), "note": ""}


def scaling_plots(frame: Frame, found: Sequence[Series]) -> list[Plot]:
    """One figure a column: score and loss against both costs, a line where a law was fitted."""
    columns: dict[Column, list[Series]] = {}
    for one in found:
        columns.setdefault(one.column, []).append(one)
    return [plot for column, own in columns.items() if (plot := _figure(frame, column, own)) is not None]


def _figure(frame: Frame, column: Column, found: Sequence[Series]) -> Plot | None:
    costs = [cost for cost in COSTS if all(cost in one.costs for one in found)]
    if not costs:
        return None
    drawn = found[:MOST_VARIANTS]
    look = looks(sorted(one.name for one in drawn))
    has_loss = any(np.isfinite(one.losses).any() for one in drawn)
    num_rows = 1 + has_loss
    figure, panels = new_figure(len(costs), 2.8 * num_rows, num_rows)
    metric = frame.runs.loc[frame.runs["column"] == column, "metric"].iloc[0]
    for place, axes in enumerate(panels):
        row, cost = place // len(costs), costs[place % len(costs)]
        _panel(axes, drawn, cost, is_loss=bool(row), look=look)
        axes.set_xlabel(COSTS[cost])
        axes.set_ylabel(drawn[0].loss_name if row else metric)
    name = frame.name_of(column)
    some = f"; {len(drawn)} of {len(found)} series" if len(drawn) < len(found) else ""
    title = f"{name}: score and loss by size (mean, 95 % interval; thin lines: fitted power laws{some})"
    return finished(figure, f"scaling-{slug(name)}", title, "scaling")


def _panel(axes: Axes, found: Sequence[Series], cost: str, *, is_loss: bool, look: Mapping[str, Look]) -> None:
    axes.set_xscale("log")
    plain_log_axis(axes.xaxis)
    for one in found:
        own, x, y = look[one.name], one.costs[cost], one.losses if is_loss else one.scores
        axes.plot(x, y, color=own.colour, marker=own.marker, ls="", ms=6)
        if not is_loss:
            low, high = np.array(one.intervals).T
            axes.vlines(x, low, high, color=own.colour, lw=1.2)
        turned = not is_loss and one.higher_is_better
        try:
            law = fit_power_law(x, 100 - y if turned else y)
        except ValueError:
            axes.plot(x, y, color=own.colour, lw=0.6, ls=":")
        else:
            grid = np.geomspace(x.min(), x.max(), 50)
            fitted = law.coefficient * grid**law.exponent
            axes.plot(grid, 100 - fitted if turned else fitted, color=own.colour, lw=1, ls=own.line)
    axes.margins(x=0.25)
    ends = [(one.costs[cost][-1], (one.losses if is_loss else one.scores)[-1], look[one.name].name) for one in found]
    lines = [
        ((float(x), low), (float(x), high))
        for one in found
        for x, (low, high) in zip(one.costs[cost], one.intervals, strict=True)
        if not is_loss and np.isfinite([x, low, high]).all()
    ]
    label_points(axes, [end for end in ends if np.isfinite(end[:2]).all()], lines)
