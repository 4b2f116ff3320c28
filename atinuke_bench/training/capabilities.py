"""What a task may offer beside training: official files, new inputs, a submission, links. Loads without torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from atinuke_bench.data.features import Encoded

if TYPE_CHECKING:
    from datasets import Dataset

    from atinuke_bench.config import RunConfig


class OfficialFiles(ABC):
    """The formats that the official scripts read."""

    #: Further files that `score` takes, by parameter name.
    score_options: tuple[str, ...] = ()

    def write(
        self, folder: Path, split: str, examples: Dataset, predictions: Mapping[str, Any], run: RunConfig
    ) -> None:
        """Write a split's predictions into the run folder; nothing by default.

        Called before the run is finished; every file in the folder is checksummed with the result.
        """
        return None

    @abstractmethod
    def score(self, gold: Path, predictions: Path) -> dict[str, Any]:
        """The official figures of a predictions file against a gold file; DataError."""


class NewInputs(ABC):
    """New examples, which have no right answers, for `atinuke-bench predict`."""

    #: The fields of a new example, and what each of them is.
    fields: Mapping[str, str]
    #: Those of them that a line without JSON gives, with tabs between them; none where only JSON will do.
    plain_fields: tuple[str, ...] = ()
    #: A record as a user may write it.
    example: Mapping[str, Any]
    #: Whether tables put quotation marks around fields that need them; None for csv files alone.
    quotes: bool | None = None

    def column_names(self) -> dict[str, tuple[str, ...]]:
        """What the header of a table may call each of the plain fields."""
        return {field: (field,) for field in self.plain_fields}

    @abstractmethod
    def examples(self, record: Mapping[str, Any], key: str, options: Any) -> list[dict[str, Any]]:
        """The canonical examples that one new record makes; DataError names the field.

        Their ids are `key` and what the task adds to it.
        """

    def answer(self, record: Mapping[str, Any], stored: list[Any]) -> Any:
        """The answer to one record from the stored predictions of its examples."""
        return stored[0]


@dataclass(frozen=True)
class Average:
    """A benchmark's average over tasks, or None with what is missing for it."""

    score: float | None
    missing: tuple[str, ...] = ()


class Submission(ABC):
    """The file that a benchmark's site takes, made from one run of each of its tasks."""

    benchmark: str
    #: Names of all the files in it.
    files: tuple[str, ...]

    @abstractmethod
    def write(self, folder: Path, split: str, predictions: Mapping[str, str]) -> Path | None:
        """Write stored predictions by example id; the path, or None where the split has no part in it."""

    def shortfall(self, split: str, ids: Iterable[str]) -> str | None:
        """Why the site would refuse answers to just these examples; None, the default, where it would not."""
        return None

    @abstractmethod
    def averages(self, results: Iterable[Mapping[str, Any]]) -> dict[str, Average]:
        """The benchmark's averages of the dev sets, by name, from results of its tasks."""


class Link(NamedTuple):
    """Tokens of one input of the core, and those that they depend on by the right answers; places count from 0."""

    #: Which of its row's inputs.
    input: int
    tokens: np.ndarray
    depend_on: np.ndarray


@dataclass(frozen=True)
class Links:
    """What the right answers link within a text, which an attention head may have learned to look at."""

    #: What tokens depend on, such as `predicate`.
    name: str
    #: The links of a row of encoded examples, by its number.
    find: Callable[[Encoded, int], list[Link]]
