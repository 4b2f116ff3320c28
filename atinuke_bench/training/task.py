"""What a task is: a frozen declaration whose parts do the work.

    Task
      data        where examples come from, and how they become rows of a core
      model       the head around a core, and how its outputs become predictions
      metric      what predictions are worth (`atinuke_bench.metrics.metric`)
      floor       predictions without any model
      slices      scores of parts of a split (optional)
      files       official prediction files, written and scored (optional)
      inputs      new examples for a trained run (optional)
      submission  the file that a benchmark's site takes (optional)
      links       which tokens the right answers link, for who looks at attention heads (optional)

The last four are in `capabilities.py`. `CONTRIBUTING.md` walks through a whole task.
Letters: N examples of a split, R rows made from them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
from datasets import Dataset, Features
from pydantic import Field, field_validator
from tokenizers import Tokenizer
from torch import nn

from atinuke_bench import registry
from atinuke_bench.config import Declaration, Frozen, RunConfig, SourceConfig, parse
from atinuke_bench.core.base import Core
from atinuke_bench.data.addresses import where_from
from atinuke_bench.data.features import Encoded
from atinuke_bench.data.sources import Loaded
from atinuke_bench.errors import ConfigError
from atinuke_bench.metrics.metric import Answers, Measured, Metric
from atinuke_bench.training.capabilities import Links, NewInputs, OfficialFiles, Submission
from atinuke_bench.training.module import TaskModule

Outputs = list[dict[str, np.ndarray]]
#: Slice -> label -> figure -> value.
Slices = dict[str, dict[str, dict[str, float | None]]]
#: (train split, examples, run) -> prediction by example id.
Floor = Callable[[Dataset, Dataset, RunConfig], dict[str, Any]]
#: (labelled examples, their answers, what these are worth) -> slices.
Slicer = Callable[[Dataset, Answers, Measured], Slices]
#: (labelled examples, their right answers) -> of each example, the labels that it has in each slice.
Members = Callable[[Dataset, Sequence[Any]], list[dict[str, list[str]]]]


class TaskOptions(Frozen):
    """A task's own settings, set with `--set options.<field>=<value>`. Tasks subclass it."""

    #: Fields that `TaskData.resolve_options` fills in and that follow from the data alone: no part of the identity.
    from_data: ClassVar[tuple[str, ...]] = ()
    #: Fields that say which data is read, as `source` does.
    of_source: ClassVar[tuple[str, ...]] = ()


class PairOptions(TaskOptions):
    """Settings of a task whose input is a pair of texts."""

    #: Whether the second text comes first in the input: a question's text before it, a hypothesis before its premise.
    #: Segments stay those of the two texts, so that a head finds both; left out of records where it is not set.
    second_first: bool | None = Field(None, exclude_if=lambda value: not value)

    @field_validator("second_first")
    @classmethod
    def _unset_where_false(cls, is_swapped: bool | None) -> bool | None:
        return is_swapped or None  # so that a run has one identity, whether it is said or not


Options = TypeVar("Options", bound=TaskOptions)


def options_of(run: RunConfig, options_class: type[Options]) -> Options:
    """The options of a run, checked and with defaults filled in; ConfigError."""
    return parse(options_class, dict(run.options), "options")


@dataclass(frozen=True)
class Unit:
    """What is independent in a task's data, and so drawn when a score is resampled.

    Examples with the same value in `column` are one unit; where it is empty, the metric says what is drawn. `noun` is
    what tables call a unit.
    """

    noun: str
    column: str


@dataclass(frozen=True)
class Splits:
    """The names of a task's splits; `headline` is in order of preference: the first split with labels counts."""

    train: str = "train"
    #: What `select_on: dev` selects on.
    dev: str = "dev"
    evaluated: tuple[str, ...] = ("dev", "test")
    headline: tuple[str, ...] = ("test", "dev")


