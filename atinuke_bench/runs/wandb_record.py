"""What Weights & Biases is told of a run: derived from the run's folder whenever it is asked for.

Nothing is recorded while a run trains, so a record cannot differ from the folder, wherever the run was ended.

W&B keeps a run's history by line number, and its client goes on after the lines that the server has, whatever they
hold: what is sent twice is there twice. A record to be uploaded therefore begins with the first line that the server
lacks. The lines of a run never change: one an epoch, then one with the table of predictions.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from filelock import FileLock

from atinuke_bench.errors import AtinukeBenchError, FailureClass, RunFolderError, TrackerError, first_line
from atinuke_bench.files import finite, read_json, read_object, sha256_json, write_json
from atinuke_bench.predictions import read_predictions
from atinuke_bench.records import NoteRecord
from atinuke_bench.run_folder import RunFolder, require_shape
from atinuke_bench.runs.wandb_server import lines_online
from atinuke_bench.secrets import without_secrets
from atinuke_bench.wandb_settings import offline_settings

# W&B shows at most this many rows of a table.
MAX_TABLE_ROWS = 10_000
FINISHED, RUNNING, INTERRUPTED = "finished", "running", "interrupted"
#: In a record's folder once the record is whole.
_TOLD = "told.json"
#: Variables of a user's shell by which W&B would take a record for another run's, or append to one.
_OF_OTHER_RUNS = ("WANDB_RUN_ID", "WANDB_RESUME")
#: What W&B would write into its logs although nothing is sent.
_FOR_SERVER = ("WANDB_API_KEY", "WANDB_BASE_URL")


@dataclass(frozen=True)
class Note:
    """What the tracker knows and the run's own files do not say, kept beside them in `.wandb.json`."""

    identity: str
    #: The number of this training of the folder, from 1; `--rerun` trains again, which is another run to W&B.
    training: int
    project: str
    group: str | None
    #: From the start of training until it ends without a result. Where it is set, nobody holds the folder and there is
    #: no result, the run was killed.
    is_under_way: bool

    @classmethod
    def read(cls, folder: RunFolder) -> Self | None:
        """The note of a run; None where it was not tracked, or by a version without notes; RunFolderError."""
        path = _note_file(folder)
        if not path.exists():
            return None
        known = require_shape(NoteRecord, read_object(path), path)
        return cls(known.identity, known.training, known.project, known.group, known.is_under_way)

    def write(self, folder: RunFolder) -> None:
        write_json(_note_file(folder), asdict(self))

    def ended(self) -> Note:
        return replace(self, is_under_way=False)

    @property
    def wandb_id(self) -> str:
        return self.identity if self.training == 1 else f"{self.identity}-{self.training}"


@dataclass(frozen=True)
class Content:
    """A record before it is one."""

    wandb_id: str
    project: str
    group: str | None
    name: str
    tags: list[str]
    config: dict[str, Any]
    #: One line an epoch, which is its step.
    history: list[dict[str, Any]]
    summary: dict[str, Any]

    @property
    def state(self) -> str:
        """`finished`, `running`, `interrupted`, or the class of the run's failure."""
        return str(self.summary["state"])

    @property
    def digest(self) -> str:
        return sha256_json(finite(asdict(self)))


@dataclass(frozen=True)
class Record:
    """An offline record on disk, and what it tells."""

    path: Path
    digest: str
    state: str


def is_tracked(folder: RunFolder) -> bool:
    """Whether a run is for W&B at all."""
    return _note_file(folder).exists() or any((folder.path / "wandb").glob("offline-run-*"))


def record_lock(folder: RunFolder, timeout: float) -> FileLock:
    """Held by whoever records or uploads a run."""
    return FileLock(folder.path / ".wandb.lock", timeout=timeout)


