"""What a run leaves in writing: its result, its manifest, and the checksums of its files."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from atinuke_bench import environment, registry
from atinuke_bench.errors import RunFolderError
from atinuke_bench.files import finite, read_json, sha256_file
from atinuke_bench.metrics.bootstrap import percentile_interval
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.source_code import SourceCode
from atinuke_bench.training.evaluate import Evaluation
from atinuke_bench.training.execution import Execution
from atinuke_bench.training.prepare import PreparedRun
from atinuke_bench.training.task import Task

# What a manifest tells of one attempt to carry out its run.
_ATTEMPT = ("created", "versions", "git", "plugins", "hardware", "execution")


def result_record(prepared: PreparedRun, evaluations: dict[str, Evaluation]) -> dict[str, Any]:
    """What `result.json` says of a run besides its cost and its files."""
    run = prepared.run
    return {
        "task": prepared.task.name,
        "core": run.core.name,
        "core_label": run.core.label(),
        "seed": run.seed,
        "identity": prepared.identity,
        **scores_record(prepared.task, evaluations, run.seed),
        "protocol": prepared.protocol(),
        # What such a core could not see limits its score; reports say so beside it.
        "causal_view": prepared.task.causal_view if getattr(run.core, "causal", False) else None,
    }


def scores_record(task: Task, evaluations: Mapping[str, Evaluation], seed: int) -> dict[str, Any]:
    """What evaluated splits are worth: the headline score with its interval, drawn by the seed, and all the figures."""
    scored = {split: evaluation for split, evaluation in evaluations.items() if evaluation.sample is not None}
    headline = next((split for split in task.splits.headline if split in scored), None)
    score, interval, resampled = None, None, None
    if headline is not None:
        score, sample = scored[headline].figures[task.metric.name], scored[headline].sample
        if score is not None and sample is not None:
            interval = percentile_interval(sample, seed=seed)
            resampled = {"unit": scored[headline].unit, "num_units": len(sample.units)}
    return {
        "score": score,
        "metric": task.metric.name,
        "higher_is_better": task.metric.higher_is_better,
        "split": headline,
        "interval": interval,
        "resampled": resampled,
        "scores": {split: evaluation.figures for split, evaluation in scored.items()},
        "slices": {split: evaluation.slices for split, evaluation in scored.items()},
        "unknown_percent": {split: evaluation.unknown_percent for split, evaluation in evaluations.items()},
    }


def predictions_table(evaluations: Mapping[str, Evaluation]) -> bytes:
    """The content of `predictions.parquet`."""
    rows = [row.as_row(split) for split, evaluation in evaluations.items() for row in evaluation.predictions]
    frame = pd.DataFrame(rows, columns=["split", "id", "prediction", "gold", "score", "unit"])
    return frame.to_parquet(None, index=False)


def manifest_record(
    prepared: PreparedRun,
    execution: Execution,
    code: SourceCode | None,
    attempts: list[dict[str, Any]],
    *,
    tokenizer: str | None,
    examples: str | None,
) -> dict[str, Any]:
    """What a run is carried out with; `attempts` are those whose work it goes on from.

    `examples` is the name of the store's file with the texts of the evaluated examples.
    """
    run, loaded = prepared.run, prepared.loaded
    core_class = registry.load_core(run.core.name)
    modules = (core_class.__module__, type(prepared.task.model).__module__, type(prepared.task.data).__module__)
    plugins = {name.partition(".")[0] for name in modules} - {environment.OURS}
    attempt = {
        "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "versions": environment.package_versions(),
        "git": environment.git_state(),
        "plugins": {name: environment.git_state(name) for name in sorted(plugins)},
        "hardware": environment.hardware(),
        "execution": asdict(execution),
    }
    return {
        **attempt,
        "earlier_attempts": _unlike(attempts, attempt),
        "identity": prepared.identity,
        "result_versions": {"task": prepared.task.result_version, "core": core_class.result_version},
        "code": None if code is None else asdict(code),
        "precision": run.training.precision,
        "seeds": {"run": run.seed},
        "data": {
            "source": run.source.kind,
            "fingerprint": loaded.fingerprint,
            "files": loaded.files,
            "revision": loaded.revision,
            "notes": list(prepared.notes),
            "overlap": prepared.overlap.record(),
            "examples": examples,
        },
        "tokenizer": tokenizer,
    }


def recorded_attempts(manifest: Path) -> list[dict[str, Any]]:
    """The attempts that a run's manifest tells of, the last one included; none where it cannot be read."""
    try:
        record = read_json(manifest)
        return [*record.get("earlier_attempts", []), {name: record[name] for name in _ATTEMPT}]
    except (RunFolderError, AttributeError, KeyError, TypeError):
        return []


def _unlike(attempts: list[dict[str, Any]], last: dict[str, Any]) -> list[dict[str, Any]]:
    """The attempts that differ from each one after them in more than their time."""
    kept = [finite(last)]
    for attempt in reversed(attempts):
        if all({**attempt, "created": later["created"]} != later for later in kept):
            kept.insert(0, attempt)
    return kept[:-1]


def checksums(folder: RunFolder) -> dict[str, str]:
    """SHA-256 of the run's artefacts, by name."""
    # The log keeps growing, and an earlier attempt's failure is not part of the result, which has its own checksum.
    excluded = {folder.log, folder.failure, folder.result}
    found = [path for path in folder.path.iterdir() if path.is_file() and not path.name.startswith(".")]
    paths = [path for path in [*sorted(found), folder.best_checkpoint] if path not in excluded and path.exists()]
    return {str(path.relative_to(folder.path)): sha256_file(path) for path in paths}
