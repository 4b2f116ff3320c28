"""Trials that a dead process left running are settled from their run folders."""

from __future__ import annotations

from collections.abc import Collection

from optuna.trial import FrozenTrial

from atinuke_bench.errors import RunFolderError
from atinuke_bench.records import FailureRecord
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.sweeps.assignments import Undefined
from atinuke_bench.sweeps.study import Study
from atinuke_bench.sweeps.trial_parts import folders_of
from atinuke_bench.sweeps.workers import Worker


def settle(study: Study, worker: Worker, ours: Collection[int] = ()) -> list[str]:
    """Settle every running trial whose process is dead; what was done, one line each.

    A finished run is told; one that failed by itself is told with its reason; any other is failed and queued once more.
    `ours` are the trials this process is carrying out. A run that outlives its process for a moment is left for the
    next call.
    """
    done = []
    with study.storage.exclusive():
        for trial in study.trials():
            if trial.state.name != "RUNNING" or trial.number in ours:
                continue
            owner = trial.user_attrs.get("owner")
            # One that calls itself ours and that we do not know was drawn when an error struck.
            if worker.is_alive(owner) and (owner or {}).get("worker") != worker.id:
                continue
            outcome = _settle_one(study, trial)
            if outcome is not None:
                done.append(f"trial {trial.number}: {outcome}")
    return done


def _settle_one(study: Study, trial: FrozenTrial) -> str | None:
    if not study.draw_of(trial).params:
        study.fail(trial.number, "killed", "its process died before its values were drawn", counts=False)
        return "its process died before its values were drawn; another takes its place"
    folders = folders_of(trial)
    if not folders:
        return _repeat(study, trial, "its process died before it began", is_under_way=False)
    place, folder = len(folders) - 1, RunFolder(study.store / folders[-1])
    if folder.is_locked():
        return None
    seconds = sum(record["seconds"] for path in folders for record in RunFolder(study.store / path).read_history())
    if folder.is_finished():
        return _settle_finished(study, trial, place, folder, seconds)
    failure = _failure_since(folder, trial)
    if failure is None or failure.failure_class in ("killed", "busy", "data"):
        return _repeat(study, trial, "its process died")
    if failure.failure_class == "pruned":
        study.report(trial.number, folder.read_history(), place=place)
        study.prune(trial.number, seconds=seconds)
        return "had been pruned: told"
    study.fail(trial.number, failure.failure_class, failure.message, seconds=seconds)
    return f"had failed ({failure.failure_class}): told"


def _settle_finished(study: Study, trial: FrozenTrial, place: int, folder: RunFolder, seconds: float) -> str:
    result, history = folder.read_result(), folder.read_history()
    study.report(trial.number, history, place=place)
    value = study.end_part(trial.number, place, result, history, seconds=seconds)
    failed: Undefined | None
    if isinstance(value, Undefined):
        failed = value
    elif place + 1 < len(study.config.parts):
        # What has finished is found in the store, and the trial goes on after it.
        return _repeat(study, trial, "its process died between two of its runs", is_under_way=False)
    else:
        failed = study.complete(trial.number, value, result, seconds=seconds)
    return f"had finished: {'told' if failed is None else failed.reason}"


def _repeat(study: Study, trial: FrozenTrial, reason: str, *, is_under_way: bool = True) -> str:
    """Queue a trial again. One of which no run was under way cannot have ended its process, however often that died."""
    repeats = study.fail_and_repeat(trial.number, "killed", reason, as_attempt=is_under_way)
    return f"{reason}; {'it is repeated' if repeats else 'it was repeated once already and is given up'}"


def _failure_since(folder: RunFolder, trial: FrozenTrial) -> FailureRecord | None:
    """What the run failed of during this trial; an older failure is another trial's."""
    try:
        is_new = trial.datetime_start is None or folder.failure.stat().st_mtime >= trial.datetime_start.timestamp()
        return folder.read_failure() if is_new else None
    except (OSError, RunFolderError):
        return None
