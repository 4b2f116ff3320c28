"""The folder of one run: what is in it, and when it counts as finished.

config.yaml           the resolved config
manifest.json         versions, commit, data fingerprints, hardware, threads, seeds
tokenizer.json        the tokenizer, as the `tokenizers` library reads it; it travels with the weights
history.jsonl         one line an epoch, with its checksum
steps.parquet         what the optimiser steps were like (step_record.py); older runs have none
selection.parquet     what each example added to the selection score (selection_record.py); older runs have none
predictions.parquet   split, id, prediction, gold, score: one row an evaluated example
checkpoints/          best.safetensors: the selected weights; until the run is finished also what it resumes from:
                      `last` (after an epoch), `middle` (within one), `next` (the best once their epoch is recorded)
log.txt               what happened, with times
wandb/                only where W&B is told: its record, made from the files above
.wandb.json           the run's name, project and group there; .wandb-sent.json: what it was sent last
evaluations/<name>/   only where the run was scored on other data (evaluation_folder.py); no part of the result
attention/            only where its attention heads were looked at (attention_file.py); no part of the result
.earlier-<n>/         only after `--rerun`: what the folder held before
.damaged-<n>/         only after damage: the files that did not fit
failure.json          only where the run failed: its class and traceback
result.json           written last: the run is finished if and only if it is there and valid
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from filelock import Timeout
from pydantic import BaseModel

from atinuke_bench.config import RunConfig, parse, read_yaml
from atinuke_bench.errors import CheckpointError, ConfigError, RunFolderError, one_line
from atinuke_bench.files import (
    file_problem,
    finite,
    make_folder,
    open_regular,
    read_object,
    sha256_json,
    write_json,
    write_text,
)
from atinuke_bench.locks import folder_held, held, is_held
from atinuke_bench.records import FailureRecord, ResultRecord
from atinuke_bench.sealed import history_lines, parse_history, sealed, unsealed

RESULT_SCHEMA = 1
Shape = TypeVar("Shape", bound=BaseModel)
#: Beginnings of the folders that hold what was set aside, each followed by a number from 1.
EARLIER, DAMAGED = ".earlier-", ".damaged-"
#: Beginning of the folder beside a run's place that a copy of it is written to; no run before it is whole.
COPYING = ".copying-"
#: Files of an evaluation, one of which each has and no run.
DECLARATION, PERTURBATION = "declaration.yaml", "perturbation.yaml"
_OF_EVALUATION = frozenset((DECLARATION, PERTURBATION))
#: Share of [UNK] among a split's tokens beyond which runs and reports warn that text is hidden from the core.
MOST_UNKNOWN_PERCENT = 5


@dataclass(frozen=True)
class RunFolder:
    """Paths and small files of one run."""

    path: Path

    @property
    def config(self) -> Path:
        return self.path / "config.yaml"

    @property
    def manifest(self) -> Path:
        return self.path / "manifest.json"

    @property
    def tokenizer(self) -> Path:
        return self.path / "tokenizer.json"

    @property
    def history(self) -> Path:
        return self.path / "history.jsonl"

    @property
    def steps(self) -> Path:
        return self.path / "steps.parquet"

    @property
    def selection(self) -> Path:
        return self.path / "selection.parquet"

    @property
    def predictions(self) -> Path:
        return self.path / "predictions.parquet"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def last_checkpoint(self) -> Path:
        return self.checkpoints / "last.safetensors"

    @property
    def middle_checkpoint(self) -> Path:
        return self.checkpoints / "middle.safetensors"

    @property
    def best_checkpoint(self) -> Path:
        return self.checkpoints / "best.safetensors"

    @property
    def next_checkpoint(self) -> Path:
        return self.checkpoints / "next.safetensors"

    @property
    def states(self) -> list[Path]:
        """What only resuming reads."""
        return [self.last_checkpoint, self.middle_checkpoint, self.next_checkpoint]

    @property
    def weights(self) -> list[Path]:
        """Every file with weights that a run may have."""
        return [self.best_checkpoint, *self.states]

    @property
    def log(self) -> Path:
        return self.path / "log.txt"

    @property
    def failure(self) -> Path:
        return self.path / "failure.json"

    @property
    def result(self) -> Path:
        return self.path / "result.json"

    def create(self) -> None:
        """Make the folder and check that it can be written; RunFolderError otherwise."""
        make_folder(self.path)
        for path in (self.checkpoints, self.log, self.result, self.history, self.path / ".lock"):
            if path.is_symlink() and not self.contains(path.name):
                raise RunFolderError(f"{path}: a link out of the run folder, which is not written through; remove it")
        make_folder(self.checkpoints)
        # A folder can exist and still refuse files; that is better found before training than after. The file has no
        # name that another process could take from under this one.
        try:
            with tempfile.TemporaryFile(dir=self.path):
                pass
        except OSError as error:
            raise RunFolderError(f"{self.path}: cannot be written ({error.strerror or error})") from error

    def set_aside(self) -> Path | None:
        """Move what an earlier training left into a folder that counts as no run; None where it left nothing."""
        left = [path for path in self.path.iterdir() if not path.name.startswith(".") and path != self.log]
        if not any(path.is_file() for path in left):
            return None
        # First what a run would be taken for finished by, then what it would resume from, wherever this is interrupted.
        order = [self.result, self.last_checkpoint.parent, self.history]
        left.sort(key=lambda path: order.index(path) if path in order else len(order))
        return move_aside(left, self.path, EARLIER, self.path)

    def set_damaged_aside(self, paths: Iterable[Path]) -> Path | None:
        """Move files of the run that are no use into a folder that counts as no run; None where none of them is there.

        Nothing is deleted: who wants to know what happened to a file finds it there.
        """
        found = [path for path in paths if path.exists() or path.is_symlink()]
        return move_aside(found, self.path, DAMAGED, self.path) if found else None

    def num_set_aside(self) -> int:
        """How often what a training left was set aside."""
        return _num_places(self.path, EARLIER)

    def has_past(self) -> bool:
        """Whether a training would find something of an earlier one."""
        return any(path.exists() for path in (self.result, self.history, *self.states))

    def is_finished(self) -> bool:
        """True when a valid `result.json` is there."""
        if not self.result.exists():
            return False
        try:
            self.read_result()
        except RunFolderError:
            return False
        return True

    def read_result(self) -> dict[str, Any]:
        """The run's result; RunFolderError when it is missing, damaged or of another schema."""
        if not self.result.exists():
            raise RunFolderError(f"{self.path}: not a finished run (it has no result.json)")
        record = read_object(self.result)
        if record.get("schema") != RESULT_SCHEMA or "score" not in record:
            raise RunFolderError(f"{self.result}: not a result of schema {RESULT_SCHEMA}")
        if not unsealed(record):
            raise RunFolderError(f"{self.result}: not as the run wrote it (its checksum differs)")
        require_shape(ResultRecord, record, self.result)
        return record

    def read_failure(self) -> FailureRecord | None:
        """Why the run failed; None where it did not, RunFolderError when `failure.json` is damaged."""
        if not os.path.lexists(self.failure):
            return None
        return require_shape(FailureRecord, read_object(self.failure), self.failure)

    def contains(self, name: str) -> bool:
        """Whether a file name, which may come from another machine, stays inside the folder."""
        # `realpath` ends at a link that names itself, where `resolve` raises.
        return Path(os.path.realpath(self.path / name)).is_relative_to(os.path.realpath(self.path))

    def artefact_problem(self, name: str, checksum: str) -> str | None:
        """What is wrong with a file of the finished run; None when it is as the run left it."""
        return file_problem(self.path / name, checksum) if self.contains(name) else "lies outside the run folder"

    def require_whole(self, path: Path, result: dict[str, Any]) -> None:
        """RunFolderError when the run kept no such file, CheckpointError when the file is missing or damaged."""
        name = str(path.relative_to(self.path))
        checksum = result.get("artefacts", {}).get(name)
        if checksum is None:
            raise RunFolderError(f"{self.path}: the run kept no {name}; train it again with this version")
        if self.artefact_problem(name, checksum):
            raise CheckpointError(f"{path}: missing or damaged (its checksum is not the one in result.json)")

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder, as the process does that carries out the run; Timeout when another one does.

        Its `.lock` may be removed by whoever tidies up, so that the folder itself is held too.
        """
        with held(self.path / ".lock"), folder_held(self.path):
            yield

    def is_locked(self) -> bool:
        """Whether a process is carrying out the run right now."""
        if not self.path.exists():
            return False
        try:
            with folder_held(self.path):
                return is_held(self.path / ".lock")
        except Timeout:
            return True

    def read_config(self) -> RunConfig:
        """The run's resolved config; RunFolderError when it is missing."""
        try:
            record = read_yaml(self.config)
        except ConfigError as error:
            raise RunFolderError(f"{self.config}: cannot be read as a run's config ({error})") from error
        return parse(RunConfig, record, str(self.config))

    def write_config(self, run: RunConfig) -> None:
        write_text(self.config, yaml.safe_dump(run.model_dump(mode="json"), sort_keys=False))

    def read_history(self) -> list[dict[str, Any]]:
        """Records of the finished epochs, up to the first line that is not as it was written."""
        return self.check_history()[0]

    def check_history(self) -> tuple[list[dict[str, Any]], str | None]:
        """Records of the finished epochs that are as they were written, and what is wrong with the line after them."""
        if not os.path.lexists(self.history):
            return [], None
        try:
            with open_regular(self.history) as file:
                lines = file.read().splitlines()
        except OSError as error:
            return [], f"cannot be read ({one_line(error)})"
        return parse_history(lines)

    def write_history(self, records: list[dict[str, Any]]) -> None:
        """Replace the history. It has one short line an epoch, so writing it whole costs nothing."""
        write_text(self.history, "".join(line + "\n" for line in history_lines(records)))

    def write_result(self, record: dict[str, Any]) -> None:
        """Finish the run. Nothing may be written to the folder afterwards."""
        # What could not be read again would be trained again, every time.
        require_shape(ResultRecord, finite(record), self.result)
        self.failure.unlink(missing_ok=True)
        write_json(self.result, sealed({"schema": RESULT_SCHEMA, **record}))
        # Only resuming reads it; with the optimiser's state it is three times the size of the weights.
        for state in self.states:
            state.unlink(missing_ok=True)


