"""Weights & Biases: one W&B run per run, recorded offline, uploaded afterwards if asked.

Everything happens in a separate thread and on the local disk alone, so neither a missing key nor a host that does not
answer can hold up a run. `online` starts an upload in a separate process once the run is finished.
"""

from __future__ import annotations

import logging
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from atinuke_bench.run_folder import RunFolder
from atinuke_bench.runs.jobs.types import WandbMode
from atinuke_bench.training.prepare import PreparedRun
from atinuke_bench.training.tracker import NoTracker, Tracker

log = logging.getLogger(__name__)

# W&B shows at most this many rows of a table.
MAX_TABLE_ROWS = 10_000
# Recording is local and takes a second or two; a disk that hangs must not keep a finished run from ending.
_FINISH_SECONDS = 30.0


def make_tracker(mode: WandbMode, *, project: str = "atinuke-bench", group: str | None = None) -> Tracker:
    """The tracker of a mode."""
    return NoTracker() if mode == "disabled" else WandbTracker(project, group, upload=mode == "online")


class WandbTracker:
    """Records config, history, summary and the predictions table of one run."""

    def __init__(self, project: str, group: str | None, *, upload: bool) -> None:
        self.project = project
        self.group = group
        self.upload = upload
        self._queue: queue.Queue[Callable[[Any], None] | None] = queue.Queue()
        self._thread: threading.Thread | None = None
        self._folder: Path | None = None

    def start(self, prepared: PreparedRun, folder: RunFolder) -> None:
        self._folder = folder.path
        config = prepared.run.model_dump(mode="json") | {"identity": prepared.identity}
        settings = {
            "project": self.project,
            "group": self.group,
            "name": f"{prepared.run.task} {prepared.run.core.label()} seed {prepared.run.seed}",
            "id": prepared.identity,
            "config": config,
            "dir": str(folder.path),
            "mode": "offline",
            "tags": [prepared.run.task, prepared.run.core.name],
        }
        self._thread = threading.Thread(target=self._work, args=(settings,), name="wandb", daemon=True)
        self._thread.start()

    def epoch(self, record: dict[str, Any]) -> None:
        flat = {name: value for name, value in record.items() if name not in ("metrics", "is_best")}
        flat |= {f"selection/{name}": value for name, value in record["metrics"].items()}
        self._queue.put(lambda run: run.log(flat))

    def finish(self, result: dict[str, Any] | None, predictions: pd.DataFrame | None) -> None:
        if self._thread is None:
            return
        if result is not None:
            self._queue.put(lambda run: run.summary.update(_summary(result)))
        if predictions is not None:
            self._queue.put(lambda run: _log_table(run, predictions))
        self._queue.put(None)
        self._thread.join(_FINISH_SECONDS)
        if self._thread.is_alive():
            log.warning("W&B did not finish recording within %.0f s; the run's own folder is complete", _FINISH_SECONDS)
        elif self.upload and self._folder is not None:
            start_upload(self._folder)

    def _work(self, settings: dict[str, Any]) -> None:
        """Carry out what is queued. A failure is logged, once; it never reaches the run."""
        try:
            import wandb

            quiet = wandb.Settings(silent=True, console="off", disable_git=True, save_code=False, x_disable_stats=True)
            with wandb.init(**settings, settings=quiet) as run:
                while (action := self._queue.get()) is not None:
                    action(run)
        except Exception as error:
            log.warning("W&B records nothing more of this run: %s: %s", type(error).__name__, error)


def unsynced_records(folder: Path) -> list[str]:
    """The offline records of a run that no upload has finished with; W&B marks those it has with a file beside."""
    records = sorted((folder / "wandb").glob("offline-run-*"))
    return [str(record) for record in records if not list(record.glob("*.synced"))]


def sync(folder: Path, timeout: float) -> str | None:
    """Upload a run's offline records by `wandb sync` and wait for it; the reason where that failed, None otherwise."""
    records = unsynced_records(folder)
    if not records:
        return None
    command = [sys.executable, "-m", "wandb", "sync", *records]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        return f"W&B has not taken the record within {timeout:g} s"
    # The exit code is 0 for some failures too; what counts is the mark.
    if left := unsynced_records(folder):
        lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        return lines[-1].strip() if lines else f"{len(left)} records were not uploaded"
    return None


def start_upload(folder: Path) -> None:
    """Upload a run's offline record by `wandb sync`, in a process that nobody waits for."""
    records = unsynced_records(folder)
    if records:
        with open(folder / "wandb" / "upload.txt", "ab") as output:
            subprocess.Popen(
                [sys.executable, "-m", "wandb", "sync", *records],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )


def _summary(result: dict[str, Any]) -> dict[str, Any]:
    # With its protocol a run can be read back and compared from W&B alone.
    kept = ("score", "split", "metric", "higher_is_better", "core_label", "protocol", "seconds")
    summary = {name: result[name] for name in kept}
    summary["selection_score"] = (result["selection"] or {}).get("score")
    if result["interval"] is not None:
        summary |= {"interval/low": result["interval"][0], "interval/high": result["interval"][1]}
    for split, metrics in result["scores"].items():
        summary |= {f"{split}/{name}": value for name, value in metrics.items()}
    return summary | {f"cost/{name}": value for name, value in result["cost"].items()}


def _log_table(run: Any, predictions: pd.DataFrame) -> None:
    import wandb

    run.log({"predictions": wandb.Table(dataframe=predictions.head(MAX_TABLE_ROWS))})
    run.summary["num_predictions"] = len(predictions)
