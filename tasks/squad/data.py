"""Where SQuAD's questions come from, and how they become windows of a core."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import datasets
from datasets import Dataset
from tokenizers import Tokenizer

from atinuke_bench.config import RunConfig, SourceConfig
from atinuke_bench.data.features import Encoded
from atinuke_bench.data.sources import HubDataset, Loaded, load_hub, load_local
from atinuke_bench.data.split_files import official
from atinuke_bench.data.table import Table
from atinuke_bench.data.tokenizer import unique_texts
from atinuke_bench.errors import ConfigError
from atinuke_bench.microworld import load_microworld
from atinuke_bench.tasks.squad.files import (
    Columns,
    find_squad_files,
    read_squad,
    repair_answers,
    require_squad_file,
    squad_from_rows,
)
from atinuke_bench.tasks.squad.model import SquadOptions
from atinuke_bench.tasks.squad.rows import build_windows
from atinuke_bench.training.task import TaskData, options_of, require_data_dir

log = logging.getLogger(__name__)

#: Windows shorter than this would hold little more than the question, and be very many.
MIN_LENGTH = 32

_TEXT = datasets.Value("string")
FEATURES = datasets.Features(
    {
        "id": _TEXT,
        "title": _TEXT,
        "context": _TEXT,
        "question": _TEXT,
        "answers": {"text": datasets.List(_TEXT), "answer_start": datasets.List(datasets.Value("int32"))},
    }
)

#: Repository and configuration of the Hub's copy of each version.
HUB = {"1.1": ("rajpurkar/squad", "plain_text"), "2.0": ("rajpurkar/squad_v2", "squad_v2")}


@dataclass(frozen=True)
class SquadData(TaskData):
    """Official files, the Hub's copy, or generated questions, of version "1.1" or "2.0"."""

    task: str
    version: str
    options_class: type[SquadOptions] = SquadOptions

    @property
    def example_columns(self) -> tuple[str, ...]:
        return ("question", "context")

    @property
    def shown_columns(self) -> tuple[str, ...]:
        # Where the answers start, since their texts may occur more than once.
        return (*self.example_columns, "answers")

    @property
    def unanswerable(self) -> bool:
        """Whether there are questions without an answer."""
        return self.version == "2.0"

    def load(self, source: SourceConfig, options: Any) -> Loaded:
        if source.kind == "hub":
            copy = HubDataset(
                *HUB[self.version], splits={"train": "train", "dev": "validation"}, reader=self._read_rows
            )
            return load_hub(copy, FEATURES, source.revision)
        if source.kind == "microworld":
            return load_microworld(self.task, FEATURES, source)
        folder = require_data_dir(source, self.task)
        files = {split: require_squad_file(folder, split, self.version) for split in ("train", "dev")}
        return load_local(
            {split: (path, partial(self._read_file, split)) for split, path in files.items()},
            FEATURES,
            official(folder, {split: find_squad_files(folder, split, self.version) for split in files}, {}),
        )

    def _read_file(self, split: str, path: Path) -> Table:
        return _repaired(read_squad(path, unanswerable=self.unanswerable), split)

    def _read_rows(self, rows: Dataset, split: str, place: str) -> Table:
        return _repaired(squad_from_rows(rows, unanswerable=self.unanswerable, name=place), split)

    def gold(self, examples: Dataset) -> Sequence[list[str]]:
        return [list(dict.fromkeys(answers["text"])) for answers in examples["answers"][:]]

    def texts(self, examples: Dataset) -> Sequence[str]:
        return list(unique_texts(examples[name][:] for name in ("context", "question")))

    def rows(self, examples: Dataset, tokenizer: Tokenizer, run: RunConfig) -> Encoded:
        if run.training.max_length < MIN_LENGTH:
            raise ConfigError(
                f"training.max_length: {self.task} needs at least {MIN_LENGTH} tokens for a question and a part of its "
                f"text; found {run.training.max_length}"
            )
        options = options_of(run, self.options_class)
        windows = build_windows(
            tokenizer,
            examples["question"][:],
            examples["context"][:],
            examples["answers"][:],
            max_length=run.training.max_length,
            stride=options.stride,
            text_first=bool(options.second_first),
        )
        log.info(
            "%d questions make %d windows; %d questions were cut, %d answers fit no window",
            len(examples),
            len(windows.encoded),
            windows.num_truncated_questions,
            windows.num_lost_answers,
        )
        return windows.encoded


def _repaired(columns: Columns, split: str) -> Table:
    """The columns with misplaced answers repaired, and a note of what was changed."""
    columns, report = repair_answers(columns, training=split == "train")
    return Table(columns, report.notes())