def move_aside(paths: Iterable[Path], folder: Path, prefix: str, what: Path) -> Path:
    """Move files, in this order, into the next place of a prefix in a folder; RunFolderError that names `what`."""
    place = make_folder(folder / f"{prefix}{_num_places(folder, prefix) + 1}")
    try:
        for path in paths:
            path.rename(place / path.name)
    except OSError as error:
        raise RunFolderError(f"{what}: cannot be set aside ({error.strerror or error})") from error
    return place


def _num_places(folder: Path, prefix: str) -> int:
    numbers = [path.name.removeprefix(prefix) for path in folder.glob(f"{prefix}*")]
    return max((int(number) for number in numbers if number.isdecimal()), default=0)


def read_record(shape: type[Shape], path: Path) -> dict[str, Any]:
    """The JSON object in a file, which has the shape; RunFolderError with the first field that has not."""
    record = read_object(path)
    require_shape(shape, record, path)
    return record


def require_shape(shape: type[Shape], record: dict[str, Any], path: Path) -> Shape:
    """The record as the shape has it; RunFolderError with the first field that differs."""
    try:
        return parse(shape, record, str(path))
    except ConfigError as error:
        raise RunFolderError(str(error)) from None


def identity(run: RunConfig, data_fingerprint: str, result_versions: dict[str, int]) -> str:
    """Ten hexadecimal digits that name everything that determines a run's result, and nothing else."""
    record = {"config": run.determinants(), "data": data_fingerprint, "result_versions": result_versions}
    return sha256_json(record)[:10]


