"""What a study learned, as plain data: `<store>/studies/<name>/insight.json`, to be read without optuna or torch.

The file is one JSON object. Numbers that could not be computed are null. A *score* is the selection score (of the
slice held out from train), in the units of the task's primary metric; dev and test scores never appear here.

schema            1
study             name of the study; `--cores a,b` makes separate studies with the same `comparison`
comparison        name shared by studies whose cores are compared under equal budgets, or null
task, core, preset
metric            name of the task's primary metric
higher_is_better  true when a larger score is better
objectives        [{"name": "score", "direction": "maximize" | "minimize"}], and a second entry {"name": "parameters" |
                  "forward_flops_per_token", "direction": "minimize"} where score is weighed against cost
sampler, pruner, seed
budget            {"trials": int | null, "seconds": float | null, "training_flops": float | null}: what was granted
spent             {"trials", "seconds", "training_flops"}: what was used; seconds are of trials, added over workers
parameters        the space: {path: {"kind": "int" | "float" | "categorical", "low", "high", "log", "choices",
                  "times"}}; keys that do not apply are absent; `times` names the field that the value multiplies
trials            every trial, in order of number:
                  {"number", "state": "complete" | "pruned" | "failed" | "running" | "waiting",
                   "score": best selection score of its epochs (of a pruned trial too), "objectives": [float, …] | null,
                   "params": {path: value in the terms of `parameters`}, "config": {path: value in the run's config},
                   "epochs": [[epoch, best score so far], ...], "seconds", "training_flops": what was spent,
                   "parameters": number of parameters, "forward_flops_per_token", "folder": run folder relative to the
                   store, "reason": why it failed, "retry_of": number of the trial that this one repeats, "reuses":
                   true when an earlier trial has the same run, which was not trained twice}
best              number of the best complete trial, or null
history           best-so-far against budget, one entry a trial that ended, in the order they ended:
                  {"number", "score", "best": best score of complete trials so far, "trials", "seconds",
                   "training_flops": cumulative}
importance        {"method": "fanova", "values": {path: share of the variance of score, adding up to 1}}, or null with
importance_note   the reason (too few complete trials)
slices            {path: [[value, score], ...]} of complete trials
contours          [{"x": path, "y": path, "points": [[x, y, score], ...]}]: pairs of the three most important numeric
                  parameters
pareto            front of (score, cost), by rising cost: [{"number", "score", "cost"}]; cost is what trials keep under
                  the second objective's name, or the number of parameters where there is none
"""

from __future__ import annotations

import statistics
from itertools import combinations
from typing import Any

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.trial import FrozenTrial

from atinuke_bench.files import write_json
from atinuke_bench.sweeps.domains import domain_record
from atinuke_bench.sweeps.spaces import Parameter, Space
from atinuke_bench.sweeps.study import Study
from atinuke_bench.sweeps.tallies import score_of, tally

SCHEMA = 1
FILE = "insight.json"
#: fANOVA fits a forest to the complete trials; from fewer it says nothing.
_LEAST_TRIALS = 8
_NUM_CONTOUR_PARAMETERS = 3

Record = dict[str, Any]


def write_insight(study: Study, record: Record) -> None:
    """Write what a study learned beside it; RunFolderError where that is refused."""
    write_json(study.folder / FILE, record)


def insight(study: Study) -> Record:
    """What a study learned so far (see the head of this file)."""
    config, trials = study.config, study.trials()
    now = tally(trials)
    records = [_trial(trial, study) for trial in trials]
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
        "spent": {"trials": now.counted, "seconds": now.seconds, "training_flops": now.training_flops},
        "parameters": {parameter.path: _described(parameter) for parameter in config.space.parameters},
        "trials": records,
        "best": None if best is None else best["number"],
        "history": history(trials, records, sign),
        "importance": importance,
        "importance_note": note,
        "slices": _slices(config.space, complete),
        "contours": _contours(config.space, complete, importance),
        "pareto": pareto_front(complete, sign, "parameters" if config.against is None else config.objectives[1]),
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
        paid[run] = max(paid.get(run, 0.0), record["training_flops"])
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
                "training_flops": sum(paid.values()),
            }
        )
    return entries


