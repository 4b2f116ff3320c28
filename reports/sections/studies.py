"""What studies learned, from `<store>/studies/<name>/insight.json`: history, importance, slices, score against cost."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from atinuke_bench.errors import RunFolderError
from atinuke_bench.files import read_json
from atinuke_bench.formatting import MISSING, number

from ..drawing.labels import label_ends, plain_log_axis
from ..drawing.style import Plot, finished, looks, new_figure, short, slug
from ..reading.frame import Gap
from .table import Table

SCHEMA = 1
#: Studies that have figures of their own, those with the most trials, and hyper-parameters of each slice figure.
MOST_STUDIES = 8
MOST_PARAMETERS = 6
_NEEDED = ("study", "task", "core", "metric", "higher_is_better", "trials", "history", "slices", "pareto")
NOTE = (
    "Scores of trials are selection scores, of a slice held out from train; no dev or test figure is looked at. The "
    "importance of a hyper-parameter is its share of the variance of the score (fANOVA), which says nothing of its "
    "best value."
)


@dataclass(frozen=True)
class Study:
    """One `insight.json`, and the store that its trials' folders are relative to."""

    insight: Mapping[str, Any]
    store: Path

    @property
    def name(self) -> str:
        return str(self.insight["study"])

    @property
    def title(self) -> str:
        preset = self.insight.get("preset")
        return f"{self.name} ({self.insight['task']}, {self.insight['core']}{f'-{preset}' if preset else ''})"

    def folders(self) -> set[str]:
        """Run folders of its trials, as absolute paths."""
        named = (trial.get("folder") for trial in self.insight["trials"])
        return {str((self.store / folder).resolve()) for folder in named if folder}


def read_studies(places: Iterable[str | Path]) -> tuple[list[Study], list[Gap]]:
    """Every study at or below some places, and those that cannot be read."""
    paths = {path.resolve() for place in places for path in Path(place).rglob("studies/*/insight.json")}
    found, gaps = [], []
    for path in sorted(paths):
        try:
            found.append(Study(_checked(read_json(path)), path.parent.parent.parent))
        except (RunFolderError, TypeError, ValueError, KeyError) as error:
            gaps.append(Gap(str(path), f"damaged study: {str(error).splitlines()[0]}"))
    return found, gaps


def _checked(record: Any) -> Mapping[str, Any]:
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise ValueError(f"not an insight of schema {SCHEMA}")
    if missing := [name for name in _NEEDED if name not in record]:
        raise ValueError(f"it lacks {', '.join(missing)}")
    return record


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
                "best trial": "" if best is None else ", ".join(f"{k}={_plain(v)}" for k, v in best["params"].items()),
                "seconds": float(spent.get("seconds") or float("nan")),
                "flops": float(spent.get("flops") or float("nan")),
            }
        )
    data = pd.DataFrame(rows)
    shown = data.drop(columns=["flops"]).assign(
        **{
            "best score": data["best score"].map(number),
            "seconds": data["seconds"].map(lambda value: number(value, 0)),
            "best trial": data["best trial"].replace("", MISSING),
        }
    )
    return Table("studies", "Studies", shown, data, (NOTE,), section="studies")


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
    groups: dict[str, list[Study]] = {}
    for study in chosen:
        groups.setdefault(str(study.insight.get("comparison") or study.name), []).append(study)
    found = [_history(name, own) for name, own in groups.items()]
    for study in chosen:
        found += [_slices(study), _pareto(study)]
    return [plot for plot in found if plot is not None], notes


