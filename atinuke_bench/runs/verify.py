"""Is what a run left still what it wrote? Every artefact against its checksum, every score against its predictions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from atinuke_bench import registry
from atinuke_bench.errors import RunFolderError, first_line
from atinuke_bench.metrics.metric import Metric
from atinuke_bench.predictions import read_predictions
from atinuke_bench.run_folder import RunFolder, find_runs


@dataclass
class Verdict:
    """What was found in one run folder."""

    folder: RunFolder
    is_finished: bool
    problems: list[str] = field(default_factory=list)
    #: Names of the files that the problems lie in.
    damaged: list[str] = field(default_factory=list)
    #: Why the score was not computed again, where the run is not to blame for that.
    not_checked: str = ""


def verify_runs(places: list[Path]) -> Iterator[Verdict]:
    """One verdict a run folder at or below the places, one at a time: memory holds a single run."""
    for folder in find_runs(*places):
        yield verify(folder)


def verify(folder: RunFolder) -> Verdict:
    """Check one run folder; it is only read."""
    if not folder.result.exists():
        return Verdict(folder, is_finished=False)
    verdict = Verdict(folder, is_finished=True)
    try:
        result = folder.read_result()
        artefacts = dict(result["artefacts"])
        recorded = None if result["score"] is None else _Recorded.of(result)
    except (RunFolderError, KeyError, TypeError, ValueError) as error:
        verdict.problems.append(f"result.json: {first_line(error)}")
        verdict.damaged.append("result.json")
        return verdict
    for name, checksum in artefacts.items():
        if problem := folder.artefact_problem(name, checksum):
            verdict.problems.append(f"{name}: {problem}")
            verdict.damaged.append(name)
    if not folder.path.name.endswith(str(result.get("identity"))):
        verdict.problems.append(f"the folder's name is not that of run {result.get('identity')}")
    if folder.predictions.name not in verdict.damaged and recorded is not None:
        _check_score(verdict, recorded, is_listed=folder.predictions.name in artefacts)
    return verdict


def reset(verdict: Verdict) -> None:
    """Set a damaged run to run again: what is damaged goes, and what is whole and can be used stays."""
    if not verdict.problems:
        return
    folder = verdict.folder
    folder.result.unlink(missing_ok=True)
    names = [name for name in verdict.damaged if folder.contains(name)]
    if any(name.startswith("checkpoints/") for name in names):
        # The best weights can only come from training again.
        folder.last_checkpoint.unlink(missing_ok=True)
        folder.history.unlink(missing_ok=True)
    for name in names:
        (folder.path / name).unlink(missing_ok=True)
    if not folder.config.exists():
        # A folder without a config would not be found; the run that returns here writes its own.
        folder.failure.unlink(missing_ok=True)


@dataclass(frozen=True)
class _Recorded:
    """The score that a result has, and what it is of."""

    task: str
    split: str
    metric: str
    score: float
    #: The version of the task that measured it; None where the protocol does not say.
    version: int | None

    @classmethod
    def of(cls, result: dict[str, Any]) -> _Recorded:
        version = (result.get("protocol") or {}).get("result_version")
        return cls(result["task"], result["split"], result["metric"], float(result["score"]), version)


def _check_score(verdict: Verdict, recorded: _Recorded, *, is_listed: bool) -> None:
    """Compute the score again from the stored predictions; a run is only blamed for a computed score.

    Predictions that are `is_listed` among the artefacts are those that the run wrote, readable here or not.
    """
    what = f"{recorded.metric} of {recorded.task}"
    try:
        rows = read_predictions(verdict.folder.predictions).to_pandas()
    except RunFolderError as error:
        problem = str(error).removeprefix(f"{verdict.folder.path}/")
        if is_listed:
            verdict.not_checked = f"{what}: {problem}"
        else:
            verdict.problems.append(problem)
        return
    rows = rows[(rows["split"] == recorded.split) & rows["gold"].notna()]
    columns = {column: rows[column].tolist() for column in ("id", "prediction", "gold", "score")}
    try:
        metric: Metric = registry.load_metric(recorded.task, recorded.metric)
        figure = metric.measure(metric.read(columns)).figures[recorded.metric]
        computed = None if figure is None else float(figure)
        if computed is not None and abs(computed - recorded.score) < 1e-6:
            return
        version = registry.load_task(recorded.task).result_version
    # The plug-in may not be installed, and its metric may fail in any way.
    except Exception as error:
        verdict.not_checked = f"{what}: {first_line(error)}"
        return
    if recorded.version not in (None, version):
        verdict.not_checked = f"{what}: measured by version {recorded.version} of the task; this is version {version}"
        return
    shown = "none" if computed is None else f"{computed:.4f}"
    verdict.problems.append(
        f"the predictions do not give the recorded {recorded.metric} {recorded.score:.4f}; they give {shown}"
    )