def pareto_front(complete: list[Record], sign: int, cost: str) -> list[Record]:
    """Trials that no other beats in score at the same or a lower cost, by rising cost.

    >>> trials = [{"number": n, "score": s, "parameters": c} for n, s, c in [(0, 60, 9), (1, 70, 5), (2, 50, 2)]]
    >>> [entry["number"] for entry in pareto_front(trials, 1, "parameters")]
    [2, 1]
    """
    points = [{"number": trial["number"], "score": trial["score"], "cost": trial[cost]} for trial in complete]
    points.sort(key=lambda point: (point["cost"], -sign * point["score"], point["number"]))
    front: list[Record] = []
    for point in points:
        if not front or sign * point["score"] > sign * front[-1]["score"]:
            front.append(point)
    return front


def _trial(trial: FrozenTrial, study: Study) -> Record:
    kept, state, draw = trial.user_attrs, trial.state.name, study.draw_of(trial)
    return {
        "number": trial.number,
        "state": "failed" if state == "FAIL" else state.lower(),
        "score": score_of(trial),
        "objectives": list(trial.values) if state == "COMPLETE" else None,
        "params": draw.params,
        "config": draw.overrides,
        "epochs": [[step - 1, value] for step, value in sorted(trial.intermediate_values.items())],
        "seconds": kept.get("seconds", 0.0),
        "training_flops": kept.get("training_flops", 0),
        **{name: kept.get(name) for name in ("parameters", "forward_flops_per_token", "folder", "reason", "retry_of")},
        "reuses": kept.get("reuses", False),
    }


def _objectives(study: Study) -> list[Record]:
    score = {"name": "score", "direction": "maximize" if study.higher_is_better else "minimize"}
    return [score, *({"name": name, "direction": "minimize"} for name in study.config.objectives[1:])]


def _described(parameter: Parameter) -> Record:
    domain = parameter.domain
    if isinstance(domain, CategoricalDistribution):
        record: Record = {"kind": "categorical", "choices": list(domain.choices)}
    else:
        (kind, (low, high)), *_ = domain_record(domain).items()
        record = {"kind": kind, "low": low, "high": high, "log": domain.log}
    return record if parameter.times is None else {**record, "times": parameter.times}


def _importance(study: Study, trials: list[FrozenTrial]) -> tuple[Record | None, str | None]:
    """Shares of the variance of the score, by fANOVA over the complete trials; None with the reason."""
    complete = [trial for trial in trials if trial.state.name == "COMPLETE"]
    if len(complete) < _LEAST_TRIALS:
        return None, f"{len(complete)} complete trials; it takes {_LEAST_TRIALS}"
    if statistics.pstdev(trial.values[0] for trial in complete) == 0:
        return None, "all complete trials have the same score"
    # On the values that runs really had, which may have been fitted to the heads.
    used = optuna.create_study(direction="maximize")
    for trial in complete:
        params = study.draw_of(trial).params
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


def _slices(space: Space, complete: list[Record]) -> dict[str, list[list[Any]]]:
    return {parameter.path: _points(complete, parameter.path) for parameter in space.parameters}


def _contours(space: Space, complete: list[Record], importance: Record | None) -> list[Record]:
    shares = {} if importance is None else importance["values"]
    numeric = [
        parameter.path for parameter in space.parameters if not isinstance(parameter.domain, CategoricalDistribution)
    ]
    most = sorted(numeric, key=lambda path: -shares.get(path, 0.0))[:_NUM_CONTOUR_PARAMETERS]
    return [{"x": x, "y": y, "points": _points(complete, x, y)} for x, y in combinations(most, 2)]


def _points(complete: list[Record], *paths: str) -> list[list[Any]]:
    """Values and score of the trials that have all of the parameters."""
    return [
        [*(trial["params"][path] for path in paths), trial["score"]]
        for trial in complete
        if all(path in trial["params"] for path in paths)
    ]
