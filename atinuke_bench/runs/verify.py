"""Is what a run left still what it wrote? Every artefact against its checksum, every score against its predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from atinuke_bench.errors import RunFolderError
from atinuke_bench.run_folder import RunFolder, find_runs

#: Raises ValueError where predictions (id, prediction, gold, score) of a task do not give a metric the recorded value.
Recompute = Callable[[pd.DataFrame, str, str, float], Any]


@dataclass
class Verdict:
    """What was found in one run folder."""

    folder: RunFolder
    is_finished: bool
    problems: list[str] = field(default_factory=list)
    #: Names of the files that the problems lie in.
    damaged: list[str] = field(default_factory=list)


def verify_runs(places: list[Path], recompute: Recompute) -> Iterator[Verdict]:
    """One verdict a run folder at or below the places, one at a time: memory holds a single run."""
    for folder in find_runs(*places):
        yield verify(folder, recompute)


def verify(folder: RunFolder, recompute: Recompute) -> Verdict:
    """Check one run folder; it is only read."""
    if not folder.result.exists():
        return Verdict(folder, is_finished=False)
    verdict = Verdict(folder, is_finished=True)
    try:
        result = folder.read_result()
        artefacts = dict(result["artefacts"])
    except (RunFolderError, KeyError, TypeError, ValueError) as error:
        verdict.problems.append(f"result.json: {_first_line(error)}")
        verdict.damaged.append("result.json")
        return verdict
    for name, checksum in artefacts.items():
        if problem := folder.artefact_problem(name, checksum):
            verdict.problems.append(f"{name}: {problem}")
            verdict.damaged.append(name)
    if not folder.path.name.endswith(str(result.get("identity"))):
        verdict.problems.append(f"the folder's name is not that of run {result.get('identity')}")
    if folder.predictions.name not in verdict.damaged and result["score"] is not None:
        verdict.problems += _score_problems(folder, result, recompute)
    return verdict


def reset(verdict: Verdict) -> None:
    """Set a damaged run to run again: what is damaged goes, and what is whole and can be used stays."""
    folder = verdict.folder
    folder.result.unlink(missing_ok=True)
    names = [name for name in verdict.damaged if folder.contains(name)]
    if any(name.startswith("checkpoints/") for name in names):
        # The best weights cannot be had again without training.
        folder.last_checkpoint.unlink(missing_ok=True)
        folder.history.unlink(missing_ok=True)
    for name in names:
        (folder.path / name).unlink(missing_ok=True)
    if not folder.config.exists():
        # A folder without a config would not be found; the run that returns here writes its own.
        folder.failure.unlink(missing_ok=True)


def _score_problems(folder: RunFolder, result: dict[str, Any], recompute: Recompute) -> Iterator[str]:
    try:
        rows = pd.read_parquet(folder.predictions)
        rows = rows[(rows["split"] == result["split"]) & rows["gold"].notna()]
        recompute(rows, result["task"], result["metric"], result["score"])
    except (OSError, KeyError) as error:
        yield f"predictions.parquet: cannot be read ({_first_line(error)})"
    except ValueError as error:
        yield f"{error}"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
