"""What a task is: a declaration, and the four things only it knows (load, encode, decode, evaluate).

Letters: N examples of a split, R rows (core inputs) made from them.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from datasets import Dataset, Features
from tokenizers import Tokenizer

from atinuke_bench.config import Frozen, RunConfig, SourceConfig, parse
from atinuke_bench.core.base import Core
from atinuke_bench.data.features import Encoded
from atinuke_bench.data.sources import Loaded
from atinuke_bench.errors import ConfigError

if TYPE_CHECKING:
    from atinuke_bench.training.module import TaskModule


class TaskOptions(Frozen):
    """A task's own settings, set with `--set options.<field>=<value>`. Tasks subclass it."""


@dataclass(frozen=True)
class Prediction:
    """One evaluated example: its id, what was predicted, what is right (None when unknown), and its own score.

    `prediction` and `gold` are what is stored; anything but text is stored as JSON.
    """

    id: str
    prediction: Any
    gold: Any
    score: float | None

    def as_row(self, split: str) -> dict[str, Any]:
        """The row of `predictions.parquet`."""
        return {
            "split": split,
            "id": self.id,
            "prediction": _as_text(self.prediction),
            "gold": None if self.gold is None else _as_text(self.gold),
            "score": self.score,
        }


@dataclass(frozen=True)
class Evaluation:
    """What a set of predictions is worth.

    `metrics` holds the official figures under their official names; one that cannot be computed is None.
    `resample` gives the primary metric of the examples at some row numbers, repeats included; the metrics here are of
    corpora, so that an interval comes from resampling and not from a mean of per-example scores.
    """

    metrics: dict[str, float | None]
    predictions: list[Prediction]
    resample: Callable[[np.ndarray], float | None] | None = None
    #: Number of units that `resample` draws from (labelled examples, documents, sentences).
    num_scored: int = 0
    slices: dict[str, dict[str, dict[str, float | None]]] = field(default_factory=dict)


