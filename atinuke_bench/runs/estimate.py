"""What the runs of a grid will cost, as far as it can be known before any of them starts."""

from __future__ import annotations

import statistics
from collections import defaultdict
from pathlib import Path
from typing import Any

import torch

from atinuke_bench.config import RunConfig
from atinuke_bench.core.build import build_core
from atinuke_bench.core.cost import TRAINING_FACTOR, count_parameters
from atinuke_bench.errors import AtinukeBenchError, RunFolderError
from atinuke_bench.run_folder import find_runs
from atinuke_bench.runs.cells import CellState


def estimate(states: list[CellState], store: Path) -> list[dict[str, Any]]:
    """One record a cell: size and operations of its core, and seconds as finished runs in the store took them.

    Seconds are the mean of runs of the same task and core; `None` where the store has none.
    """
    seconds = _seconds_seen(store)
    sizes: dict[str, tuple[int | None, int | None]] = {}
    rows = []
    for state in states:
        run = state.cell.run
        label = run.core.model_dump_json()
        if label not in sizes:
            sizes[label] = _size(run)
        parameters, flops = sizes[label]
        seen = seconds.get((run.task, run.core.label()))
        rows.append(
            {
                "task": run.task,
                "variant": state.cell.variant,
                "core": run.core.label(),
                "seed": run.seed,
                "status": state.status,
                "parameters": parameters,
                "training_flops_per_token": flops,
                "seconds": statistics.mean(seen) if seen else None,
            }
        )
    return rows


def _size(run: RunConfig) -> tuple[int | None, int | None]:
    """Parameters, and operations to train on a token of an input of the longest length; None where there is no core."""
    if run.core.is_floor:
        return None, None
    try:
        with torch.device("meta"):
            core = build_core(run.core, run.tokenizer.vocab_size)
    except (AtinukeBenchError, NotImplementedError):
        return None, None
    return count_parameters(core).total, TRAINING_FACTOR * core.flops_per_token(run.training.max_length)


def _seconds_seen(store: Path) -> dict[tuple[str, str], list[float]]:
    seen: dict[tuple[str, str], list[float]] = defaultdict(list)
    for folder in find_runs(store):
        try:
            result = folder.read_result()
        except RunFolderError:
            continue
        seen[result["task"], result["core_label"]].append(result["seconds"])
    return seen
