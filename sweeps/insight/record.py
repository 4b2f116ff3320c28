"""The record of a study, put together from its trials (see the head of the package)."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from optuna.distributions import CategoricalDistribution
from optuna.trial import FrozenTrial

from atinuke_bench.files import write_json
from atinuke_bench.sweeps.choice import chances
from atinuke_bench.sweeps.domains import domain_record
from atinuke_bench.sweeps.finals import confirms, seed_offset
from atinuke_bench.sweeps.limits import OVER, is_infeasible, is_untrained
from atinuke_bench.sweeps.origins import is_known, origin_of
from atinuke_bench.sweeps.spaces import Parameter, Space
from atinuke_bench.sweeps.study import Study
from atinuke_bench.sweeps.tallies import score_of, tally
from atinuke_bench.sweeps.trial_parts import records_of

from .advice import notes
from .expected import LEAST_TRIALS as EXPECTED_FROM
from .expected import expected_best
from .learned import learn

SCHEMA = 1
FILE = "insight.json"
_NUM_CONTOUR_PARAMETERS = 3
#: Of those that may be the best, so many are held against each other.
_MOST_COMPARED = 12

#: Samplers whose trials do not depend on scores; those of a grid are its points in random order.
_INDEPENDENT = ("random", "grid")

Record = dict[str, Any]


def write_insight(study: Study, record: Record) -> None:
    """Write what a study learned beside it; RunFolderError where that is refused."""
    write_json(study.folder / FILE, record)


def insight(study: Study) -> Record:
    """What a study learned so far (see the head of the package)."""
    config, trials = study.config, study.trials()
    now = tally(trials)
    records = [_trial(trial, study) for trial in trials]
    complete = [record for record in records if record["state"] == "complete"]
    searched = [record for record in complete if "confirms" not in record]
    # A trial that repeats another's run has its score too, and says nothing more.
    told = [(one["params"], one["score"]) for one in searched if not one["reuses"]]
    learned = learn(config.space, told, higher_is_better=study.higher_is_better, seed=config.seed)
    sign = 1 if study.higher_is_better else -1
    chosen = choice_of(study, trials)
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
        "best": None if chosen is None else chosen["number"],
        "choice": chosen,
        "tasks": [{"task": task.task, "metric": task.metric} for task in config.all_tasks],
        "front_of_tasks": front_of_tasks(records) if config.tasks else [],
        "history": history(trials, records, sign),
        **learned,
        **_expected_best(study, records),
        "notes": notes(records, learned["importance"], chosen),
        "slices": _slices(config.space, searched),
        "contours": _contours(config.space, searched, learned["importance"]),
        "pareto": pareto_front(searched, sign, "parameters" if config.against is None else config.objectives[1]),
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
        is_of_search = "confirms" not in record
        is_counted = trial.user_attrs.get("counts", True) and not is_untrained(trial) and not is_known(trial)
        count += is_of_search and is_counted
        if is_of_search and record["state"] == "complete" and (best is None or sign * record["score"] > sign * best):
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
        "state": "infeasible" if is_infeasible(trial) else "failed" if state == "FAIL" else state.lower(),
        "score": score_of(trial),
        "objectives": list(trial.values) if state == "COMPLETE" else None,
        "params": draw.params,
        "config": draw.overrides,
        "epochs": [[step - 1, value] for step, value in sorted(trial.intermediate_values.items())],
        "seconds": kept.get("seconds", 0.0),
        "training_flops": kept.get("training_flops", 0),
        **{name: kept.get(name) for name in ("parameters", "forward_flops_per_token", "folder", "reason", "retry_of")},
        "reuses": kept.get("reuses", False),
        **({} if (confirmed := confirms(trial)) is None else {"confirms": confirmed}),
        "seed": study.config.seed + seed_offset(trial),
        **({"parts": records_of(trial)} if "parts" in kept else {}),
        **({OVER: kept[OVER]} if is_infeasible(trial) else {}),
        **({} if (origin := origin_of(trial)) is None else {"from": origin}),
    }


def choice_of(study: Study, trials: list[FrozenTrial]) -> Record | None:
    """The trial that the study chose, those that it was compared with, and how likely it is the best of them."""
    finals = study.finals(trials)
    if not finals.survivors:
        return None
    chosen, left = finals.survivors[0], {one.number for one in finals.survivors}
    compared = finals.finalists[:_MOST_COMPARED] or (chosen,)
    found = study.judging.compared(compared) if finals.finalists else None
    known = None if found is None else chances(found, study.config.seed)
    return {
        "number": chosen.number,
        "mean": chosen.mean(),
        "num_seeds": len(chosen.trials),
        "is_over": study.is_over(),
        "chance": None if known is None else float(known.best[0]),
        "shortfall": None if known is None else float(known.shortfall[0]),
        "finalists": [
            {
                "number": one.number,
                "scores": one.values,
                "is_left": one.number in left,
                "chance": None if known is None else float(known.best[place]),
            }
            for place, one in enumerate(compared)
            if finals.finalists
        ],
    }


def front_of_tasks(records: list[Record]) -> list[int]:
    """Complete trials that no other one is at least as good as on every task, and better on one.

    >>> of = lambda number, *scores: {"number": number, "state": "complete", "parts": [{"score": s} for s in scores]}
    >>> front_of_tasks([of(0, 60, 70), of(1, 65, 60), of(2, 60, 65)])
    [0, 1]
    """
    points = {
        record["number"]: [part["score"] for part in record["parts"]]
        for record in records
        if record["state"] == "complete" and "confirms" not in record and "parts" in record
    }

    def beats(ours: list[float], theirs: list[float]) -> bool:
        return ours != theirs and all(our >= their for our, their in zip(ours, theirs, strict=True))

    return [number for number, own in points.items() if not any(beats(other, own) for other in points.values())]


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


def _expected_best(study: Study, records: list[Record]) -> Record:
    """The best score to expect of n trials, where the study's trials are draws that know nothing of each other."""
    sampler = study.config.sampler
    scores = [record["score"] for record in records if record["state"] == "complete"]
    if sampler not in _INDEPENDENT:
        note = f"trials of sampler {sampler} depend on earlier ones; it takes {' or '.join(_INDEPENDENT)}"
    elif any(record["state"] == "pruned" for record in records):
        note = "trials that were stopped early have no final score; it takes pruner none"
    elif len(scores) < EXPECTED_FROM:
        note = f"{len(scores)} complete trials; it takes {EXPECTED_FROM}"
    else:
        spent = sum(record["training_flops"] for record in records) / len(scores)
        found = expected_best(np.array(scores), spent, higher_is_better=study.higher_is_better, seed=study.config.seed)
        return {"expected_best": found, "expected_best_note": None}
    return {"expected_best": None, "expected_best_note": note}


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
