"""What studies learned, from `<store>/studies/<name>/insight.json`: tables and figures for a report, and the figures
that lie beside a study.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from atinuke_bench.config.written import as_written
from atinuke_bench.files import make_folder, write_bytes, write_text
from atinuke_bench.formatting import MISSING, number

from ..drawing.labels import compact, label_ends, label_points, plain_log_axis
from ..drawing.names import short
from ..drawing.style import INK, SOFT, Plot, finished, looks, new_figure, slug, tip
from ..reading.studies import Study
from .table import Table

#: How many studies have figures, those with the most trials, and hyper-parameters of each slice figure.
MOST_STUDIES = 8
MOST_PARAMETERS = 6
_BLUE, _RED = "#0072b2", "#d55e00"
#: What a cost or a budget is called on an axis; others are called as in the insight.
_AXES = {"training_flops": "training FLOPs spent", "forward_flops_per_token": "forward FLOPs per token"}
NOTE = (
    "Scores of trials are selection scores, of a slice held out from train; no dev or test figure is looked at. The "
    "importance of a hyper-parameter is its share of the variance of the score (fANOVA), which says nothing of its "
    "best value."
)


def studies_table(studies: Sequence[Study]) -> Table:
    """One row a study: what became of its trials, the best one and what was spent."""
    rows = []
    for study in studies:
        insight, trials = study.insight, study.insight["trials"]
        states = pd.Series([trial["state"] for trial in trials], dtype=object).value_counts()
        best = next((trial for trial in trials if trial["number"] == insight.get("best")), None)
        spent = insight.get("spent") or {}
        rows.append(
            {
                "study": study.name,
                "task": insight["task"],
                "core": insight["core"],
                "sampler": insight.get("sampler"),
                "seed": insight.get("seed"),
                "trials": len(trials),
                **{state: int(states.get(state, 0)) for state in ("complete", "pruned", "failed", "running")},
                "metric": insight["metric"],
                "best score": float("nan") if best is None or best["score"] is None else float(best["score"]),
                "best trial": ", ".join(f"{k}={_setting(v)}" for k, v in best["params"].items()) if best else "",
                "seconds": float(spent.get("seconds") or float("nan")),
                "training_flops": float(spent.get("training_flops") or float("nan")),
            }
        )
    data = pd.DataFrame(rows)
    shown = data.drop(columns=["training_flops"]).assign(
        **{
            "best score": data["best score"].map(number),
            "seconds": data["seconds"].map(lambda value: number(value, 0)),
            "best trial": data["best trial"].replace("", MISSING),
        }
    )
    return Table("studies", "Studies", shown, data, (NOTE,), section="studies")


def rivals_table(studies: Sequence[Study]) -> Table | None:
    """The best trials of each study trained again on fresh seeds, the best mean first; None where none were."""
    rows = [
        {
            "study": study.name,
            "trial": rival["number"],
            "score in study": rival["score_in_study"],
            "selection": rival["selection"]["mean"],
            "evaluated": rival["evaluated"]["mean"],
            "split": rival.get("split"),
            "metric": rival.get("metric"),
            "seeds": rival["selection"]["count"],
        }
        for study in studies
        for rival in study.rivals
    ]
    if not rows:
        return None
    data = pd.DataFrame(rows)
    for name in ("score in study", "selection", "evaluated"):
        data[name] = pd.to_numeric(data[name])
    shown = data.assign(**{name: data[name].map(number) for name in ("score in study", "selection", "evaluated")})
    note = "Means over fresh seeds. The order by selection scores is the one to trust; evaluated splits only report."
    return Table("best-trials", "The best trials on fresh seeds", shown, data, (note,), section="studies")


def importance_table(studies: Sequence[Study]) -> Table | None:
    """How much each hyper-parameter matters; a study without a figure says why."""
    rows = []
    for study in studies:
        importance = study.insight.get("importance")
        if not importance:
            note = str(study.insight.get("importance_note") or "not computed")
            rows.append({"study": study.name, "hyper-parameter": MISSING, "importance": float("nan"), "note": note})
            continue
        ordered = sorted(importance["values"].items(), key=lambda item: -item[1])
        rows += [
            {"study": study.name, "hyper-parameter": path, "importance": share, "note": ""} for path, share in ordered
        ]
    data = pd.DataFrame(rows)
    shown = data.assign(importance=[number(100 * value, 1, unit=" %") for value in data["importance"]])
    return Table("importance", "Importance of hyper-parameters", shown, data, section="studies")


def studies_plots(studies: Sequence[Study]) -> tuple[list[Plot], list[str]]:
    """Best score so far of studies that are compared, then slices and the front of each; and what is not drawn."""
    ordered = sorted(studies, key=lambda study: (-len(study.insight["trials"]), study.name))
    notes = []
    if len(ordered) > MOST_STUDIES:
        left = ", ".join(study.name for study in ordered[MOST_STUDIES:])
        notes.append(f"Figures show the {MOST_STUDIES} studies with the most trials. Not drawn: {left}.")
    chosen = ordered[:MOST_STUDIES]
    groups: dict[tuple[str, str, str], list[Study]] = {}
    for study in chosen:
        name = str(study.insight.get("comparison") or study.name)
        groups.setdefault((name, study.insight["task"], study.insight["metric"]), []).append(study)
    several = Counter(name for name, _, _ in groups)
    found = [
        _history(f"{name} ({task} {metric})" if several[name] > 1 else name, own, ("trials", "training_flops"))
        for (name, task, metric), own in groups.items()
    ]
    for study in chosen:
        found.append(_slices(study, MOST_PARAMETERS))
        if len({cost for cost, _ in study.costed()}) > 1:
            found.append(_pareto(study))
    return [plot for plot in found if plot is not None], notes


def write_figures(insight: Mapping[str, Any], folder: Path) -> None:
    """Draw all that there is data for, as PNG and SVG in `folder`; nothing of a study without a score."""
    if all(entry["score"] is None for entry in insight["history"]):
        return
    make_folder(folder)
    for name, plot in _figures(Study(insight, folder)):
        if plot is not None:
            write_bytes(folder / f"{name}.png", plot.png)
            write_text(folder / f"{name}.svg", plot.svg)


def _figures(study: Study) -> Iterator[tuple[str, Plot | None]]:
    yield "history", _history(study.name, [study], ("trials",))
    yield "budget", _history(study.name, [study], ("training_flops",))
    yield "importance", _importance(study)
    yield "slices", _slices(study)
    yield "contours", _contours(study)
    yield "pareto", _pareto(study)


def _history(name: str, studies: Sequence[Study], units: Sequence[str]) -> Plot | None:
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
        _scale(axes, "x", is_log=False)
        axes.set_xlabel(_AXES.get(unit, unit))
        axes.set_title(f"best {drawn[0].insight['metric']} so far", loc="left")
        label_ends(axes, ends)
    title = f"{name}: best selection score so far (points: trials, hollow where pruned)"
    return finished(figure, f"study-history-{slug(name)}", title, "studies")


def _importance(study: Study) -> Plot | None:
    importance = study.insight.get("importance")
    if not importance:
        return None
    shares = sorted(importance["values"].items(), key=lambda item: item[1])
    figure, (axes,) = new_figure(1, 1.0 + 0.3 * len(shares))
    bars = axes.barh([short(path, 34) for path, _ in shares], [100 * share for _, share in shares], color=_BLUE)
    for bar, (path, share) in zip(bars, shares, strict=True):
        tip(bar, f"{path}: {number(100 * share, 1, unit=' %')}")
    axes.set_xlabel("share of the score's variance, % (fANOVA)")
    title = f"{study.title}: importance of hyper-parameters"
    return finished(figure, f"study-importance-{slug(study.name)}", title, "studies")


def _slices(study: Study, most: int | None = None) -> Plot | None:
    """Score against each hyper-parameter, the most important first."""
    slices = {path: points for path, points in study.insight["slices"].items() if points}
    if not slices:
        return None
    importance = (study.insight.get("importance") or {}).get("values", {})
    ordered = sorted(slices, key=lambda path: (-importance.get(path, 0.0), path))[:most]
    columns = min(3, len(ordered))
    rows = math.ceil(len(ordered) / columns)
    figure, panels = new_figure(columns, 2.2 * rows, rows)
    for axes in panels[len(ordered) :]:
        axes.set_visible(False)
    for axes, path in zip(panels, ordered, strict=False):
        values, scores = zip(*slices[path], strict=True)
        domain = _domain(study, path)
        if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
            (marks,) = axes.plot(values, scores, "o", color=_BLUE, ms=4, alpha=0.7)
            _scale(axes, "x", is_log=domain.get("log", False))
        else:
            labels = list(dict.fromkeys(map(_setting, domain.get("choices", values))))
            places = [labels.index(_setting(value)) for value in values]
            (marks,) = axes.plot(places, scores, "o", color=_BLUE, ms=4, alpha=0.7)
            axes.set_xticks(range(len(labels)), [short(label, 12) for label in labels])
            axes.set_xlim(-0.5, len(labels) - 0.5)
        tip(marks, *(f"{path}={_setting(x)}: {number(y)}" for x, y in zip(values, scores, strict=True)))
        times = f" × {domain['times'].split('.')[-1]}" if "times" in domain else ""
        axes.set_xlabel(short(path + times, 26))
    panels[0].set_ylabel(study.insight["metric"])
    some = (
        f"the {len(ordered)} most important of {len(slices)} hyper-parameters; " if len(ordered) < len(slices) else ""
    )
    title = f"{study.title}: selection score by hyper-parameter ({some}complete trials)"
    return finished(figure, f"study-slices-{slug(study.name)}", title, "studies")


def _contours(study: Study) -> Plot | None:
    """Score over pairs of hyper-parameters. Trials on one line span no area, and are left out."""
    drawn = [contour for contour in study.insight.get("contours", []) if _spans_an_area(contour["points"])]
    if not drawn:
        return None
    figure, panels = new_figure(1, 3.0 * len(drawn), len(drawn))
    for axes, contour in zip(panels, drawn, strict=True):
        xs, ys, scores = zip(*contour["points"], strict=True)
        for axis in ("x", "y"):
            _scale(axes, axis, is_log=_domain(study, contour[axis]).get("log", False))
        filled = axes.tricontourf(xs, ys, scores, levels=12, cmap="viridis")
        (marks,) = axes.plot(xs, ys, "o", ms=2, color=INK)
        at = (f"{contour['x']}={_setting(x)}, {contour['y']}={_setting(y)}" for x, y in zip(xs, ys, strict=True))
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


def _pareto(study: Study) -> Plot | None:
    points, front = study.costed(), study.insight["pareto"]
    if not points or not front:
        return None
    label = _AXES.get(study.cost, study.cost)
    figure, (axes,) = new_figure(1, 3.2)
    costs = [cost for cost, _ in points]
    # Over a shorter range, a logarithmic axis has hardly a round number to label.
    _scale(axes, "x", is_log=max(costs) >= 5 * min(costs))
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


def _domain(study: Study, path: str) -> Mapping[str, Any]:
    return (study.insight.get("parameters") or {}).get(path, {})


def _scale(axes: Axes, axis: str, *, is_log: bool) -> None:
    drawn = axes.xaxis if axis == "x" else axes.yaxis
    if is_log:
        axes.set(**{f"{axis}scale": "log"})
        plain_log_axis(drawn)
    else:
        drawn.set_major_formatter(lambda value, _: compact(value))


def _setting(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else as_written(value)
