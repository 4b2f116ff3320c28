"""GLUE over many runs: the official average, and the official submission file."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from atinuke_bench import registry
from atinuke_bench.errors import RunFolderError
from atinuke_bench.files import make_folder, write_bytes
from atinuke_bench.metrics.classification import GlueAverage, glue_average
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.tasks.glue.files import LAYOUTS


@dataclass(frozen=True)
class Submission:
    """What was written, and what the runs score on the dev sets."""

    path: Path
    files: tuple[str, ...]
    missing: tuple[str, ...]
    dev_average_with_wnli: GlueAverage
    dev_average_without_wnli: GlueAverage


def glue_dev_averages(results: Iterable[Mapping[str, Any]]) -> tuple[GlueAverage, GlueAverage]:
    """The GLUE average of the dev sets with WNLI, and without; each None, with what is missing, until all are there."""
    scores: dict[str, dict[str, float | None]] = {}
    for result in results:
        if result["task"] == "glue/mnli":
            scores["glue/mnli"] = {
                f"accuracy_{domain}": result["scores"].get(f"dev_{domain}", {}).get("accuracy")
                for domain in ("matched", "mismatched")
            }
        elif result["task"].startswith("glue/"):
            scores[result["task"]] = result["scores"].get("dev", {})
    return glue_average(scores, with_wnli=True), glue_average(scores, with_wnli=False)


def write_glue_submission(folders: Iterable[RunFolder], path: Path, *, partial: bool = False) -> Submission:
    """Zip the test predictions of finished runs, one run a task, under the official file names.

    Raises RunFolderError when two runs answer the same task, or, unless `partial`, when a file would be missing.
    """
    chosen = _one_run_each(folders)
    with tempfile.TemporaryDirectory() as scratch:
        written = [file for folder in chosen.values() for file in _official_files(folder, Path(scratch))]
        names = tuple(sorted({file.name for file in written}))
        wanted = {name for layout in LAYOUTS.values() for name in layout.submissions.values()}
        missing = tuple(sorted(wanted - set(names)))
        if missing and not partial:
            raise RunFolderError(
                f"a submission needs all {len(wanted)} files; missing {', '.join(missing)}; --partial writes the others"
            )
        make_folder(path.parent)
        write_bytes(path, _zip([Path(scratch) / name for name in names]))
    results = [folder.read_result() for folder in chosen.values()]
    return Submission(path, names, missing, *glue_dev_averages(results))


def _one_run_each(folders: Iterable[RunFolder]) -> dict[str, RunFolder]:
    chosen: dict[str, RunFolder] = {}
    for folder in folders:
        task = folder.read_result()["task"]
        if not task.startswith("glue/"):
            continue
        if task in chosen:
            raise RunFolderError(
                f"a submission takes one run a task; {task!r} has {chosen[task].path} and {folder.path}"
            )
        chosen[task] = folder
    if not chosen:
        raise RunFolderError("none of these is a finished run of a GLUE task")
    return chosen


def _official_files(folder: RunFolder, target: Path) -> list[Path]:
    task = registry.load_task(folder.read_result()["task"])
    predictions = pd.read_parquet(folder.predictions)
    written = []
    for split, rows in predictions.groupby("split", sort=True):
        path = task.write_official(target, str(split), dict(zip(rows["id"], rows["prediction"], strict=True)))
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
