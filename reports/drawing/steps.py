"""Trainings of one variant step by step: loss, gradient norm and how much a step changed weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from .once import drawn_once
from .style import SOFT, Plot, finished, new_figure, slug, tip

#: Points of a line, each the mean of some steps; with more, noise hides the course.
MOST_POINTS = 60
#: What a step should change weights by (Karpathy's rule).
USUAL_RATIO = 1e-3
_WRONG = "#d55e00"


@dataclass(frozen=True)
class Course:
    """A training: its name, what is wrong with it (empty: nothing), and figures by step."""

    name: str
    wrong: str
    steps: tuple[float, ...]
    loss: tuple[float, ...]
    norm: tuple[float, ...]
    ratio_steps: tuple[float, ...]
    ratio: tuple[float, ...]


@drawn_once
def courses(what: str, drawn: Sequence[Course], clip: float) -> Plot:
    """Three panels; trainings with a serious finding in colour, the others of the variant in grey."""
    figure, (loss, norm, ratio) = new_figure(3, 2.6)
    for one in sorted(drawn, key=lambda course: bool(course.wrong)):
        _line(loss, one, one.steps, one.loss, "loss")
        _line(norm, one, one.steps, one.norm, "gradient norm")
        _line(ratio, one, one.ratio_steps, one.ratio, "update ratio")
    loss.set_title("training loss")
    norm.set_title("gradient norm")
    ratio.set_title("update ratio")
    for axes, level in ((norm, clip), (ratio, USUAL_RATIO)):
        axes.set_yscale("log")
        axes.axhline(level, color=SOFT, ls="--", lw=0.8, zorder=0)
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 3.0), numticks=6))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    for axes in (loss, norm, ratio):
        axes.set_xlabel("step")
        axes.xaxis.set_major_locator(MaxNLocator(3, integer=True))
    title = (
        f"{what}: trainings with serious findings in colour, others in grey (dashed: where gradients are clipped, and "
        "the usual update of 0.1 %)"
    )
    return finished(figure, f"steps-{slug(what)}", title, "training")


def _line(axes: Axes, one: Course, steps: Sequence[float], values: Sequence[float], what: str) -> None:
    xs, ys = np.asarray(steps, dtype=np.float64), np.asarray(values, dtype=np.float64)
    known = np.isfinite(ys) & ((ys > 0) | (what == "loss"))
    xs, ys = _thinned(xs[known], ys[known])
    if not len(xs):
        return
    (line,) = axes.plot(xs, ys, color=_WRONG if one.wrong else SOFT, lw=1.2 if one.wrong else 0.8,
                        alpha=1.0 if one.wrong else 0.6)  # fmt: skip
    said = f"{one.name}: {one.wrong}" if one.wrong else one.name
    tip(line, *(f"{said}; {what} {y:.3g} at step {x:.0f}" for x, y in zip(xs, ys, strict=True)))


def _thinned(xs: np.ndarray, ys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most `MOST_POINTS` points, each the mean of its neighbours."""
    every = max(1, -(-len(xs) // MOST_POINTS))
    if every == 1:
        return xs, ys
    starts = np.arange(0, len(xs), every)
    counts = np.diff(np.append(starts, len(xs)))
    return xs[starts + counts - 1], np.add.reduceat(ys, starts) / counts
