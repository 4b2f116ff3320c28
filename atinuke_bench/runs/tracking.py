"""Weights & Biases: one W&B run per run, recorded offline when the run ends, uploaded afterwards if asked.

Everything happens in separate processes and on the local disk alone, so neither a missing key nor a host that does not
answer can hold up a run. `online` starts an upload once the run has ended, in a process that nobody waits for.
"""

from __future__ import annotations

import logging

from filelock import Timeout

from atinuke_bench.errors import AtinukeBenchError, RunFolderError
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.runs.jobs.types import WandbMode
from atinuke_bench.runs.wandb_record import Note, record_lock, record_run
from atinuke_bench.runs.wandb_upload import start_sync
from atinuke_bench.training.prepare import PreparedRun
from atinuke_bench.training.tracker import NoTracker, Tracker

log = logging.getLogger(__name__)

# Recording is local and takes two seconds; a disk that hangs must not keep a finished run from ending.
_RECORD_SECONDS = 30.0


def make_tracker(mode: WandbMode, *, project: str = "atinuke-bench", group: str | None = None) -> Tracker:
    """The tracker of a mode."""
    return NoTracker() if mode == "disabled" else WandbTracker(project, group, is_uploaded=mode == "online")


class WandbTracker:
    """Notes that a run is for W&B when it begins, and has its folder recorded when it ends."""

    def __init__(self, project: str, group: str | None, *, is_uploaded: bool) -> None:
        self.project = project
        self.group = group
        self.is_uploaded = is_uploaded
        self._note: Note | None = None

    def start(self, prepared: PreparedRun, folder: RunFolder) -> None:
        try:
            before = Note.read(folder)
        except RunFolderError as error:
            log.warning("%s; it is written anew", error)
            before = None
        try:
            training = max(folder.num_set_aside() + 1, before.training if before else 1)
            note = Note(prepared.identity, training, self.project, self.group, is_under_way=True)
            note.write(folder)
            self._note = note
        except RunFolderError as error:
            log.warning("W&B has no record of this run: %s", error)

    def finish(self, folder: RunFolder) -> None:
        """A failure is logged and never reaches the run; `sync` records what is missing."""
        if self._note is None:
            return
        try:
            if not folder.is_finished():  # else the result says so, and nothing is begun beside it
                self._note.ended().write(folder)
            if self.is_uploaded:
                start_sync(folder)
                return
            with record_lock(folder, _RECORD_SECONDS):
                record_run(folder, _RECORD_SECONDS)
        except Timeout:
            log.warning("W&B: an upload of the run is under way; the next one, by `sync`, tells how it ended")
        except (AtinukeBenchError, OSError) as error:
            log.warning("W&B has no record of this run: %s", error)
