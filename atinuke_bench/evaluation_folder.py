"""The folder of a finished run's evaluation on other labelled data: `<run>/evaluations/<name>/`.

declaration.yaml      the test set as it was declared; not of the run's own data where that is a built-in task's
perturbation.yaml     what was done to the run's own data, where it was scored on that
predictions.parquet   split, id, prediction, gold, score, unit, as a run's; labels are those of the test set
result.json           written last: the evaluation is finished if and only if it is there and valid

Beside them `.earlier-<n>/` holds what was evaluated again, and `.damaged-<n>/` what did not fit. No file of the run
changes, and its result says nothing of evaluations.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from atinuke_bench.config import Declaration, parse, read_yaml
from atinuke_bench.errors import ConfigError, RunFolderError
from atinuke_bench.files import (
    file_problem,
    finite,
    make_folder,
    read_object,
    remove_parts,
    sha256_file,
    write_bytes,
    write_json,
    write_text,
)
from atinuke_bench.records import EvaluationRecord
from atinuke_bench.run_folder import DAMAGED, DECLARATION, EARLIER, PERTURBATION, RunFolder, move_aside, require_shape
from atinuke_bench.sealed import sealed, unsealed

EVALUATION_SCHEMA = 1
_PLACE = "evaluations"


@dataclass(frozen=True)
class EvaluationFolder:
    """Paths and small files of one evaluation."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def run(self) -> RunFolder:
        """The run that was evaluated."""
        return RunFolder(self.path.parent.parent)

    @property
    def declaration(self) -> Path:
        return self.path / DECLARATION

    @property
    def perturbation(self) -> Path:
        return self.path / PERTURBATION

    @property
    def predictions(self) -> Path:
        return self.path / "predictions.parquet"

    @property
    def result(self) -> Path:
        return self.path / "result.json"

    def read_result(self) -> dict[str, Any]:
        """What the evaluation found; RunFolderError when it is missing, damaged or of another schema."""
        if not os.path.lexists(self.result):
            raise RunFolderError(f"{self.path}: not a finished evaluation (it has no result.json)")
        record = read_object(self.result)
        if record.get("schema") != EVALUATION_SCHEMA:
            raise RunFolderError(f"{self.result}: not an evaluation of schema {EVALUATION_SCHEMA}")
        if not unsealed(record):
            raise RunFolderError(f"{self.result}: not as it was written (its checksum differs)")
        require_shape(EvaluationRecord, record, self.result)
        return record

    def read_declaration(self) -> Declaration:
        """The test set as it was declared; RunFolderError."""
        try:
            return parse(Declaration, read_yaml(self.declaration), str(self.declaration))
        except ConfigError as error:
            raise RunFolderError(str(error)) from error

    def write(self, declaration: Declaration | None, predictions: bytes, record: dict[str, Any]) -> None:
        """Write the whole evaluation, its result last; RunFolderError where that is refused."""
        make_folder(self.path)
        remove_parts(self.path)
        paths = [self.predictions]
        described = {
            self.declaration: None if declaration is None else declaration.model_dump(mode="json"),
            self.perturbation: record["determinants"].get("perturbed"),
        }
        for path, content in described.items():
            if content is not None:
                write_text(path, yaml.safe_dump(content, sort_keys=False))
                paths.append(path)
        write_bytes(self.predictions, predictions)
        artefacts = {path.name: sha256_file(path) for path in sorted(paths)}
        whole = finite({"schema": EVALUATION_SCHEMA, **record, "artefacts": artefacts})
        # What could not be read again would be evaluated again, every time.
        require_shape(EvaluationRecord, whole, self.result)
        write_json(self.result, sealed(whole))

    def artefact_problems(self, result: dict[str, Any]) -> dict[str, str]:
        """What is wrong with the files that a result names, by file."""
        described = PERTURBATION if result["determinants"].get("perturbed") else DECLARATION
        names = {DECLARATION, described, self.predictions.name}
        needed = {described, self.predictions.name}
        problems = dict.fromkeys(needed - result["artefacts"].keys(), "result.json has no checksum of it")
        for name, checksum in result["artefacts"].items():
            if name not in names:
                problems[name] = "no file of an evaluation"
            elif problem := file_problem(self.path / name, checksum):
                problems[name] = problem
        return problems

    def strangers(self, result: dict[str, Any]) -> list[str]:
        """What it was made with that its run does not have now; RunFolderError where the run has no result."""
        run, own = self.run, result["run"]
        now = run.read_result()
        files = {"weights": run.best_checkpoint, "tokenizer": run.tokenizer}
        found = [
            f"made with other {name} than the run has now"
            for name, path in files.items()
            if own[name] != now.get("artefacts", {}).get(str(path.relative_to(run.path)))
        ]
        return found or (["made of another run"] if own["identity"] != now["identity"] else [])

    def set_aside(self, *, damaged: bool = False) -> Path:
        """Move the evaluation into a folder that counts as none; RunFolderError where that is refused."""
        return move_aside([self.path], self.path.parent, DAMAGED if damaged else EARLIER, self.path) / self.name


def evaluation_of(run: RunFolder, name: str) -> EvaluationFolder:
    """Where a run's evaluation of this name lives."""
    return EvaluationFolder(run.path / _PLACE / name)


def find_evaluations(run: RunFolder) -> list[EvaluationFolder]:
    """The evaluations of a run in order of name, those that were interrupted included."""
    place = run.path / _PLACE
    if not place.is_dir():
        return []
    found = (path for path in place.iterdir() if path.is_dir() and not path.name.startswith("."))
    return [EvaluationFolder(path) for path in sorted(found)]


def finished_evaluations(run: RunFolder) -> list[tuple[EvaluationFolder, dict[str, Any]]]:
    """The finished evaluations of a run with their results; damaged ones, which `verify` names, are left out."""
    found = []
    for folder in find_evaluations(run):
        try:
            found.append((folder, folder.read_result()))
        except RunFolderError:
            continue
    return found