class TaskData(ABC):
    """Where examples come from, and how they become rows of a core."""

    @abstractmethod
    def load(self, source: SourceConfig, options: Any) -> Loaded:
        """All splits in the task's features, with the fingerprint of what was read; DataError."""

    def resolve_options(self, options: Any, loaded: Loaded) -> Any:
        """The options completed from the data, such as by the labels that its train split has.

        They are written into the run's config, so that a trained module can be built from config and weights alone.
        """
        return options

    @property
    def example_columns(self) -> tuple[str, ...]:
        """The columns that tell an example from others, by which those that two splits share are found.

        All that have text but `id`, where none is named.
        """
        return ()

    @property
    def shown_columns(self) -> tuple[str, ...]:
        """The columns that a reader needs to see an example; the store keeps them for reports, as plain data.

        Those that tell it from others, unless a task says more; all that have text but `id`, where none is named.
        """
        return self.example_columns

    @property
    def shuffled_columns(self) -> tuple[str, ...]:
        """The texts whose words may be put in any order without another right answer; none where answers are parts."""
        return ()

    def labelled(self, examples: Dataset) -> Dataset:
        """The examples with a right answer: those that can be learned from and scored. All by default."""
        return examples

    @property
    def label_names(self) -> tuple[str, ...] | None:
        """The labels of which each prediction is one; None where predictions are something else."""
        return None

    @abstractmethod
    def gold(self, examples: Dataset) -> Sequence[Any]:
        """The right answers of labelled examples, as the metric takes them."""

    @abstractmethod
    def texts(self, examples: Dataset) -> Sequence[str]:
        """The texts that the tokenizer is trained on."""

    @abstractmethod
    def rows(self, examples: Dataset, tokenizer: Tokenizer, run: RunConfig) -> Encoded:
        """Examples as rows of a core."""


class TaskModel(ABC):
    """The head around a core, and how its outputs become predictions."""

    @abstractmethod
    def build(self, core: Core, run: RunConfig) -> TaskModule:
        """The LightningModule around the core: head, loss, and raw outputs for `decode`."""

    @abstractmethod
    def decode(self, outputs: Outputs, encoded: Encoded, examples: Dataset, run: RunConfig) -> dict[str, Any]:
        """One prediction for each example id from the module's raw outputs, which come in any order.

        Every output has `rows`: the row numbers in `encoded` that it belongs to.
        """

    def token_classifier(self, module: Any, run: RunConfig) -> tuple[nn.Linear, tuple[str, ...]] | None:
        """The linear layer over each token's vector, and the names of its outputs, where the head is no more than that.

        By default None: a head of another kind, which no architecture of transformers has; `other_head` says how.
        """
        return None

    @property
    def other_head(self) -> str:
        """How the head differs from those of transformers' architectures, where none computes what it does."""
        return "is of this package alone"

    @property
    def has_probabilities(self) -> bool:
        """Whether `probabilities` says how sure the head is of its answers; not by default."""
        return False

    def probabilities(
        self, outputs: Outputs, encoded: Encoded, examples: Dataset, run: RunConfig, calibration: Mapping[str, float]
    ) -> dict[str, Any]:
        """What the head gives to the answers of each example id, as plain data that a user reads.

        `outputs` are those of a module that `gives_logits`. What was calibrated is in them: the answer is the most
        probable one, unless a model says otherwise.
        """
        raise NotImplementedError

    def calibrate(self, examples: Dataset, predictions: Mapping[str, Any], run: RunConfig) -> dict[str, float]:
        """What is chosen on the selection slice from its predictions, such as a threshold; nothing by default.

        It is chosen in every epoch and stored with it; the choice of the best epoch holds for every evaluated split.
        """
        return {}

    def apply_calibration(self, predictions: dict[str, Any], calibration: Mapping[str, float]) -> dict[str, Any]:
        """Decoded predictions once `calibrate` has chosen."""
        return predictions


