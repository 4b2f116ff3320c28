"""A finished run, opened to look at its attention heads: its weights, and its data as rows of its core."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset

from atinuke_bench.config import RunConfig
from atinuke_bench.core.attention_heads import AttentionLayer
from atinuke_bench.data.features import Encoded
from atinuke_bench.data.hold_out import limit_rows
from atinuke_bench.errors import ConfigError, DataError, UnknownNameError, nearest
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.source_code import code_of_run
from atinuke_bench.training.predict import Predictor, load_predictor
from atinuke_bench.training.prepare import PreparedRun
from atinuke_bench.training.task import Task, task_of


@dataclass(frozen=True)
class Part:
    """Some labelled examples of a run's data, their rows, and the unit that each example lies in."""

    name: str
    examples: Dataset
    encoded: Encoded
    units: Sequence[str]
    #: Whether these are all labelled examples that there are.
    is_whole: bool


@dataclass(frozen=True)
class Opened:
    """A run, its layers of attention, and the examples to look at."""

    folder: RunFolder
    result: dict[str, Any]
    predictor: Predictor
    layers: tuple[AttentionLayer, ...]
    #: What is measured on.
    on: Part
    #: The examples that decided between epochs; None where they are those of `on`.
    selection: Part | None

    @property
    def heads(self) -> list[tuple[int, int]]:
        """Layer and number of every attention head, both from 0."""
        return [(number, head) for number, layer in enumerate(self.layers) for head in range(layer.num_heads)]

    def by_layer(self, kept: Iterable[bool]) -> list[list[bool]]:
        """A flag for each head, in the order of `heads`, as one list a layer."""
        flags = iter(map(bool, kept))
        return [[next(flags) for _ in range(layer.num_heads)] for layer in self.layers]


def open_run(
    folder: RunFolder, split: str | None = None, data_dir: Path | None = None, limit: int | None = None
) -> Opened:
    """Open a run on a split of its data, by default that of its score; `limit` draws so many examples of each part.

    ConfigError where it has no attention heads or no such labelled split, DataError where its data is not what it was,
    RunFolderError or CheckpointError where it is unfinished or damaged.
    """
    result, run = folder.read_result(), folder.read_config()
    if run.core.is_floor:
        raise ConfigError(f"{folder.path}: the floor has no attention heads; give a run of another core")
    predictor = load_predictor(folder)
    layers = predictor.module.core.attention_layers()
    if not layers:
        raise ConfigError(
            f"{folder.path}: core {run.core.label()!r} has no attention heads that can be reached; "
            "nearest: a run of atinuke, transformer or pretrained"
        )
    prepared = _prepared(folder, result, run, data_dir)
    name = _labelled_split(prepared, split or result["split"])
    on = part_of(predictor, name, prepared.loaded.splits[name], limit)
    is_selection = run.training.select_on == "dev" and name == prepared.task.splits.dev
    selection = None if is_selection else part_of(predictor, run.training.select_on, prepared.selection_examples, limit)
    return Opened(folder, result, predictor, layers, on, selection)


def _prepared(folder: RunFolder, result: dict[str, Any], run: RunConfig, data_dir: Path | None) -> PreparedRun:
    """The run on its data, without what a training needs to resolve; DataError where the data has changed."""
    if data_dir is not None and run.source.kind == "local":
        run = run.model_copy(update={"source": run.source.model_copy(update={"data_dir": data_dir})})
    task = task_of(run)
    loaded = task.data.load(run.source, task.options(run))
    known = result["protocol"].get("data_fingerprint")
    if known not in (None, loaded.fingerprint):
        raise DataError(
            "attention heads are looked at on the data that a run was trained on; this data is other, by its "
            f"fingerprint; nearest: --data-dir, where the files of {folder.path} are",
            path=run.source.data_dir or task.name,
        )
    return PreparedRun(run, task, loaded, code_of_run(run.task, run.core.name))


def _labelled_split(prepared: PreparedRun, name: str | None) -> str:
    task, splits = prepared.task, prepared.loaded.splits
    there = [split for split in task.splits.evaluated if split in splits]
    known = [split for split in there if task.is_labelled(splits[split])]
    if name is None or (name in there and name not in known):
        near = nearest(name or "", known) or next(iter(known), None)
        raise ConfigError(f"split {name!r} has no labels, and importance needs some; nearest: {near!r}")
    if name not in known:
        raise UnknownNameError("labelled split", name, known, f"{task.name} has {', '.join(known)}")
    return name


def part_of(predictor: Predictor, name: str, examples: Dataset, limit: int | None) -> Part:
    """The labelled examples among some, of which `limit` draws so many."""
    task = predictor.task
    known = task.data.labelled(examples)
    examples = known if limit is None else known.select(limit_rows(len(known), limit))
    units = unit_names(task, examples)
    return Part(name, examples, predictor.encode(examples), units, len(examples) == len(known))


def unit_names(task: Task, examples: Dataset) -> list[str]:
    """The unit of each example: the data's own, or else the metric's."""
    ids = examples["id"][:]
    named = task.units(examples) or [None] * len(ids)
    return [task.metric.unit_of(id_) if unit is None else unit for id_, unit in zip(ids, named, strict=True)]
