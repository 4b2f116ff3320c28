"""A finished run's own evaluated data, read in another way: its words shuffled, or its texts placed later.

    shuffled-words        the words of each text in random order: what is left of the score needs no order
    shifted-positions:N   each text N places later, as if it followed N tokens: what is lost hangs on absolute positions

The right answers are those of the data as it is.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from datasets import Dataset

from atinuke_bench.config import Declaration, RunConfig
from atinuke_bench.data.sources import Loaded
from atinuke_bench.errors import ConfigError, DataError
from atinuke_bench.runs.evaluation.test_set import Fitted
from atinuke_bench.training.task import Task

SHUFFLED, SHIFTED = "shuffled-words", "shifted-positions"
#: Raised when the same words are put into another order.
SHUFFLE_VERSION = 1


@dataclass(frozen=True)
class FittedOwn(Fitted):
    """The run's own splits; `shuffled` are the columns whose words are put in random order."""

    shuffled: tuple[str, ...] = ()

    def examples_for(self, task: Task, split: str) -> Dataset:
        examples = super().examples_for(task, split)
        columns = {name: examples[name][:] for name in examples.column_names}
        for name in self.shuffled:
            texts = zip(columns["id"], columns[name], strict=True)
            columns[name] = [shuffled_words(text, f"{name} {id_}") for id_, text in texts]
        return Dataset.from_dict(columns, features=examples.features)


@dataclass
class OwnData:
    """What runs are scored on in place of a test set: the split of their own data that their score is of, perturbed."""

    name: str
    #: Places that each text is later; 0 where words are shuffled.
    shift: int
    data_dir: Path | None = None
    #: What was read last, and what it was read for: the runs of a suite come task by task.
    _read: tuple[str, Loaded] | None = field(default=None, repr=False)

    @property
    def determinants(self) -> dict[str, Any]:
        """What is done to the data, as the evaluation records it."""
        done = {"kind": SHIFTED, "places": self.shift} if self.shift else {"kind": SHUFFLED, "version": SHUFFLE_VERSION}
        return {"perturbed": done}

    def declaration_for(self, run: RunConfig) -> Declaration | None:
        """What declares the data; None for the data of a built-in task."""
        return run.declaration

    def fit(self, task: Task, run: RunConfig) -> Fitted:
        """The run's own data; ConfigError or DataError where it cannot be read, or not in this way."""
        if self.shift:
            self._require_places(run)
        elif not task.data.shuffled_columns:
            raise ConfigError(
                f"{SHUFFLED} is for tasks whose answers are labels or scores of whole texts; found task {task.name!r}, "
                f"whose answers are parts of its texts; nearest: {SHIFTED}:64"
            )
        return FittedOwn(
            task, self._loaded(task, run), None, self.shift, () if self.shift else task.data.shuffled_columns
        )

    def _require_places(self, run: RunConfig) -> None:
        limit, longest = run.core.max_length, run.training.max_length
        if limit is not None and self.shift + longest > limit:
            raise ConfigError(
                f"{self.name}: the positions of {run.core.label()} end at {limit} tokens, and its texts have up to "
                f"{longest}; found a shift of {self.shift}; nearest: {max(limit - longest, 0)}"
            )

    def _loaded(self, task: Task, run: RunConfig) -> Loaded:
        source, options = run.source, task.options(run)
        if self.data_dir is not None and source.kind == "local" and run.declaration is None:
            source = source.model_copy(update={"data_dir": self.data_dir})
        key = " ".join((task.name, source.model_dump_json(), options.model_dump_json()))
        if self._read is None or self._read[0] != key:
            found = task.data.load(source, options)
            names = (name for name in task.splits.headline if name in found.splits)
            # The split of the run's score alone, which the perturbed one is compared with.
            headline = next((name for name in names if task.is_labelled(found.splits[name])), None)
            if headline is None:
                raise DataError("no split that a score is of has labels", path=task.name)
            self._read = key, replace(found, splits={headline: found.splits[headline]})
        return self._read[1]


def own_data(name: str, data_dir: Path | None = None) -> OwnData | None:
    """The perturbed data that a name means; None where it is a name of something else. ConfigError.

    >>> own_data("shifted-positions:64").name, own_data("hans")
    ('shifted-positions-64', None)
    """
    kind, colon, places = name.partition(":")
    if kind == SHUFFLED and not colon:
        return OwnData(SHUFFLED, 0, data_dir)
    if kind not in (SHUFFLED, SHIFTED):
        return None
    if kind == SHUFFLED or not (places.isdecimal() and places.isascii() and 0 < int(places) < 10_000_000):
        raise ConfigError(
            f"{SHUFFLED} has no number, and {SHIFTED} has one of 1 or more; found {name!r:.60}; nearest: "
            f"{SHUFFLED if kind == SHUFFLED else f'{SHIFTED}:64'}"
        )
    return OwnData(f"{SHIFTED}-{int(places)}", int(places), data_dir)


def shuffled_words(text: str, seed: str) -> str:
    """The words of a text, parted by white space, in an order that the seed alone decides.

    >>> shuffled_words("a man sleeps .", "sentence1 test-3")
    'a man . sleeps'
    """
    words = text.split()
    random.Random(seed).shuffle(words)
    return " ".join(words)