@dataclass(frozen=True, kw_only=True)
class Task:
    """A benchmark. Built-in tasks are module-level constants that `atinuke_bench.registry` names."""

    name: str
    family: str
    #: One line that `atinuke-bench tasks` prints.
    summary: str
    #: The canonical schema that every source is brought into; it has a string column `id`.
    features: Features
    metric: Metric
    data: TaskData
    model: TaskModel
    floor: Floor
    slices: Slicer | None = None
    #: Which of the slices each example lies in, so that reports can show some of each.
    members: Members | None = None
    files: OfficialFiles | None = None
    inputs: NewInputs | None = None
    submission: Submission | None = None
    links: Links | None = None
    splits: Splits = Splits()
    #: Examples with the same value stay on one side of the cut between training and selection.
    group_column: str | None = None
    #: Where examples depend on each other: what is drawn in place of examples.
    unit: Unit | None = None
    #: Numbers of labelled examples of the full official splits, one mapping a release; others are cut or own data.
    official_sizes: tuple[Mapping[str, int], ...] = ()
    options_class: type[TaskOptions] = TaskOptions
    #: Options that make scores incomparable when they differ; they are part of every result's protocol.
    protocol_options: tuple[str, ...] = ()
    #: Other fields of the run's config, by dotted path, of which the same holds.
    protocol_fields: tuple[str, ...] = ()
    #: Training settings this task needs, below the user's own.
    training: Mapping[str, Any] = field(default_factory=dict)
    #: Raised when a change makes the same data and config give other numbers; part of every run's identity.
    result_version: int = 1
    #: One sentence: what a causal core has seen where it answers, and what it has not.
    causal_view: str = ""
    #: Whether the core gets segments; without them, its segment embeddings are never learned.
    gives_segments: bool = True
    #: The task as it is for a run, where core or options decide what is measured; ConfigError where they cannot.
    variant: Callable[[Task, RunConfig], Task] | None = None

    def for_run(self, run: RunConfig) -> Task:
        """The task as it is for a run; ConfigError where the run's core cannot do it."""
        return self if self.variant is None else self.variant(self, run)

    def options(self, run: RunConfig) -> Any:
        """The run's options, checked and with defaults filled in; ConfigError."""
        return options_of(run, self.options_class)

    def protocol_of(self, run: RunConfig) -> dict[str, Any]:
        """The options and fields of a run that make scores incomparable when they differ, by name or dotted path."""
        options, record = self.options(run).model_dump(mode="json"), run.model_dump(mode="json")
        fields = {path: reduce(getitem, path.split("."), record) for path in self.protocol_fields}
        return {**{name: options[name] for name in self.protocol_options}, **fields}

    def is_official(self, sizes: Mapping[str, int]) -> bool:
        """True when these splits are of an official release, each with its number of labelled examples there.

        A release need not be there whole; a split that it does not name, and any data of a task that declares no
        release, is the user's own.
        """
        return any(all(release.get(name) == size for name, size in sizes.items()) for release in self.official_sizes)

    def is_labelled(self, examples: Dataset) -> bool:
        """True when any example has a right answer, so that the split can be scored."""
        return len(self.data.labelled(examples)) > 0

    def units(self, examples: Dataset) -> list[str | None] | None:
        """The unit of each example; None where the data names none."""
        return None if self.unit is None else [name or None for name in examples[self.unit.column][:]]

    def require(self, capability: str) -> Any:
        """An optional part; ConfigError where the task has none."""
        part = getattr(self, capability)
        if part is None:
            raise ConfigError(f"task {self.name!r} has no {_MISSING[capability]}")
        return part


def task_of(run: RunConfig) -> Task:
    """The task of a run as it is for that run, also one that a file declares; ConfigError."""
    task: Task = registry.load_task(run.task, run.declaration)
    return task.for_run(run)


def declared_splits(declaration: Declaration) -> Splits:
    """Every declared split but train is evaluated; without any, dev is, which is cut from train."""
    evaluated = tuple(name for name in declaration.splits if name != "train") or ("dev",)
    headline = tuple(name for name in ("test", "dev") if name in evaluated)
    return Splits(evaluated=evaluated, headline=headline or evaluated)


def as_declared(task: Task, declaration: Declaration, summary: str, **changes: Any) -> Task:
    """A built-in task on a declaration's own data; `changes` are the parts in which its kind differs from the task.

    Its version counts the task's too: a family whose code gives other numbers gives them for all its data.
    """
    parts: dict[str, Any] = {
        "name": declaration.task,
        "family": declaration.kind,
        "summary": declaration.summary or summary,
        "metric": registry.declared_metric(declaration.kind, declaration.metric_name),
        "splits": declared_splits(declaration),
        "official_sizes": (),
        "training": {**task.training, **declaration.training},
        "result_version": task.result_version + declaration.result_version - 1,
    }
    return replace(task, **(parts | changes))


def require_unset(declaration: Declaration, *names: str) -> None:
    """ConfigError where a declaration sets what its kind has no use for."""
    for name in names:
        if value := getattr(declaration, name):
            raise ConfigError(f"{name}: a task of kind {declaration.kind} has none; found {value!r:.80}")


_MISSING = {
    "files": "official file formats to score",
    "inputs": "form for new examples",
    "submission": "official submission format",
}


def require_data_dir(source: SourceConfig, task: str) -> Path:
    """The folder of the official files; ConfigError when none was given."""
    if source.data_dir is None:
        raise ConfigError(
            f"task {task!r} from source 'local' needs the folder of its official files: --data-dir DIR or "
            f"$ATINUKE_DATA{where_from(task)}; generated data needs none: --source microworld"
        )
    return source.data_dir
