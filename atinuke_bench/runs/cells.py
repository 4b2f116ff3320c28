"""The cells of a suite and the state of each, as the store shows it before anything runs."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any, Literal

from atinuke_bench import registry
from atinuke_bench.config import SourceConfig, SuiteConfig
from atinuke_bench.data.hold_out import CUT_VERSION
from atinuke_bench.data.tokenizer import CUT_WORDS_VERSION
from atinuke_bench.errors import FailureClass, RunFolderError
from atinuke_bench.files import sha256_json
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.runs.grid import Cell, expand, require_data_folder, select
from atinuke_bench.runs.suite_record import RecordedCell, SuiteRecord, data_stamp, grid_stamp
from atinuke_bench.training.schedule import SCHEDULE_VERSION

Status = Literal["waiting", "running", "elsewhere", "finished", "failed"]


@dataclass
class CellState:
    """The state of a cell."""

    cell: Cell
    key: str
    status: Status = "waiting"
    folder: RunFolder | None = None
    result: dict[str, Any] | None = None
    #: Class and message.
    failure: tuple[FailureClass, str] | None = None
    #: The newest line of the run's history, while it runs.
    epoch: dict[str, Any] | None = None
    started: float = 0.0
    seconds: float | None = None
    look_again: float = 0.0

    def look_into(self, folder: RunFolder, *, retry_failed: bool) -> None:
        """Set the status from the cell's run folder."""
        self.folder, self.status, self.failure = folder, "waiting", None
        try:
            self.result = folder.read_result()
            self.status = "finished"
        except RunFolderError:
            if retry_failed:
                return
            # A damaged record of a failure is none: the run is tried again.
            with contextlib.suppress(RunFolderError):
                failure = folder.read_failure()
                # What was ended from outside goes on; anything else would fail again.
                if failure is not None and failure.failure_class is not FailureClass.KILLED:
                    self.status, self.failure = "failed", (failure.failure_class, failure.message)


def cell_states(
    cells: list[Cell],
    suite: SuiteConfig,
    source: SourceConfig,
    record: SuiteRecord,
    *,
    retry_failed: bool = False,
    rerun: bool = False,
    look_again: bool = False,
    is_written: bool = True,
) -> list[CellState]:
    """Every cell with what the store already knows of it, nothing for a `rerun`; the record takes the grid.

    Without `is_written` nothing of the store changes: what looks ahead leaves no suite behind.
    With `look_again` every run looks up its folder itself, and may find that something is missing there.
    RunFolderError where there is something to run and the record cannot be written.
    """
    declared = {name: suite.declaration_of(name) for name in suite.tasks}
    official = data_stamp(source)
    stamps = {name: official if own is None else data_stamp(source, own) for name, own in declared.items()}
    versions = {name: registry.load_task(name, declaration).result_version for name, declaration in declared.items()}
    keys = _keys(cells, versions, stamps)
    states = [CellState(cell, keys[cell.path]) for cell in cells]
    recorded = [
        RecordedCell(state.key, state.cell.run.task, state.cell.variant, state.cell.run.core.name, state.cell.run.seed)
        for state in states
    ]
    record.replace_grid(suite, grid_stamp(suite, source), recorded)
    refusal = _refusal(record) if is_written else None
    # Where changes of the data cannot be seen, every run looks up its folder again.
    folders = record.folders() if None not in stamps.values() and not (rerun or look_again) else {}
    for state in states:
        if (place := folders.get(state.key)) is not None:
            state.look_into(RunFolder(record.store / place), retry_failed=retry_failed)
    if refusal is not None and any(state.status == "waiting" for state in states):
        raise refusal
    return states


def chosen_states(
    config: SuiteConfig,
    source: SourceConfig,
    record: SuiteRecord,
    where: str,
    only: list[str] | None,
    *,
    needs_data: bool = True,
    **looks: bool,
) -> list[CellState]:
    """The cells that patterns choose, with what the store has of them; ConfigError where their data has no folder.

    `where` names the suite in messages, `looks` are those of `cell_states`.
    """
    cells = expand(config, source, where)
    selected = select(cells, [config.by_name(pattern) for pattern in only or []])
    if needs_data:
        require_data_folder(selected)
    chosen = {cell.path for cell in selected}
    return [one for one in cell_states(cells, config, source, record, **looks) if one.cell.path in chosen]


def _refusal(record: SuiteRecord) -> RunFolderError | None:
    """Write the record; why that was refused, as in a store that can only be read."""
    try:
        record.write()
    except RunFolderError as error:
        return error
    return None


def _keys(cells: list[Cell], task_versions: dict[str, int], stamps: dict[str, str | None]) -> dict[str, str]:
    """The key of each cell by its path; a cell that starts from another has the other's in its key.

    `stamps` are those of each task's data.
    """
    by_path = {cell.path: cell for cell in cells}
    keys: dict[str, str] = {}

    def key_of(path: str) -> str:
        if path not in keys:
            cell = by_path[path]
            own = _key(cell, task_versions, stamps[cell.run.task])
            keys[path] = own if cell.origin is None else sha256_json([own, key_of(cell.origin)])[:16]
        return keys[path]

    for cell in cells:
        key_of(cell.path)
    return keys


def _key(cell: Cell, task_versions: dict[str, int], data: str | None) -> str:
    source = cell.run.source.model_dump(mode="json")
    core = registry.load_core(cell.run.core.name).result_version
    # Two columns may hold the same run; each has its own cell.
    versions = [task_versions[cell.run.task], core, CUT_VERSION, CUT_WORDS_VERSION, SCHEDULE_VERSION]
    return sha256_json([cell.variant, cell.run.determinants(), source, versions, data])[:16]
