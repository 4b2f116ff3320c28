"""The best trials of a study on fresh seeds: by how much the search's own score flatters them, and who is best."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from atinuke_bench.errors import StudyError
from atinuke_bench.files import require_writable, write_json
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.runs.jobs.loop import carry_out
from atinuke_bench.runs.jobs.types import Executor, Failed, Finished, Job
from atinuke_bench.source_code import code_note
from atinuke_bench.sweeps.limits import may_be_best
from atinuke_bench.sweeps.study import Study

FILE = "best.json"


def retrain(
    study: Study,
    executor: Executor,
    template: Job,
    *,
    num_seeds: int,
    num_rivals: int,
    on_end: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Train the best trial and its rivals on fresh seeds and write `best.json`; what finished before is not repeated.

    RunFolderError, before anything is trained, where that cannot be written.

    The order by means of the selection score on fresh seeds is the one to trust; the evaluated splits only report.
    """
    require_writable(study.folder / FILE)
    chosen = best_trials(study, 1 + num_rivals)
    seeds = [study.config.seed + 1 + offset for offset in range(num_seeds)]
    jobs = [
        replace(
            template,
            key=f"{trial.number}/{seed}",
            run=study.config.make_run(study.draw_of(trial).overrides, seed=seed),
            asks=False,
        )
        for trial in chosen
        for seed in seeds
    ]
    try:
        results, folders = _carry_out(jobs, executor, on_end)
    finally:
        executor.close()
    entries = []
    for trial in chosen:
        keys = [f"{trial.number}/{seed}" for seed in seeds]
        entries.append(
            {
                "number": trial.number,
                "config": study.draw_of(trial).overrides,
                "score_in_study": trial.values[0],
                "selection": _summary(results[key]["selection"]["score"] for key in keys if key in results),
                "evaluated": _summary(results[key]["score"] for key in keys if key in results),
                "split": next((results[key]["split"] for key in keys if key in results), None),
                "metric": next((results[key]["metric"] for key in keys if key in results), None),
                "folders": [_in_store(folders[key], study) for key in keys if key in results],
            }
        )
    sign = 1 if study.higher_is_better else -1
    entries.sort(key=lambda entry: _rank(entry["selection"]["mean"], sign))
    record = {"schema": 1, "study": study.config.name, "seeds": seeds, "trials": entries}
    write_json(study.folder / FILE, record)
    return record


def best_trials(study: Study, count: int) -> list[Any]:
    """The complete trials with the best scores, those with the same run once; StudyError without any."""
    complete = [trial for trial in study.trials() if may_be_best(trial)]
    if not complete:
        raise StudyError(f"study {study.config.name!r} has no complete trial to retrain")
    sign = 1 if study.higher_is_better else -1
    complete.sort(key=lambda trial: (-sign * trial.values[0], trial.number))
    different: dict[str, Any] = {}
    for trial in complete:
        different.setdefault(repr(sorted(study.draw_of(trial).overrides.items())), trial)
    return list(different.values())[:count]


def _carry_out(
    jobs: list[Job], executor: Executor, say: Callable[[str], None]
) -> tuple[dict[str, dict[str, Any]], dict[str, Path]]:
    results: dict[str, dict[str, Any]] = {}

    def on_end(end: Finished | Failed) -> None:
        number, seed = end.key.split("/")
        if isinstance(end, Failed):
            say(f"trial {number}, seed {seed}: failed ({end.failure_class}): {end.message}")
            return
        results[end.key] = end.result
        score = end.result["selection"]["score"]
        shown = "missing" if score is None else f"{score:.2f}"
        say(f"[{len(results)}/{len(jobs)}] trial {number}, seed {seed}: selection {shown}")

    folders, _ = carry_out(jobs, executor, on_end, awaits_others=True)
    for job in jobs:
        manifest = RunFolder(folders[job.key]).manifest if job.key in results else None
        if manifest is not None and (note := code_note(manifest, job.run.task, job.run.core.name)):
            say(f"{manifest.parent}: {note}")
    return results, folders


def _in_store(folder: Path, study: Study) -> str:
    """A run folder as the store names it, so that the record holds from any folder and after the store has moved."""
    return folder.resolve().relative_to(study.store.resolve()).as_posix()


def _rank(mean: float | None, sign: int) -> tuple[bool, float]:
    """The best mean first, and last what has none."""
    return mean is None, 0.0 if mean is None else -sign * mean


def _summary(values: Iterable[float | None]) -> dict[str, Any]:
    """Mean, standard deviation and number of the scores there are."""
    known = [value for value in values if value is not None]
    return {
        "mean": statistics.fmean(known) if known else None,
        "deviation": statistics.stdev(known) if len(known) > 1 else None,
        "count": len(known),
    }
