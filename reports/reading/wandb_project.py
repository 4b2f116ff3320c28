"""Runs of a Weights & Biases project as results: what the tracker recorded of them, without their predictions.

What is missing there is missing in the report: runs without stored predictions are shown and not tested.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import yaml

from atinuke_bench.errors import TrackerError, UnknownNameError, one_line

from .collect import Collector
from .frame import Gap

PREFIX = "wandb:"
_T = TypeVar("_T")
#: Seconds that one request may take, and epochs of a history that are asked for.
_TIMEOUT = 30
_MOST_EPOCHS = 2000
_NEEDED = ("score", "split", "metric", "higher_is_better", "protocol", "core_label")


def project_of(source: str) -> str:
    """`entity/project` of `wandb:entity/project`; UnknownNameError for another form.

    >>> project_of("wandb:ada/encoders")
    'ada/encoders'
    """
    if not re.fullmatch(PREFIX + r"[^/\s]+/[^/\s]+", source):
        raise UnknownNameError("source of runs", source, [], f"it has the form {PREFIX}ENTITY/PROJECT")
    return source.removeprefix(PREFIX)


def collect_project(project: str, collector: Collector) -> None:
    """Take in the finished runs of `entity/project`; the others are gaps. TrackerError when it cannot be read."""
    import wandb

    num_before = collector.num_runs
    runs = _asked(project, lambda: list(wandb.Api(timeout=_TIMEOUT).runs(project, per_page=200, lazy=False)))
    if not runs:
        raise TrackerError(f"{PREFIX}{project}: the project has no runs")
    for run in runs:
        _collect(run, project, collector)
    if collector.num_runs > num_before:
        collector.gaps.append(
            Gap(f"{PREFIX}{project}", "no predictions to resample: runs read from W&B have no intervals and no tests")
        )


def _asked(project: str, call: Callable[[], _T]) -> _T:
    try:
        return call()
    # W&B raises its own errors, its service's (not public), its transport's, and ValueError for no project.
    except Exception as error:
        shown = one_line(error)
        raise TrackerError(f"{PREFIX}{project}: cannot be read through the W&B API ({shown})") from error


def _collect(run: Any, project: str, collector: Collector) -> None:
    where = f"{PREFIX}{project}/{run.id}"
    config, summary = dict(run.config), _unwrapped(run.summary)
    if run.state != "finished":
        collector.gaps.append(Gap(where, f"not finished (W&B state: {run.state})"))
    elif missing := [name for name in _NEEDED if name not in summary]:
        reason = "not recorded by this tool, or by an older version"
        collector.gaps.append(Gap(where, f"{reason}: its summary lacks {', '.join(missing)}"))
    else:
        identity = config.pop("identity", run.id)
        result = _result(config, summary, identity)
        text = yaml.safe_dump(config, sort_keys=False)
        collector.add(where, result, lambda: text, _history(_asked(project, lambda: _records(run))))


def _result(config: Mapping[str, Any], summary: Mapping[str, Any], identity: str) -> dict[str, Any]:
    scores: dict[str, dict[str, Any]] = {}
    cost = {}
    for name, value in summary.items():
        part, slash, rest = name.partition("/")
        if slash and part == "cost":
            cost[rest] = value
        elif slash and part not in ("selection", "interval"):
            scores.setdefault(part, {})[rest] = value
    return {
        **{name: summary[name] for name in _NEEDED},
        "task": config["task"],
        "core": config["core"]["name"],
        "seed": config["seed"],
        "identity": identity,
        "scores": scores,
        "slices": {},
        "selection": {"score": summary.get("selection_score")},
        "cost": cost,
        "seconds": summary.get("seconds", float("nan")),
    }


def _records(run: Any) -> list[dict[str, Any]]:
    return run.history(samples=_MOST_EPOCHS, pandas=False)


def _history(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The epochs, as `history.jsonl` has them; where a score has no name of a selection's, an older version sent it."""
    epochs = sorted((one for one in records if one.get("epoch") is not None), key=lambda one: one["epoch"])
    return [{**one, "score": one.get("selection_score", one.get("score"))} for one in epochs]


def _unwrapped(value: Any) -> Any:
    """A summary and its parts, which W&B wraps, as plain dictionaries."""
    if hasattr(value, "items"):
        return {str(name): _unwrapped(part) for name, part in value.items()}
    return value
