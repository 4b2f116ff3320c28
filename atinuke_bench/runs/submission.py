"""A benchmark over many runs: its average, and the file that its site takes."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from atinuke_bench import registry
from atinuke_bench.errors import RunFolderError
from atinuke_bench.files import make_folder, write_bytes
from atinuke_bench.predictions import read_predictions
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.training.capabilities import Average


@dataclass(frozen=True)
class Submission:
    """What was written, and what the runs score on the dev sets."""

    path: Path
    files: tuple[str, ...]
    missing: tuple[str, ...]
    #: Why the site would refuse files that were written, one line each, by the run's folder.
    shortfalls: tuple[str, ...]
    dev_averages: Mapping[str, Average]
    #: The run of each task, with its result.
    runs: tuple[tuple[RunFolder, dict[str, Any]], ...]


def benchmark_of(folders: Iterable[RunFolder]) -> str:
    """The benchmark whose site takes the answers of these runs; RunFolderError where there is none, or several."""
    tasks = {folder.read_result()["task"] for folder in folders}
    found = {official.benchmark for task in sorted(tasks) if (official := _official(task)) is not None}
    if not found:
        raise RunFolderError("none of these is a finished run of a task whose benchmark takes a submission")
    if len(found) > 1:
        named = sorted(found)
        raise RunFolderError(
            f"a submission is of one benchmark; found runs of {' and '.join(named)}; nearest: --benchmark {named[0]}"
        )
    return found.pop()


def _official(task: str) -> Any:
    """The submission that a task has a part in; None for one that has none, or that a file declares."""
    return None if registry.is_declared(task) else registry.load_task(task).submission


def write_submission(benchmark: str, folders: Iterable[RunFolder], path: Path, *, partial: bool = False) -> Submission:
    """Zip the test predictions of finished runs, one run a task, under the official file names.

    Raises RunFolderError when two runs answer the same task, or, unless `partial`, when a file would be missing or
    would not answer the official test set row by row.
    """
    chosen = _one_run_each(benchmark, folders)
    official = registry.load_task(next(iter(chosen))).submission
    with tempfile.TemporaryDirectory() as scratch:
        names = tuple(sorted(_write_files(chosen, Path(scratch))))
        missing = tuple(sorted(set(official.files) - set(names)))
        if missing and not partial:
            raise RunFolderError(
                f"a submission needs all {len(official.files)} files; missing {', '.join(missing)}; a run has one "
                "once it was carried out with --predict-unlabelled, which trains no finished run again; "
                "--partial writes the others"
            )
        shortfalls = tuple(line for task, folder in chosen.items() for line in _shortfalls(task, folder))
        if shortfalls and not partial:
            more = f" (and {len(shortfalls) - 1} more such files)" if len(shortfalls) > 1 else ""
            raise RunFolderError(f"{shortfalls[0]}{more}; --partial writes what there is")
        make_folder(path.parent)
        write_bytes(path, _zip([Path(scratch) / name for name in names]))
    runs = tuple((folder, folder.read_result()) for folder in chosen.values())
    averages = official.averages([result for _, result in runs])
    return Submission(path, names, missing, shortfalls, averages, runs)


def _one_run_each(benchmark: str, folders: Iterable[RunFolder]) -> dict[str, RunFolder]:
    chosen: dict[str, RunFolder] = {}
    for folder in folders:
        result = folder.read_result()
        task = result["task"]
        official = _official(task)
        if official is None or official.benchmark != benchmark:
            continue
        if task in chosen:
            raise RunFolderError(
                f"a submission takes one run a task; {task!r} has {chosen[task].path} and {folder.path}"
            )
        folder.require_whole(folder.predictions, result)
        chosen[task] = folder
    if not chosen:
        raise RunFolderError(f"none of these is a finished run of a {benchmark} task")
    return chosen


def _shortfalls(task: str, folder: RunFolder) -> list[str]:
    if folder.read_result()["protocol"]["source"] == "microworld":
        return [f"{folder.path}: a submission must answer the official test set; {task} was run on generated data"]
    official = registry.load_task(task).submission
    answered = read_predictions(folder.predictions, ("split", "id")).to_pandas().groupby("split", sort=True)["id"]
    found = (official.shortfall(str(split), ids) for split, ids in answered)
    return [f"{folder.path}: {problem}" for problem in found if problem is not None]


def _write_files(chosen: Mapping[str, RunFolder], target: Path) -> set[str]:
    """Write every file, and return their names; RunFolderError where two runs answer one file differently."""
    written: dict[str, tuple[RunFolder, bytes]] = {}
    for task, folder in chosen.items():
        for file in _official_files(task, folder, target):
            answers = file.read_bytes()
            first, same = written.setdefault(file.name, (folder, answers))
            if answers != same:
                raise RunFolderError(
                    f"a file of a submission comes from one run; {file.name} has other answers in {first.path} than in "
                    f"{folder.path}; give one of them"
                )
    return set(written)


def _official_files(task: str, folder: RunFolder, target: Path) -> list[Path]:
    official = registry.load_task(task).submission
    predictions = read_predictions(folder.predictions, ("split", "id", "prediction")).to_pandas()
    written = []
    for split, rows in predictions.groupby("split", sort=True):
        path = official.write(target, str(split), dict(zip(rows["id"], rows["prediction"], strict=True)))
        if path is not None:
            written.append(path)
    return written


def _zip(files: list[Path]) -> bytes:
    with tempfile.TemporaryFile() as buffer:
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in files:
                archive.write(file, file.name)
        buffer.seek(0)
        return buffer.read()
