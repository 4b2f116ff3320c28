"""Labelled data that finished runs are scored on, as each run's task reads them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from datasets import ClassLabel, Dataset, Features

from atinuke_bench import registry
from atinuke_bench.config import Declaration, RunConfig, SourceConfig, parse, read_declaration
from atinuke_bench.data.declared import folder_of
from atinuke_bench.data.sources import Loaded
from atinuke_bench.data.table import UNLABELLED
from atinuke_bench.errors import ConfigError, DataError, UnknownNameError
from atinuke_bench.runs.evaluation.labels import join_labels, with_map
from atinuke_bench.training.slices import SLICE
from atinuke_bench.training.task import Task

#: The column of a declared task that names units; no row of a core is made from it.
_UNIT = "unit"


@dataclass(frozen=True)
class Fitted:
    """A test set with the labels that some runs can be joined with, and its splits but train."""

    task: Task
    loaded: Loaded
    #: The test set's label for each label of the run; None where predictions are no labels.
    joined: Mapping[str, str] | None
    #: Places that the core takes each text to be later.
    shift: int = 0

    def examples_for(self, task: Task, split: str) -> Dataset:
        """The examples of a split in the features of a run's task, their labels hidden."""
        found = self.loaded.splits[split]
        columns: dict[str, list[Any]] = {}
        for name, feature in task.features.items():
            if name == "label":
                columns[name] = [UNLABELLED if isinstance(feature, ClassLabel) else math.nan] * len(found)
            else:
                columns[name] = found[name][:] if name in found.column_names else [""] * len(found)
        return Dataset.from_dict(columns, features=task.features)

    def in_its_labels(self, predictions: Mapping[str, Any]) -> dict[str, Any]:
        """A run's predictions in the labels of the test set."""
        joined = self.joined
        return dict(predictions) if joined is None else {id_: joined[label] for id_, label in predictions.items()}


@dataclass
class TestSet:
    """A declared test set; it is read once for all runs whose labels are joined in one way."""

    __test__ = False  # pytest takes classes of this name for its own

    declaration: Declaration
    source: SourceConfig
    name: str
    #: Whether the map is the user's for these runs, and not the declaration's.
    map_is_given: bool = False
    _read: dict[tuple[str, ...], Loaded] = field(default_factory=dict)

    @property
    def determinants(self) -> dict[str, Any]:
        """What decides an evaluation beside the data and the run; nothing, of data that is read as it is."""
        return {}

    def declaration_for(self, run: RunConfig) -> Declaration | None:
        """What declares the data."""
        return self.declaration

    def fit(self, task: Task, run: RunConfig) -> Fitted:
        """The test set for a run of a task; ConfigError or DataError where it cannot be scored on it."""
        declaration = self.declaration
        own = _as_run_answers(registry.load_task(declaration.task, declaration), run)
        _require_same_kind(task, own)
        of_run, joined = task.data.label_names, None
        if of_run is not None:
            joined = join_labels(of_run, declaration, is_given=self.map_is_given)
            labels = declaration.labels or list(declaration.map or of_run)
            declaration = declaration.model_copy(update={"labels": labels})
            own = _as_run_answers(registry.load_task(declaration.task, declaration), run)
        elif declaration.map is not None:
            raise ConfigError("the map joins labels, of which these runs have none")
        return Fitted(own, self._loaded(own, declaration), joined)

    def _loaded(self, own: Task, declaration: Declaration) -> Loaded:
        key = tuple(declaration.labels or ())
        if key not in self._read:
            try:
                found = own.data.load(self.source, parse(own.options_class, dict(declaration.options), "options"))
            except DataError as error:
                hint = "; --map joins labels of other names" if "a label is one of those" in str(error) else ""
                raise type(error)(f"{error}{hint if self.declaration.map is None else ''}") from error
            for split, rows in found.splits.items():
                if not own.is_labelled(rows):
                    raise DataError(f"split {split!r} has no labels, and a score needs some", path=own.name)
            self._read[key] = found
        return self._read[key]