class Task(ABC):
    """A benchmark. Built-in tasks are module-level instances that `atinuke_bench.registry` names."""

    name: str
    family: str
    #: Raised when a change makes the same data and config give other numbers; part of every run's identity.
    result_version: int = 1
    #: The canonical schema that every source is brought into; it has a string column `id`.
    features: Features
    #: Official metric that selection and the headline use, and whether more of it is better.
    primary_metric: str
    higher_is_better: bool = True
    #: Split that models are trained on, split that `select_on: dev` uses, and all splits that are evaluated.
    train_split: str = "train"
    dev_split: str = "dev"
    evaluation_splits: tuple[str, ...] = ("dev", "test")
    #: Splits in order of preference for the headline; the first one with labels is taken.
    headline_splits: tuple[str, ...] = ("test", "dev")
    #: Number of labelled examples of the full official splits; other counts are reported as a cut.
    official_sizes: Mapping[str, int] = {}
    #: Examples with the same value stay on one side of the cut between training and selection.
    group_column: str | None = None
    options_class: ClassVar[type[TaskOptions]] = TaskOptions
    #: Options that make scores incomparable when they differ; they stand in every result's protocol.
    protocol_options: tuple[str, ...] = ()
    #: Training settings this task needs, below the user's own.
    training: Mapping[str, Any] = {}
    #: Further files that `score_files` takes, by parameter name.
    score_options: tuple[str, ...] = ()
    #: Fields of a new example for `atinuke-bench predict`, and what each of them is.
    input_fields: Mapping[str, str] = {}
    #: Those of them that a line without JSON gives, with tabs between them; none where only JSON will do.
    plain_fields: tuple[str, ...] = ()
    #: Whether the core is told segments; where it is not, the embeddings of segments are never learned.
    gives_segments: bool = True
    #: One line that `atinuke-bench tasks` prints.
    summary: str = ""

    def options(self, run: RunConfig) -> Any:
        """The run's options, checked and with defaults filled in; ConfigError."""
        return parse(self.options_class, dict(run.options), "options")

    def for_run(self, run: RunConfig) -> Task:
        """The task as it is for a run, where core or options decide what is measured; ConfigError."""
        return self

    @abstractmethod
    def load(self, source: SourceConfig, options: Any) -> Loaded:
        """All splits in the canonical schema, with the fingerprint of what was read; DataError."""

    def resolve_options(self, options: Any, loaded: Loaded) -> Any:
        """The options with what only the data can tell filled in, such as the labels that its train split has.

        They are written into the run's config, so that a trained module can be built from config and weights alone.
        """
        return options

    def is_official(self, sizes: Mapping[str, int]) -> bool:
        """True when these numbers of labelled examples are those of the full official splits, as far as declared."""
        return all(sizes[name] == size for name, size in self.official_sizes.items() if name in sizes)

    def is_labelled(self, examples: Dataset) -> bool:
        """True when the split has the right answers, so that it can be scored."""
        return True

    def for_training(self, examples: Dataset) -> Dataset:
        """The examples that can be learned from."""
        return examples

    def data_facts(self, loaded: Loaded) -> dict[str, Any]:
        """What only the data can tell and new examples are answered with; kept with the run, no part of its config."""
        return {}

    def input_rows(self, record: Mapping[str, Any], key: str, facts: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The canonical rows of one new example (`input_fields`), without right answers; DataError names the field.

        Their ids are `key` and what the task adds to it.
        """
        raise ConfigError(f"task {self.name!r} takes no new examples")

    def shown(self, prediction: Any) -> Any:
        """A decoded prediction in the form that `evaluate` stores it."""
        return prediction

    def answer(self, record: Mapping[str, Any], shown: list[Any]) -> Any:
        """The answer to one new example from the predictions of its rows."""
        return shown[0]

    @abstractmethod
    def texts(self, examples: Dataset) -> Sequence[str]:
        """The texts the tokenizer is trained on."""

    @abstractmethod
    def encode(self, examples: Dataset, tokenizer: Tokenizer, run: RunConfig) -> Encoded:
        """Examples as rows for the core."""

    @abstractmethod
    def build_module(self, core: Core, run: RunConfig) -> TaskModule:
        """The LightningModule around the core: head, loss, and raw outputs for `decode`."""

    @abstractmethod
    def decode(
        self, outputs: list[dict[str, np.ndarray]], encoded: Encoded, examples: Dataset, run: RunConfig
    ) -> dict[str, Any]:
        """One prediction for each example id from the module's raw outputs, which come in any order.

        Every output has `rows`: the row numbers in `encoded` that it belongs to.
        """

    @abstractmethod
    def floor(self, train: Dataset, examples: Dataset, run: RunConfig) -> dict[str, Any]:
        """The predictions of the majority or rule baseline, by example id."""

    @abstractmethod
    def evaluate(self, examples: Dataset, predictions: Mapping[str, Any], run: RunConfig) -> Evaluation:
        """The official metrics of predictions, each example counted once."""

    def calibrate(self, examples: Dataset, predictions: Mapping[str, Any], run: RunConfig) -> dict[str, float]:
        """What is chosen on the selection slice from its predictions, such as a threshold; nothing by default.

        It is chosen anew in every epoch, stored with it, and that of the best epoch holds for every evaluated split.
        """
        return {}

    def apply_calibration(self, predictions: dict[str, Any], calibration: Mapping[str, float]) -> dict[str, Any]:
        """Decoded predictions as they stand once `calibrate` has chosen."""
        return predictions

    def write_outputs(  # noqa: B027 (few tasks have such formats)
        self, folder: Path, split: str, examples: Dataset, predictions: Mapping[str, Any], run: RunConfig
    ) -> None:
        """Write a split's predictions into the run folder in the formats official scripts take; nothing by default.

        Called before the run is finished; every file in the folder is checksummed with the result.
        """

    def score_files(self, gold: Path, predictions: Path) -> dict[str, Any]:
        """The official metrics of a predictions file against a gold file, in the official formats."""
        raise ConfigError(f"task {self.name!r} has no official file formats to score")

    def write_official(self, folder: Path, split: str, predictions: Mapping[str, str]) -> Path | None:
        """Write stored predictions by example id in the official submission format.

        Gives the path written, or None when the official submission has no file for this split.
        """
        raise ConfigError(f"task {self.name!r} has no official submission format")


def require_data_dir(source: SourceConfig, task: str) -> Path:
    """The folder of the official files; ConfigError when none was given."""
    if source.data_dir is None:
        raise ConfigError(
            f"task {task!r} from source 'local' needs the folder of its official files: --data-dir DIR or $ATINUKE_DATA"
        )
    return source.data_dir


def require_all_ids(examples: Dataset, predictions: Mapping[str, Any]) -> list[Any]:
    """The predictions in the order of the examples; an internal error when the ids are not exactly the same."""
    ids = examples["id"]
    assert len(predictions) == len(ids), f"{len(predictions)} predictions for {len(ids)} examples"
    return [predictions[id_] for id_ in ids]


def labelled_splits(task: Task, splits: Mapping[str, Dataset]) -> Iterable[str]:
    """The evaluation splits that are there and can be scored."""
    return [name for name in task.evaluation_splits if name in splits and task.is_labelled(splits[name])]


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
