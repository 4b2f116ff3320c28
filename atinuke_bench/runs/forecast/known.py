"""Runs that a store has finished for whatever suite: a suite that never ran there will find them, too."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from atinuke_bench.config import RunConfig
from atinuke_bench.errors import AtinukeBenchError, RunFolderError
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.runs.cells import CellState
from atinuke_bench.training.prepare import identity_on, resolve_settings
from atinuke_bench.training.task import task_of


def find_finished(states: Iterable[CellState], store: Path) -> None:
    """Set the status of waiting cells whose runs are finished in the store. No data is read for it.

    A run is known by the identity that it has on the data of a finished one. That this data is the cell's too is sure
    where it was generated, and taken for granted where it is an official release; of other files nothing is assumed.
    """
    for state in states:
        if state.status == "waiting" and state.folder is None and state.cell.origin is None:
            folder = _finished(state.cell.run, store)
            if folder is not None:
                state.look_into(folder, retry_failed=False)


def _finished(run: RunConfig, store: Path) -> RunFolder | None:
    places = sorted((store / run.task / run.core.name).glob(f"seed-{run.seed}-*"))
    if not places:
        return None
    try:
        task = task_of(run)
        resolved = resolve_settings(run.model_copy(update={"options": task.options(run).model_dump(mode="json")}))
    except AtinukeBenchError:  # such as files of a core that are not there: the run itself will say so
        return None
    for place in places:
        folder = RunFolder(place)
        try:
            result = folder.read_result()
        except RunFolderError:
            continue
        protocol = result["protocol"]
        if protocol.get("source") != "microworld" and protocol.get("is_cut", True):
            continue
        named = (
            identity_on(resolved, task, str(protocol.get("data_fingerprint")), has_cut_words=has_cut_words)
            for has_cut_words in (False, True)
        )
        if result["identity"] in named:
            return folder
    return None
