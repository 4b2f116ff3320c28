"""Is what a run or its evaluation left still what it wrote? Every file by its checksum, every score by its answers."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from atinuke_bench.errors import AtinukeBenchError, RunFolderError, first_line
from atinuke_bench.evaluation_folder import EvaluationFolder, find_evaluations
from atinuke_bench.files import read_json
from atinuke_bench.run_folder import RunFolder, find_runs
from atinuke_bench.runs.recompute import NotComparableError, contradictions


@dataclass
class Verdict:
    """What was found in one folder: of a run, or of its evaluation on other data."""

    folder: RunFolder | EvaluationFolder
    is_finished: bool
    problems: list[str] = field(default_factory=list)
    #: Names of the files that the problems lie in.
    damaged: list[str] = field(default_factory=list)
    #: Why the scores were not computed again, where the run is not to blame for that.
    not_checked: str = ""
    #: What is unusual and no damage.
    note: str = ""


def verify_runs(places: list[Path]) -> Iterator[Verdict]:
    """One verdict a run folder at or below the places, and one for each of its finished evaluations.

    They come one at a time: memory holds a single one.
    """
    for folder in find_runs(*places):
        yield verify(folder)
        for evaluation in find_evaluations(folder):
            if os.path.lexists(evaluation.result):
                yield verify_evaluation(evaluation)


def verify(folder: RunFolder) -> Verdict:
    """Check one run folder; it is only read."""
    if not folder.result.exists():
        return Verdict(folder, is_finished=False)
    verdict = Verdict(folder, is_finished=True)
    try:
        result = folder.read_result()
        # Results of earlier versions may name themselves, as they were before.
        artefacts = {name: sum_ for name, sum_ in result["artefacts"].items() if name != folder.result.name}
    except (RunFolderError, KeyError) as error:
        verdict.problems.append(f"result.json: {first_line(error)}")
        verdict.damaged.append("result.json")
        return verdict
    for name, checksum in artefacts.items():
        if problem := folder.artefact_problem(name, checksum):
            verdict.problems.append(f"{name}: {problem}")
            verdict.damaged.append(name)
    if folder.predictions.name not in verdict.damaged:
        _check_scores(verdict, result)
    verdict.problems += [f"{name}: result.json has no checksum of it" for name in _dropped(folder, artefacts)]
    verdict.problems += _strangers(folder, result)
    if not folder.path.name.endswith(str(result.get("identity"))):
        verdict.note = f"the folder's name is not that of run {result.get('identity')}, which it holds"
    return verdict


def verify_evaluation(folder: EvaluationFolder) -> Verdict:
    """Check one evaluation against its own result, and against the run that it is of; it is only read."""
    verdict = Verdict(folder, is_finished=True)
    try:
        result = folder.read_result()
    except RunFolderError as error:
        verdict.problems.append(f"result.json: {first_line(error)}")
        return verdict
    problems = folder.artefact_problems(result)
    verdict.problems += [f"{name}: {problem}" for name, problem in problems.items()]
    if folder.predictions.name not in problems:
        _check_scores(verdict, result)
    with contextlib.suppress(RunFolderError):  # of the run, whose own verdict says so
        verdict.problems += folder.strangers(result)
    return verdict


def reset(verdict: Verdict) -> None:
    """Set a damaged run to run again: what is damaged is set aside, and what is whole and can be used stays.

    A damaged evaluation is set aside whole.
    """
    if not verdict.problems:
        return
    folder = verdict.folder
    if isinstance(folder, EvaluationFolder):
        folder.set_aside(damaged=True)
        return
    paths = [folder.path / name for name in verdict.damaged if folder.contains(name)]
    if folder.best_checkpoint in paths:
        # The best weights can only come from training again.
        paths += [folder.history, *folder.states]
    if folder.config in paths or not folder.config.exists():
        # A folder without a config would not be found; the run that returns here writes its own.
        paths.append(folder.failure)
    folder.set_damaged_aside(dict.fromkeys([folder.result, *paths]))


def _check_scores(verdict: Verdict, result: dict[str, Any]) -> None:
    """Compute the scores again; a run is only blamed for what could be computed."""
    try:
        verdict.problems += contradictions(verdict.folder, result)
    except NotComparableError as reason:
        verdict.not_checked = str(reason)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        verdict.problems.append(f"result.json: {first_line(error, with_class=True)}")
        verdict.damaged.append("result.json")


def _dropped(folder: RunFolder, artefacts: dict[str, str]) -> list[str]:
    """Files of the run that its result does not vouch for, though every run's does."""
    own = [folder.config, folder.manifest, folder.history, folder.predictions, folder.best_checkpoint]
    names = [str(path.relative_to(folder.path)) for path in own if path.exists()]
    return [name for name in names if name not in artefacts]


def _strangers(folder: RunFolder, result: dict[str, Any]) -> list[str]:
    """What the result says of the run, where config and manifest say otherwise."""
    try:
        run = folder.read_config()
    except (AtinukeBenchError, OSError):  # damage that its checksum tells, or a plug-in that is not installed
        return []
    own = {"task": run.task, "core": run.core.name, "seed": run.seed}
    found = [
        f"result.json: {name} {result.get(name)!r} is not that of config.yaml, {value!r}"
        for name, value in own.items()
        if result.get(name) != value
    ]
    with contextlib.suppress(RunFolderError, AttributeError):  # damage that its checksum tells
        if (identity := read_json(folder.manifest).get("identity")) != result.get("identity"):
            found.append(f"result.json: identity {result.get('identity')!r} is not that of manifest.json, {identity!r}")
    return found