def content_of(folder: RunFolder) -> Content:
    """What W&B is to hold of a run as its folder is now; TrackerError where the folder cannot be read."""
    try:
        note, run = Note.read(folder), folder.read_config()
        result = folder.read_result() if folder.is_finished() else None
        history = [_row(record) for record in folder.read_history()]
        if note is None:
            identity = read_json(folder.manifest)["identity"]
            note = Note(identity, 1, "atinuke-bench", None, is_under_way=folder.is_locked())
        return Content(
            wandb_id=note.wandb_id,
            project=note.project,
            group=note.group,
            name=f"{run.task} {run.core.label()} seed {run.seed}",
            tags=[run.task, run.core.name],
            config=run.model_dump(mode="json") | {"identity": note.identity},
            history=history,
            summary=_unfinished(folder, note, len(history)) if result is None else _finished(result),
        )
    except (AtinukeBenchError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise TrackerError(f"the run's folder cannot be read ({first_line(error, with_class=True)})") from error


def current_record(folder: RunFolder) -> Record | None:
    """The last whole record of a run."""
    for path in sorted((folder.path / "wandb").glob("offline-run-*"), reverse=True):
        try:
            return Record(path, **read_json(path / _TOLD))
        except (RunFolderError, TypeError):
            continue  # cut short, or of a version that marked nothing
    return None


def record_run(folder: RunFolder, timeout: float, *, for_server: bool = False) -> Record:
    """Record a run anew in a separate process, which removes earlier records.

    With `for_server` the server is asked which lines it has, and the record holds the others. TrackerError where
    recording failed, TimeoutError where it took more than `timeout` seconds.
    """
    left_out = () if for_server else _FOR_SERVER
    environment = {name: value for name, value in os.environ.items() if name not in (*_OF_OTHER_RUNS, *left_out)}
    arguments = [__name__, str(folder.path), *(["--for-server"] if for_server else [])]
    # A separate session: Ctrl-C reaches the run, which is then recorded as interrupted.
    done = run_module(arguments, environment, timeout, "W&B has not answered", own_session=True)
    record = current_record(folder)
    if done.returncode or record is None:
        raise TrackerError(last_line(done.stderr) or f"W&B has not recorded the run (status {done.returncode})")
    return record


def run_module(
    arguments: list[str], environment: Mapping[str, str], timeout: float, late: str, *, own_session: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a module and wait for it; TimeoutError, which begins with `late`, after `timeout` seconds."""
    try:
        return subprocess.run(
            [sys.executable, "-m", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            env=environment,
            start_new_session=own_session,
        )
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"{late} within {timeout:g} s") from None


def last_line(output: str) -> str:
    """The last line that a program has written, without secrets; empty where there is none."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return without_secrets(lines[-1]) if lines else ""


def _note_file(folder: RunFolder) -> Path:
    return folder.path / ".wandb.json"


def _row(record: dict[str, Any]) -> dict[str, Any]:
    # `score` is a run's score of dev or test; an epoch has one of the held-out slice.
    row = {name: value for name, value in record.items() if name not in ("score", "metrics", "answers")}
    row |= {"selection_score": record["score"]}
    row |= {f"answers/{name}": value for name, value in record.get("answers", {}).items()}
    return row | {f"selection/{name}": value for name, value in record["metrics"].items()}


def _finished(result: dict[str, Any]) -> dict[str, Any]:
    # With its protocol a run can be read back and compared from W&B alone.
    kept = ("score", "split", "metric", "higher_is_better", "core_label", "protocol", "seconds")
    summary = {"state": FINISHED, **{name: result[name] for name in kept}}
    summary["selection_score"] = (result["selection"] or {}).get("score")
    if result["interval"] is not None:
        summary |= {"interval/low": result["interval"][0], "interval/high": result["interval"][1]}
    for split, metrics in result["scores"].items():
        summary |= {f"{split}/{name}": value for name, value in metrics.items()}
    return summary | {f"cost/{name}": value for name, value in result["cost"].items()}


def _unfinished(folder: RunFolder, note: Note, num_epochs: int) -> dict[str, Any]:
    if note.is_under_way and folder.is_locked():
        return {"state": RUNNING, "num_epochs": num_epochs}
    failure = None if note.is_under_way or not folder.failure.exists() else read_json(folder.failure)
    if failure is None or failure["class"] == FailureClass.KILLED:
        return {"state": INTERRUPTED, "num_epochs": num_epochs}
    return {"state": failure["class"], "num_epochs": num_epochs, "failure": without_secrets(failure["message"])}


def _write_record(folder: RunFolder, *, for_server: bool) -> None:
    """Write a record by W&B itself, and remove the others."""
    import wandb

    content = content_of(folder)
    summary, lines = dict(content.summary), [dict(line) for line in content.history]
    if content.state == FINISHED:
        predictions = read_predictions(folder.predictions, optional=("unit",)).to_pandas()
        lines.append({"predictions": wandb.Table(dataframe=predictions.head(MAX_TABLE_ROWS))})
        summary["num_predictions"] = len(predictions)
    run = wandb.init(
        project=content.project,
        group=content.group,
        name=content.name,
        id=content.wandb_id,
        config=content.config,
        tags=content.tags,
        dir=str(folder.path),
        mode="offline",
        settings=offline_settings(),
    )
    num_online = lines_online(run.settings, content.name) if for_server else 0
    # W&B would show the last epoch's value of everything as the run's own.
    run.define_metric("*", summary="none")
    for step, line in enumerate(lines):
        if step >= num_online:
            run.log(line, step=step)
    run.summary.update(summary)
    if content.state == INTERRUPTED:
        run.mark_preempting()
    path = Path(run.dir).parent
    run.finish(exit_code=0 if content.state in (FINISHED, RUNNING) else 1)
    wandb.teardown()  # waits until the file is whole
    write_json(path / _TOLD, {"digest": content.digest, "state": content.state})
    for other in path.parent.glob("offline-run-*"):
        if other != path:
            shutil.rmtree(other)


if __name__ == "__main__":
    try:
        _write_record(RunFolder(Path(sys.argv[1])), for_server="--for-server" in sys.argv)
    except Exception as error:
        # The last line is what the run's log and `sync` say.
        raise SystemExit(first_line(error, with_class=True)) from error
