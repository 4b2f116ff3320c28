"""What studies learned, from `<store>/studies/<name>/insight.json`: tables and the choice of figures for a report, and
the figures that lie beside a study.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from atinuke_bench.files import make_folder, write_bytes, write_text
from atinuke_bench.formatting import MISSING, number
from atinuke_bench.study_records import ORIGINS, trial_name

from ..drawing.style import Plot
from ..reading.studies import Study
from .study_effects import importance, slices
from .study_figures import contours, expected, history, pareto, setting
from .table import Table

#: How many studies have figures, those with the most trials, and hyper-parameters of each slice figure.
MOST_STUDIES = 8
MOST_PARAMETERS = 6
#: Pairs of hyper-parameters in a table, of each study.
_MOST_PAIRS = 10
NOTE = "Scores of trials are selection scores, of a slice held out from train; no dev or test figure is looked at."
_STATES = ("complete", "pruned", "failed", "infeasible", "running")
_HOW_TO_READ = (
    "Importance is the share of the variance of the score over the whole space (fANOVA) that a hyper-parameter has by "
    "itself, in brackets its 95 % interval by the bootstrap over trials; together with another: what the two have "
    "beyond that. It matters where the whole interval is at or above 1 %. Good values are those not shown worse than "
    "the best one, on average over the rest of the space."
)
_HOW_TO_READ_EXPECTED = (
    "Best to expect of so many trials: the mean over all choices of so many of a study's scores (the unbiased "
    "estimator; Tang et al. 2020), for trials that are drawn independently. Bands (bootstrap over trials) end at a "
    "quarter of the trials, beyond which they would be too narrow, and curves at half."
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
                **{state: int(states.get(state, 0)) for state in _STATES},
                "from": _begun_from(trials),
                "metric": insight["metric"],
                "best score": float("nan") if best is None or best["score"] is None else float(best["score"]),
                "best trial": _best_trial(best) if best else "",
                "seconds": float(spent.get("seconds") or float("nan")),
                "training_flops": float(spent.get("training_flops") or float("nan")),
            }
        )
    data = pd.DataFrame(rows)
    # Of studies without a limit and without a beginning the two say nothing.
    idle = [name for name in ("infeasible", "from") if not data[name].any()]
    shown = data.drop(columns=["training_flops", *idle]).assign(
        **{
            "best score": data["best score"].map(number),
            "seconds": data["seconds"].map(lambda value: number(value, 0)),
            "best trial": data["best trial"].replace("", MISSING),
        }
    )
    return Table("studies", "Studies", shown, data, (NOTE,), section="studies")


def _begun_from(trials: Sequence[Mapping[str, Any]]) -> str:
    """How many trials are from which other studies."""
    origins = [origin for trial in trials if (origin := trial.get("from"))]
    counts = Counter((ORIGINS.get(origin["as"], "from"), origin["study"]) for origin in origins)
    return ", ".join(f"{count} {use} {study}" for (use, study), count in counts.items())


def _best_trial(trial: Mapping[str, Any]) -> str:
    values = ", ".join(f"{name}={setting(value)}" for name, value in trial["params"].items())
    return f"{trial_name(trial)}: {values}" if trial.get("from") else values


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
    shown = data.assign(
        trial=[trial_name(study.trial(rival["number"])) for study in studies for rival in study.rivals],
        **{name: data[name].map(number) for name in ("score in study", "selection", "evaluated")},
    )
    note = "Means over fresh seeds. The order by selection scores is the one to trust; evaluated splits only report."
    return Table("best-trials", "The best trials on fresh seeds", shown, data, (note,), section="studies")


def importance_table(studies: Sequence[Study]) -> Table | None:
    """How much each hyper-parameter matters and what to set it to; a study without a figure says why."""
    rows = [row for study in studies for row in _importance_rows(study)]
    if not rows:
        return None
    data = pd.DataFrame(rows)
    # The parameter begins the sentence: on a narrow screen two columns fit, and three do not.
    said = [_sentence(row) for row in rows]
    shown = data[["study"]].assign(**{"what the trials say of each hyper-parameter": said})
    own = [f"{study.name}: {note}" for study in studies for note in study.insight.get("notes") or []]
    return Table(
        "importance",
        "Importance of hyper-parameters, and good values",
        shown,
        data,
        (_HOW_TO_READ, *own),
        section="studies",
    )


def _sentence(row: Mapping[str, Any]) -> str:
    says = row["says"] or number(100 * row["importance"], 1, unit=" % of the variance")
    return says if row["hyper-parameter"] == MISSING else f"{row['hyper-parameter']}: {says}"


def _importance_rows(study: Study) -> list[dict[str, Any]]:
    found = study.insight.get("importance")
    if not found:
        note = str(study.insight.get("importance_note") or "not computed")
        empty = dict.fromkeys(("importance", "low", "high"), float("nan"))
        return [{"study": study.name, "hyper-parameter": MISSING, **empty, "says": note}]
    says = {one["parameter"]: one["text"] for one in study.insight.get("advice") or []}
    intervals = found.get("intervals") or {}
    rows = []
    for path, share in sorted(found["values"].items(), key=lambda item: -item[1]):
        low, high = intervals.get(path) or (float("nan"), float("nan"))
        rows.append(
            {"study": study.name, "hyper-parameter": path, "importance": share, "low": low, "high": high,
             "says": says.get(path, "")}
        )  # fmt: skip
    return rows


def pairs_table(studies: Sequence[Study]) -> Table | None:
    """What pairs of hyper-parameters do together; those that are shown, else the largest."""
    rows: list[dict[str, Any]] = [
        {"study": study.name, "pair": f"{pair['x']} with {pair['y']}", "share": pair["share"],
         "low": pair["interval"][0], "high": pair["interval"][1], "shown": pair["shown"]}
        for study in studies
        for pair in ((study.insight.get("importance") or {}).get("pairs") or [])[:_MOST_PAIRS]
    ]  # fmt: skip
    if not rows:
        return None
    data = pd.DataFrame(rows)
    shares = [
        f"{number(100 * row['share'], 1)} % [{number(100 * row['low'], 1)}, {number(100 * row['high'], 1)}]"
        for row in rows
    ]
    shown = data[["study", "pair"]].assign(
        **{"share of the variance": shares, "shown": ["yes" if value else "no" for value in data["shown"]]}
    )
    note = (
        f"The {_MOST_PAIRS} pairs of each study with the largest shares, beyond what each of the two has itself. A "
        "pair is shown where the whole 95 % interval is at or above 1 %."
    )
    return Table("pairs", "Pairs of hyper-parameters", shown, data, (note,), section="studies", is_folded=True)


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
    found = []
    for (name, task, metric), own in groups.items():
        title = f"{name} ({task} {metric})" if several[name] > 1 else name
        found += [history(title, own, ("trials", "training_flops")), expected(title, own)]
    for study in chosen:
        found += [importance(study), slices(study, MOST_PARAMETERS)]
        if len({cost for cost, _ in study.costed()}) > 1:
            found.append(pareto(study))
    if any(study.insight.get("expected_best") for study in chosen):
        notes.append(_HOW_TO_READ_EXPECTED)
    notes += [
        f"{study.name}: the best to expect of so many trials is not drawn: {study.insight['expected_best_note']}."
        for study in chosen
        if study.insight.get("expected_best_note")
    ]
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
    yield "history", history(study.name, [study], ("trials",))
    yield "budget", history(study.name, [study], ("training_flops",))
    yield "expected", expected(study.name, [study])
    yield "importance", importance(study)
    yield "slices", slices(study)
    yield "contours", contours(study)
    yield "pareto", pareto(study)
