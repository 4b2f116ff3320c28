"""Figures of studies: the best score so far, the best to expect, pairs of hyper-parameters, and score against cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from atinuke_bench.config.written import as_written
from atinuke_bench.formatting import number

from ..drawing.labels import compact, label_ends, label_points, plain_log_axis
from ..drawing.names import short
from ..drawing.style import INK, SOFT, Plot, finished, looks, new_figure, slug, tip
from ..reading.studies import Study

_RED = "#d55e00"
#: What a cost or a budget is called on an axis; others are called as in the insight.
_AXES = {"training_flops": "training FLOPs spent", "forward_flops_per_token": "forward FLOPs per token"}


def history(name: str, studies: Sequence[Study], units: Sequence[str]) -> Plot | None:
    """Every trial's score and the best so far, against what was spent; pruned trials are hollow."""
    drawn = [study for study in studies if study.insight["history"]]
    if not drawn:
        return None
    look = looks([study.name for study in drawn])
    figure, panels = new_figure(len(units), 2.9)
    for axes, unit in zip(panels, units, strict=True):
        ends = []
        for study in drawn:
            own, history = look[study.name], study.insight["history"]
            is_pruned = {trial["number"]: trial["state"] == "pruned" for trial in study.insight["trials"]}
            x, best, score = (
                np.array([entry.get(key) for entry in history], dtype=float) for key in (unit, "best", "score")
            )
            hollow = np.array([is_pruned[entry["number"]] for entry in history])
            for chosen, face in ((hollow, "none"), (~hollow, own.colour)):
                # Marks have texts in their order, so that only those that are drawn are counted.
                known = np.flatnonzero(chosen & np.isfinite(x) & np.isfinite(score))
                (marks,) = axes.plot(x[known], score[known], color=own.colour, marker=own.marker, markerfacecolor=face,
                                     ls="", ms=3, alpha=0.35)  # fmt: skip
                state = " (pruned)" if face == "none" else ""
                tip(marks, *(f"{study.name}, trial {history[n]['number']}{state}: {number(score[n])}" for n in known))
            axes.step(x, best, color=own.colour, ls=own.line, lw=1.6, where="post")
            known = np.flatnonzero(np.isfinite(best) & np.isfinite(x))
            if len(known):
                ends.append((x[known[-1]], best[known[-1]], str(study.insight["core"]), own.colour))
        scale(axes, "x", is_log=False)
        axes.set_xlabel(_AXES.get(unit, unit))
        axes.set_title(f"best {drawn[0].insight['metric']} so far", loc="left")
        label_ends(axes, ends)
    title = f"{name}: best selection score so far (points: trials, hollow where pruned)"
    return finished(figure, f"study-history-{slug(name)}", title, "studies")


def expected(name: str, studies: Sequence[Study]) -> Plot | None:
    """The best score to expect of n trials, and for what they cost, of studies whose trials know nothing of each other.

    Curves are of the unbiased estimator; bands end where no interval is to be trusted.
    """
    drawn = [study for study in studies if study.insight.get("expected_best")]
    if not drawn:
        return None
    look = looks([study.name for study in drawn])
    figure, panels = new_figure(2, 2.9)
    for axes, unit in zip(panels, ("trials", "training_flops"), strict=True):
        ends = []
        for study in drawn:
            own, found = look[study.name], study.insight["expected_best"]
            x, mean, low, high = (np.array(found[key], dtype=float) for key in (unit, "mean", "low", "high"))
            axes.fill_between(x, low, high, color=own.colour, alpha=0.15, lw=0)
            axes.plot(x, mean, color=own.colour, ls=own.line, lw=1.4)
            (marks,) = axes.plot(x, mean, color=own.colour, marker=own.marker, ms=3, ls="")
            tip(marks, *_told_of_best(study, x, unit, mean, low, high))
            ends.append((x[-1], mean[-1], str(study.insight["core"]), own.colour))
        scale(axes, "x", is_log=False)
        axes.set_xlabel({"trials": "trials", "training_flops": "training FLOPs"}[unit])
        axes.set_title(f"expected best {drawn[0].insight['metric']}", loc="left")
        label_ends(axes, ends)
    title = f"{name}: best selection score to expect of so many independent trials, and of what they cost (95 % bands)"
    return finished(figure, f"study-expected-{slug(name)}", title, "studies")