def built_in_test_sets() -> dict[str, Path]:
    """Name and file of every declaration of a test set that comes with the package."""
    folder = Path(str(resources.files("atinuke_bench") / "test_sets"))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def open_test_set(
    name_or_file: str,
    data_dir: Path | None,
    given_map: str | None = None,
    name: str | None = None,
    base: Path = Path(),
) -> TestSet:
    """A built-in test set or declared task by name, or what a YAML file declares; a relative path begins at `base`.

    `given_map` takes the place of the declaration's map, and `name` that of its name. ConfigError where there is none
    such, or no folder of the official files of a built-in one.
    """
    declaration = _declared(name_or_file, base)
    splits = {split: files for split, files in declaration.splits.items() if split != "train"}
    if not splits:
        raise ConfigError(
            f"{name_or_file}: splits: a test set has a split beside train, such as test; found only train"
        )
    declaration = with_map(declaration.model_copy(update={"splits": splits}), given_map)
    if name is not None:
        parse(Declaration, {**declaration.model_dump(), "name": name}, "--name")
    source = _source(declaration, data_dir)
    if declaration.hub is None:
        folder_of(declaration, source)
    return TestSet(declaration, source, name or declaration.name.replace("/", "-"), given_map is not None)


def _declared(name_or_file: str, base: Path) -> Declaration:
    """The declaration of a built-in test set or task, whose files lie in the user's folder, or of a YAML file."""
    tasks: Mapping[str, Declaration] = registry.built_in_declarations()
    if name_or_file in tasks:
        return tasks[name_or_file]
    built_in = built_in_test_sets()
    path = built_in.get(name_or_file, base / name_or_file)
    if not path.is_file():
        hint = f"give one of {', '.join(built_in)}, a task that a file declares, or a YAML file that declares one"
        raise UnknownNameError("test set", name_or_file, [*built_in, *tasks], hint)
    declaration = read_declaration(path)
    if name_or_file in built_in:
        declaration = declaration.model_copy(update={"folder": declaration.folder.relative_to(path.parent.absolute())})
    return declaration


def _source(declaration: Declaration, data_dir: Path | None) -> SourceConfig:
    if declaration.hub is not None:
        return SourceConfig(kind="hub", revision=declaration.revision)
    return SourceConfig(data_dir=declaration.folder if declaration.folder.is_absolute() else data_dir)


def _as_run_answers(own: Task, run: RunConfig) -> Task:
    """The test set's task where a run decides what is measured: a masked language model has no bits per byte."""
    known = own.options_class.model_fields.keys() - set(own.options_class.from_data)
    options = {name: value for name, value in run.options.items() if name in known}
    return own.for_run(run.model_copy(update={"options": options}))


def _require_same_kind(task: Task, own: Task) -> None:
    """ConfigError where a test set does not give what the run's task reads, or gives more than that."""
    if (task.data.label_names is None) != (own.data.label_names is None):
        first, second = (task, own) if own.data.label_names is None else (own, task)
        raise ConfigError(f"labels are the answers of {first.name}, and not of {second.name}")
    needed, given = _read_columns(task), _read_columns(own)
    for name, feature in needed.items():
        if given.get(name) != feature:
            raise ConfigError(f"runs of {task.name} read {_named(needed)}; {own.name} has {_named(given)}")
    if extra := [name for name in given if name not in task.features]:
        raise ConfigError(f"runs of {task.name} read {_named(needed)}, and nothing of {', '.join(extra)} of {own.name}")


def _read_columns(task: Task) -> Features:
    aside = ("id", "label", _UNIT)
    return Features(
        {name: kind for name, kind in task.features.items() if name not in aside and not name.startswith(SLICE)}
    )


def _named(columns: Features) -> str:
    return ", ".join(columns)
