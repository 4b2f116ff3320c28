"""The upload of a run's W&B record, and the memory of what was uploaded.

W&B marks a record that it has uploaded once and for all. A run goes on, so what counts here is a digest of what was
told: a run is sent again when there is more to tell.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from filelock import Timeout

from atinuke_bench.errors import RunFolderError, TrackerError
from atinuke_bench.files import make_folder, read_json, write_json
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.runs.wandb_record import RUNNING, content_of, last_line, record_lock, record_run, run_module

#: Variables of a user's shell by which W&B would append to another run.
_NOT_FOR_UPLOADS = ("WANDB_RUN_ID", "WANDB_RESUME")


def needs_upload(folder: RunFolder) -> bool:
    """Whether W&B does not hold what a run's folder tells now; TrackerError where the folder cannot be read."""
    return content_of(folder).digest != _sent(folder)


def sync(folder: RunFolder, timeout: float) -> None:
    """Upload what a run's folder tells now and the server lacks, and wait for it.

    TrackerError where that failed; TimeoutError where W&B has not taken it within `timeout` seconds.
    """
    try:
        with record_lock(folder, timeout):
            if needs_upload(folder):
                record = record_run(folder, timeout, for_server=True)
                upload(record.path, timeout, has_ended=record.state != RUNNING)
                write_json(_sent_file(folder), {"digest": record.digest})
    except Timeout:
        raise TimeoutError(f"another process has been uploading the run for {timeout:g} s") from None


def upload(record: Path, timeout: float, *, has_ended: bool = True) -> None:
    """Upload an offline record by `wandb sync`; W&B is told of an end only if it `has_ended`. Errors as of `sync`."""
    environment = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_UPLOADS}
    environment["WANDB_X_UPDATE_FINISH_STATE"] = str(has_ended).lower()
    done = run_module(["wandb", "sync", str(record)], environment, timeout, "W&B has not taken the record")
    # The exit code is 0 for most failures, and W&B marks as uploaded what the server has refused to store.
    output = done.stderr + done.stdout
    errors = [line for line in output.splitlines() if line.startswith("wandb: ERROR")]
    if errors or not list(record.glob("*.synced")):
        raise TrackerError(last_line("\n".join(errors) or output) or "W&B has not taken the record")


def start_upload(arguments: list[str], folder: Path) -> None:
    """Run a command of this package in a process that nobody waits for; what it says is in `wandb/upload.txt`."""
    with open(make_folder(folder / "wandb") / "upload.txt", "ab") as output:
        subprocess.Popen(
            [sys.executable, "-m", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def start_sync(folder: RunFolder) -> None:
    """Upload a run by `sync` in a process that nobody waits for."""
    start_upload(["atinuke_bench", "sync", str(folder.path)], folder.path)


def start_upload_of_record(record: Path, folder: Path) -> None:
    """Upload a single record, which is no run's, in a process that nobody waits for."""
    start_upload([__name__, str(record)], folder)


def _sent_file(folder: RunFolder) -> Path:
    return folder.path / ".wandb-sent.json"


def _sent(folder: RunFolder) -> str | None:
    """The digest of what was sent last; where it is not known, a run is sent once too often."""
    try:
        return str(read_json(_sent_file(folder))["digest"])
    except (RunFolderError, LookupError, TypeError):
        return None


if __name__ == "__main__":
    try:
        upload(Path(sys.argv[1]), timeout=3600)
    except (TrackerError, TimeoutError) as error:
        raise SystemExit(f"not uploaded: {error}") from error
