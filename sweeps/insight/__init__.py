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
                  {"number", "state": "complete" | "pruned" | "failed" | "running" | "waiting" | "infeasible",
                   "score": best selection score of its epochs (of a pruned trial too), "objectives": [float, …] | null,
                   "params": {path: value in the terms of `parameters`}, "config": {path: value in the run's config},
                   "epochs": [[epoch, best score so far], ...], "seconds", "training_flops": what was spent,
                   "parameters": number of parameters, "forward_flops_per_token", "folder": run folder relative to the
                   store, "reason": why it failed, "retry_of": number of the trial that this one repeats, "reuses":
                   true when an earlier trial has the same run, which was not trained twice, "over": {name in a run's
                   cost: [value, limit]} of an infeasible one, which has a score where it was trained, "from": {"study",
                   "number", "as": "known" | "point"} of one that another study's outcome or values were taken for,
                   "seed", "confirms": the trial whose values one of the finals has, "parts": [{"part", "folder",
                   "score", "floor", "cost", "training_flops"}, ...] where it has several tasks or shares of data}
best              number of the trial that is chosen, or null
choice            null, or {"number", "mean": over its seeds, "num_seeds", "is_over": whether study and finals are over,
                  "chance": of being the best of the finalists, "shortfall": how far below the best of them it is to be
                  expected, in points (both null where they cannot be told), "finalists": [{"number", "scores": one a
                  seed, "is_left": whether no test showed it worse, "chance"}, ...]}
tasks             [{"task", "metric"}]: what each trial is carried out on
front_of_tasks    of several tasks: numbers of the trials that no other one beats on all of them
history           best-so-far against budget, one entry a trial that ended, in the order they ended:
                  {"number", "score", "best": best score of complete trials so far, "trials", "seconds",
                   "training_flops": cumulative}
importance        null with `importance_note`, the reason (too few complete trials), or, by the rules of `learned.py`:
                  {"method": "fanova", "values": {path: share of the score's variance over the space},
                   "intervals": {path: [low, high]}: 95 %, by the bootstrap over trials, "shown": {path: bool},
                   "pairs": [{"x", "y", "share": what they do together beyond each alone, "interval", "shown"}], the
                   largest first, "unexplained": the share of no effect, which with the others makes 1,
                   "resamples", "trials": how many trials it is from}
effects           null as importance is, or {path: {"values": [...], "mean", "low", "high": [score of each value, over
                  the rest of the space, with its 95 % band], "where": share of the space in which it has a value,
                  "best": the value with the best mean, "preference": bool, "good": [[low, high], ...] of a range,
                  [choice, ...] of choices: what is not shown worse than `best`; null without a preference,
                  "is_good": [bool of each value]: the same; false of all without a preference}}
advice            [{"parameter": path, "text": importance and good values in a sentence}], the most important first
expected_best     null with `expected_best_note`, the reason (trials that depend on each other), or the best score to
                  expect of n trials: {"estimator": "unbiased", "trials": [n, ...], "training_flops": [mean spent for n
                  scores], "mean", "low", "high": [score, ...], null where an interval would be wrong, "plug_in": the
                  biased estimator, "resamples", "of": number of scores}
notes             [what a reader of all this must know of the trials, in sentences]
slices            {path: [[value, score], ...]} of complete trials
contours          [{"x": path, "y": path, "points": [[x, y, score], ...]}]: pairs of the three most important numeric
                  parameters
pareto            front of (score, cost), by rising cost: [{"number", "score", "cost"}]; cost is what trials keep under
                  the second objective's name, or the number of parameters where there is none
"""

from __future__ import annotations

from .record import FILE, SCHEMA, history, insight, pareto_front, write_insight

__all__ = ["FILE", "SCHEMA", "history", "insight", "pareto_front", "write_insight"]
