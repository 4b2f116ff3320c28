"""What a study learned, as plain data: `<store>/studies/<name>/insight.json`, to be read without optuna or torch.

The file is one JSON object. Numbers that could not be computed are null. A *score* is the selection score (of the
slice held out from train), in the units of the task's primary metric; dev and test scores never appear here.

schema            1
study             name of the study; runs of `--cores a,b` are studies of their own with the same `comparison`
comparison        name shared by studies whose cores are compared under equal budgets, or null
task, core, preset
metric            name of the task's primary metric
higher_is_better  true when a larger score is better
objectives        [{"name": "score", "direction": "maximize" | "minimize"}], and a second entry {"name": "parameters" |
                  "flops" (forward FLOPs per token), "direction": "minimize"} where score is weighed against cost
sampler, pruner, seed
budget            {"trials": int | null, "seconds": float | null, "flops": float | null}: what was granted
spent             {"trials", "seconds", "flops"}: what was used; seconds are of trials, added over workers
parameters        the space: {path: {"kind": "int" | "float" | "categorical", "low", "high", "log", "choices",
                  "times"}}; keys that do not apply are absent; `times` names the field that the value multiplies
trials            every trial, in order of number:
                  {"number", "state": "complete" | "pruned" | "failed" | "running" | "waiting",
                   "score": best selection score of its epochs (of a pruned trial too), "objectives": [float, …] | null,
                   "params": {path: value in the terms of `parameters`}, "config": {path: value in the run's config},
                   "epochs": [[epoch, best score so far], ...], "seconds", "flops": training FLOPs spent,
                   "parameters": number of parameters, "folder": run folder relative to the store, "reason": why it
                   failed, "retry_of": number of the trial that this one repeats, "reuses": true when an earlier trial
                   has the same run, which was not trained twice}
best              number of the best complete trial, or null
history           best-so-far against budget, one entry a trial that ended, in the order they ended:
                  {"number", "score", "best": best score of complete trials so far, "trials", "seconds", "flops":
                   cumulative}
importance        {"method": "fanova", "values": {path: share of the variance of score, adding up to 1}}, or null with
importance_note   the reason (too few complete trials)
slices            {path: [[value, score], ...]} of complete trials
contours          [{"x": path, "y": path, "points": [[x, y, score], ...]}]: pairs of the three most important numeric
                  parameters
pareto            front of (score, cost), by rising cost: [{"number", "score", "cost"}]; cost is the second objective,
                  or the number of parameters where there is none
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from itertools import combinations
from typing import TYPE_CHECKING, Any

from atinuke_bench.files import write_json
from atinuke_bench.sweeps.definition import StudyConfig
from atinuke_bench.sweeps.study import Study, tally

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

SCHEMA = 1
FILE = "insight.json"
#: fANOVA fits a forest to the complete trials; from fewer it tells nothing.
_LEAST_TRIALS = 8
_NUM_CONTOUR_PARAMETERS = 3

Record = dict[str, Any]


def write_insight(study: Study, *, draw: bool = True) -> Record:
    """Write `insight.json` and, unless told not to, the figures beside a study, and give the data."""
    from atinuke_bench.sweeps.figures import write_figures

    record = insight(study)
    write_json(study.folder / FILE, record)
    if draw:
        write_figures(record, study.folder / "figures")
    return record


def insight(study: Study) -> Record:
    """What a study learned so far (see the head of this file)."""
    config, trials = study.config, study.trials()
    now = tally(trials)
    records = [_trial(trial, config) for trial in trials]
    complete = [record for record in records if record["state"] == "complete"]
    importance, note = _importance(study, trials)
    sign = 1 if study.higher_is_better else -1
    best = max(complete, key=lambda record: (sign * record["score"], -record["number"]), default=None)
    return {
        "schema": SCHEMA,
        "study": config.name,
        "comparison": config.comparison,
        "task": config.task,
        "core": config.core,
        "preset": config.preset,
        "metric": config.metric,
        "higher_is_better": study.higher_is_better,
        "objectives": _objectives(study),
        "sampler": config.sampler,
        "pruner": config.pruner,
        "seed": config.seed,
        "budget": config.budget.model_dump(),
        "spent": {"trials": now.counted, "seconds": now.seconds, "flops": now.flops},
        "parameters": {path: _described(spec) for path, spec in config.space.items()},
        "trials": records,
        "best": None if best is None else best["number"],
        "history": history(trials, records, sign),
        "importance": importance,
        "importance_note": note,
        "slices": _slices(config, complete),
        "contours": _contours(config, complete, importance),
        "pareto": pareto_front(complete, sign, has_cost=config.against is not None),
    }


def history(trials: list[FrozenTrial], records: list[Record], sign: int) -> list[Record]:
    """Best-so-far against what was spent, in the order in which trials ended. A shared run is paid once."""
    ended = [(trial, record) for trial, record in zip(trials, records, strict=True) if trial.datetime_complete]
    ended.sort(key=lambda pair: (pair[0].datetime_complete, pair[0].number))
    entries: list[Record] = []
    best, seconds, count = None, 0.0, 0
    paid: dict[Any, float] = {}
    for trial, record in ended:
        run = record["folder"] or record["number"]
        paid[run] = max(paid.get(run, 0.0), record["flops"])
        seconds += record["seconds"]
        count += trial.user_attrs.get("counts", True)
        if record["state"] == "complete" and (best is None or sign * record["score"] > sign * best):
            best = record["score"]
        entries.append(
            {
                "number": record["number"],
                "score": record["score"],
                "best": best,
                "trials": count,
                "seconds": seconds,
                "flops": sum(paid.values()),
            }
        )
    return entries


def pareto_front(complete: list[Record], sign: int, *, has_cost: bool) -> list[Record]:
    """Trials that no other beats in score at the same or a lower cost, by rising cost.

    >>> trials = [{"number": n, "score": s, "parameters": c} for n, s, c in [(0, 60, 9), (1, 70, 5), (2, 50, 2)]]
    >>> [entry["number"] for entry in pareto_front(trials, 1, has_cost=False)]
    [2, 1]
    """
    points = [
        {
            "number": record["number"],
            "score": record["score"],
            "cost": record["objectives"][1] if has_cost else record["parameters"],
        }
        for record in complete
    ]
    points.sort(key=lambda point: (point["cost"], -sign * point["score"], point["number"]))
    front: list[Record] = []
    for point in points:
        if not front or sign * point["score"] > sign * front[-1]["score"]:
            front.append(point)
    return front


def _trial(trial: FrozenTrial, config: StudyConfig) -> Record:
    attributes = trial.user_attrs
    epochs = sorted(trial.intermediate_values.items())
    score = attributes.get("score", epochs[-1][1] if epochs else None)
    return {
        "number": trial.number,
        "state": {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}.get(
            trial.state.name, trial.state.name.lower()
        ),
        "score": score,
        "objectives": list(trial.values) if trial.state.name == "COMPLETE" else None,
        "params": attributes.get("params", {}),
        "config": attributes.get("config", {}),
        "epochs": [[step - 1, value] for step, value in epochs],
        "seconds": attributes.get("seconds", 0.0),
        "flops": attributes.get("flops", 0),
        "parameters": attributes.get("parameters"),
        "folder": attributes.get("folder"),
        "reason": attributes.get("reason"),
        "retry_of": attributes.get("retry_of"),
        "reuses": attributes.get("reuses", False),
    }


def _objectives(study: Study) -> list[Record]:
    score = {"name": "score", "direction": "maximize" if study.higher_is_better else "minimize"}
    return [score, *({"name": name, "direction": "minimize"} for name in study.config.objectives[1:])]


def _described(spec: Mapping[str, Any]) -> Record:
    if "categorical" in spec:
        record: Record = {"kind": "categorical", "choices": spec["categorical"]}
    else:
        kind = "int" if "int" in spec else "float"
        low, high = spec[kind]
        record = {"kind": kind, "low": low, "high": high, "log": spec.get("log", False)}
    return record | ({"times": spec["times"]} if "times" in spec else {})


def _importance(study: Study, trials: list[FrozenTrial]) -> tuple[Record | None, str | None]:
    """Shares of the variance of the score, by fANOVA over the complete trials; None with the reason."""
    import optuna

    complete = [trial for trial in trials if trial.state.name == "COMPLETE"]
    if len(complete) < _LEAST_TRIALS:
        return None, f"{len(complete)} complete trials; it takes {_LEAST_TRIALS}"
    if statistics.pstdev(trial.values[0] for trial in complete) == 0:
        return None, "all complete trials have the same score"
    # On the values that runs really had, which may have been fitted to the heads.
    used = optuna.create_study(direction="maximize")
    for trial in complete:
        params = trial.user_attrs["params"]
        used.add_trial(
            optuna.trial.create_trial(
                params=params,
                distributions={path: trial.distributions[path] for path in params},
                value=trial.values[0],
            )
        )
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=study.config.seed)
    values = optuna.importance.get_param_importances(used, evaluator=evaluator)
    if not values:
        return None, "no parameter is in every complete trial"
    return {"method": "fanova", "values": {path: float(value) for path, value in values.items()}}, None


def _slices(config: StudyConfig, complete: list[Record]) -> dict[str, list[list[Any]]]:
    return {
        path: [[record["params"][path], record["score"]] for record in complete if path in record["params"]]
        for path in config.space
    }


def _contours(config: StudyConfig, complete: list[Record], importance: Record | None) -> list[Record]:
    numeric = [path for path, spec in config.space.items() if "categorical" not in spec]
    if importance is not None:
        shares = importance["values"]
        numeric.sort(key=lambda path: -shares.get(path, 0.0))
    return [
        {
            "x": x,
            "y": y,
            "points": [
                [record["params"][x], record["params"][y], record["score"]]
                for record in complete
                if x in record["params"] and y in record["params"]
            ],
        }
        for x, y in combinations(numeric[:_NUM_CONTOUR_PARAMETERS], 2)
    ]