def _history(name: str, studies: Sequence[Study]) -> Plot | None:
    drawn = [study for study in studies if study.insight["history"]]
    if not drawn:
        return None
    look = looks([study.name for study in drawn])
    figure, panels = new_figure(2, (8.4, 3.2))
    for axes, unit in zip(panels, ("trials", "flops"), strict=True):
        ends = []
        for study in drawn:
            own, history = look[study.name], study.insight["history"]
            x = np.array([entry.get(unit) for entry in history], dtype=float)
            best, score = (np.array([entry.get(key) for entry in history], dtype=float) for key in ("best", "score"))
            axes.plot(x, score, color=own.colour, marker=own.marker, ls="", ms=3, alpha=0.35)
            axes.step(x, best, color=own.colour, ls=own.line, lw=1.6, where="post")
            known = np.flatnonzero(np.isfinite(best) & np.isfinite(x))
            if len(known):
                ends.append((x[known[-1]], best[known[-1]], str(study.insight["core"]), own.colour))
        axes.set_xlabel("trials" if unit == "trials" else "training FLOPs spent")
        axes.set_title(f"best {drawn[0].insight['metric']} so far", loc="left", fontsize=10)
        label_ends(axes, ends)
    title = f"{name}: best selection score so far (points: trials)"
    return finished(figure, f"study-history-{slug(name)}", title, "studies")


def _slices(study: Study) -> Plot | None:
    slices = {path: points for path, points in study.insight["slices"].items() if points}
    if not slices:
        return None
    importance = (study.insight.get("importance") or {}).get("values", {})
    ordered = sorted(slices, key=lambda path: (-importance.get(path, 0.0), path))[:MOST_PARAMETERS]
    columns = min(3, len(ordered))
    rows = math.ceil(len(ordered) / columns)
    figure, panels = new_figure(columns, (2.8 * columns, 2.5 * rows), rows)
    for axes in panels[len(ordered) :]:
        axes.set_visible(False)
    for axes, path in zip(panels, ordered, strict=False):
        values, scores = zip(*slices[path], strict=True)
        space = (study.insight.get("parameters") or {}).get(path, {})
        if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
            axes.plot(values, scores, "o", color="#0072B2", ms=4, alpha=0.7)
            if space.get("log"):
                axes.set_xscale("log")
                plain_log_axis(axes.xaxis)
        else:
            labels = list(dict.fromkeys(map(_plain, values)))
            axes.plot([labels.index(_plain(value)) for value in values], scores, "o", color="#0072B2", ms=4, alpha=0.7)
            axes.set_xticks(range(len(labels)), [short(label, 12) for label in labels])
            axes.set_xlim(-0.5, len(labels) - 0.5)
        axes.set_xlabel(short(path, 34), fontsize=8)
        axes.tick_params(labelsize=8)
    panels[0].set_ylabel(study.insight["metric"])
    some = (
        f"the {len(ordered)} most important of {len(slices)} hyper-parameters; " if len(ordered) < len(slices) else ""
    )
    title = f"{study.title}: selection score by hyper-parameter ({some}complete trials)"
    return finished(figure, f"study-slices-{slug(study.name)}", title, "studies")


def _pareto(study: Study) -> Plot | None:
    objectives = study.insight.get("objectives") or []
    cost = objectives[1]["name"] if len(objectives) > 1 else "parameters"
    trials = [
        trial for trial in study.insight["trials"] if trial["state"] == "complete" and trial.get("score") is not None
    ]
    points = [(trial.get(cost), trial["score"]) for trial in trials if trial.get(cost)]
    front = study.insight["pareto"]
    if len({x for x, _ in points}) < 2 or not front:
        return None
    figure, (axes,) = new_figure(1, (5.6, 3.2))
    axes.set_xscale("log")
    plain_log_axis(axes.xaxis)
    axes.plot(*zip(*points, strict=True), "o", color="#888888", ms=4, alpha=0.6)
    axes.step([p["cost"] for p in front], [p["score"] for p in front], where="post", color="#D55E00", lw=1.2, ls="--")
    axes.plot([p["cost"] for p in front], [p["score"] for p in front], "s", color="#D55E00", ms=6)
    for point in front:
        axes.annotate(f"trial {point['number']}", (point["cost"], point["score"]), xytext=(5, 5),
                      textcoords="offset points", fontsize=8)  # fmt: skip
    axes.set_xlabel("training FLOPs of the trial" if cost == "flops" else cost)
    axes.set_ylabel(study.insight["metric"])
    axes.margins(x=0.15, y=0.1)
    title = f"{study.title}: score against {cost} (squares: no trial is both cheaper and better)"
    return finished(figure, f"study-pareto-{slug(study.name)}", title, "studies")


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:.4g}" if isinstance(value, float) else str(value)