def folder_of(store: str | Path, run: RunConfig, run_identity: str) -> RunFolder:
    """Where a run lives in a store: `<store>/<task>/<core>/seed-<n>-<identity>`."""
    return RunFolder(Path(store) / run.task / run.core.name / f"seed-{run.seed}-{run_identity}")


def folder_of_result(store: str | Path, result: dict[str, Any]) -> RunFolder:
    """Where the run of a result lives in its store."""
    return RunFolder(Path(store) / result["task"] / result["core"] / f"seed-{result['seed']}-{result['identity']}")


def find_runs(*places: str | Path) -> list[RunFolder]:
    """Every run folder at or below the given places, in order of path.

    Folders that were moved and linked are followed. What lies within a run's folder is no run: what was set aside, and
    W&B keeps files of the same name there.
    """
    found, seen = set(), set()
    for place in places:
        for folder, below, files in os.walk(place, followlinks=True):
            if (real := os.path.realpath(folder)) in seen:  # a link to a folder above, or a place in another one
                below.clear()
                continue
            # A run whose config is gone is still one, so that it is named as damaged; an evaluation never is.
            if "config.yaml" in files or ("result.json" in files and not _OF_EVALUATION & set(files)):
                found.add(Path(folder))
                below.clear()
            else:
                seen.add(real)
                below[:] = [name for name in below if not name.startswith((EARLIER, DAMAGED, COPYING))]
    return [RunFolder(path) for path in sorted(found)]
