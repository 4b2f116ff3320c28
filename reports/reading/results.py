"""One result as a row of a frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .column import Column

#: What a row of `Frame.runs` holds beside the figures of its cost, which are called `cost.<name>`.
FIELDS = (
    "folder",
    "task",
    "family",
    "core",
    "label",
    "variant",
    "seed",
    "identity",
    "split",
    "metric",
    "higher_is_better",
    "score",
    "column",
    "is_cut",
    "source",
    "selection",
    "pretraining",
    "num_epochs",
    "selection_score",
    "seconds",
    "loss",
    "unknown_percent",
    "unit",
    "causal_view",
    "is_remote",
    "config",
)


def row_of(folder: str, result: Mapping[str, Any]) -> dict[str, Any]:
    """The row of a result whose pretraining is a label; KeyError, TypeError or ValueError when it is not one."""
    protocol = result["protocol"]
    task = result["task"]
    score = result["score"]
    selected = result.get("selection") or {}
    return {
        "folder": folder,
        "task": task,
        "family": task.partition("/")[0],
        "core": result["core"],
        "label": result["core_label"],
        "variant": result["core_label"],
        "seed": int(result["seed"]),
        "identity": result["identity"],
        "split": result["split"],
        "metric": result["metric"],
        "higher_is_better": bool(result["higher_is_better"]),
        "score": float("nan") if score is None else float(score),
        "column": Column.of(task, protocol, result["split"], result["metric"]),
        "is_cut": bool(protocol["is_cut"]),
        "source": protocol["source"],
        "selection": protocol["selection"],
        "pretraining": protocol["pretraining"],
        "num_epochs": selected.get("num_epochs"),
        "selection_score": float("nan") if selected.get("score") is None else float(selected["score"]),
        "seconds": float(result["seconds"]),
        "loss": _loss(result),
        "unknown_percent": _unknown_percent(result),
        # Older results do not say what their interval was drawn by.
        "unit": (result.get("resampled") or {}).get("unit"),
        # What the core, a causal one, could not see; older results do not say it.
        "causal_view": result.get("causal_view"),
        "is_remote": folder.startswith("wandb:"),
        "config": -1,
        **{f"cost.{name}": value for name, value in result["cost"].items()},
    }


def _loss(result: Mapping[str, Any]) -> float:
    """The evaluation loss of the headline split, where a task reports one."""
    value = result["scores"].get(result["split"], {}).get("loss")
    return float("nan") if value is None else float(value)


def _unknown_percent(result: Mapping[str, Any]) -> float:
    """The share of the headline split's tokens that the tokenizer does not know, where the run measured it."""
    value = (result.get("unknown_percent") or {}).get(result["split"])
    return float("nan") if value is None else float(value)


def slice_rows(run: int, slices: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Run, slice, label, metric and value of every figure."""
    return [
        (run, name, label, metric, float("nan") if value is None else value)
        for name, groups in slices.items()
        for label, figures in groups.items()
        for metric, value in figures.items()
    ]


def score_rows(run: int, scores: Mapping[str, Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    """Run, split, metric and value of every figure that is known."""
    return [
        (run, split, metric, float(value))
        for split, figures in scores.items()
        for metric, value in figures.items()
        if value is not None
    ]