def _told_of_best(study: Study, x: Any, unit: str, mean: Any, low: Any, high: Any) -> list[str]:
    named = "{} trials" if unit == "trials" else "{} FLOPs"
    return [
        f"{study.name}, {named.format(compact(float(f'{at:.3g}')))}: {number(best)}"
        + (f" [{number(least)}, {number(most)}]" if np.isfinite(least) else "")
        for at, best, least, most in zip(x, mean, low, high, strict=True)
    ]


def contours(study: Study) -> Plot | None:
    """Score over pairs of hyper-parameters. Trials on one line span no area, and are left out."""
    drawn = [contour for contour in study.insight.get("contours", []) if _spans_an_area(contour["points"])]
    if not drawn:
        return None
    figure, panels = new_figure(1, 3.0 * len(drawn), len(drawn))
    for axes, contour in zip(panels, drawn, strict=True):
        xs, ys, scores = zip(*contour["points"], strict=True)
        for axis in ("x", "y"):
            scale(axes, axis, is_log=domain(study, contour[axis]).get("log", False))
        filled = axes.tricontourf(xs, ys, scores, levels=12, cmap="viridis")
        (marks,) = axes.plot(xs, ys, "o", ms=2, color=INK)
        at = (f"{contour['x']}={setting(x)}, {contour['y']}={setting(y)}" for x, y in zip(xs, ys, strict=True))
        tip(marks, *(f"{place}: {number(score)}" for place, score in zip(at, scores, strict=True)))
        axes.set(xlabel=short(contour["x"], 34), ylabel=short(contour["y"], 34))
        figure.colorbar(filled, ax=axes, label=study.insight["metric"])
    title = f"{study.title}: selection score over pairs of hyper-parameters (points: complete trials)"
    return finished(figure, f"study-contours-{slug(study.name)}", title, "studies")


def _spans_an_area(points: Sequence[Sequence[float]]) -> bool:
    places = np.unique(np.array([point[:2] for point in points], dtype=float).reshape(-1, 2), axis=0)
    if len(places) < 4:
        return False
    scaled = (places - places.mean(axis=0)) / np.maximum(places.std(axis=0), 1e-12)
    return bool(np.linalg.matrix_rank(scaled, tol=1e-6) == 2)


def pareto(study: Study) -> Plot | None:
    points, front = study.costed(), study.insight["pareto"]
    if not points or not front:
        return None
    label = _AXES.get(study.cost, study.cost)
    figure, (axes,) = new_figure(1, 3.2)
    costs = [cost for cost, _ in points]
    # Over a shorter range, a logarithmic axis has hardly a round number to label.
    scale(axes, "x", is_log=max(costs) >= 5 * min(costs))
    (marks,) = axes.plot(*zip(*points, strict=True), "o", color=SOFT, ms=4, alpha=0.6)
    tip(marks, *(f"{number(score)} at {compact(cost)}" for cost, score in points))
    axes.step([p["cost"] for p in front], [p["score"] for p in front], where="post", color=_RED, lw=1.2, ls="--")
    (marks,) = axes.plot([p["cost"] for p in front], [p["score"] for p in front], "s", color=_RED, ms=6)
    tip(marks, *(f"trial {p['number']}: {number(p['score'])} at {compact(p['cost'])}" for p in front))
    axes.set_xlabel(label)
    axes.set_ylabel(study.insight["metric"])
    axes.margins(x=0.15, y=0.1)
    label_points(axes, [(point["cost"], point["score"], f"trial {point['number']}") for point in front])
    title = f"{study.title}: score against {label} (squares: no trial is both cheaper and better)"
    return finished(figure, f"study-pareto-{slug(study.name)}", title, "studies")


def domain(study: Study, path: str) -> Mapping[str, Any]:
    return (study.insight.get("parameters") or {}).get(path, {})


def scale(axes: Axes, axis: str, *, is_log: bool) -> None:
    drawn = axes.xaxis if axis == "x" else axes.yaxis
    if is_log:
        axes.set(**{f"{axis}scale": "log"})
        plain_log_axis(drawn)
    else:
        drawn.set_major_formatter(lambda value, _: compact(value))


def setting(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else as_written(value)
