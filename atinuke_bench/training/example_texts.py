"""What a run adds to its store for readers: the texts of the examples that it is evaluated on, once a data set."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datasets import Dataset

from atinuke_bench.errors import RunFolderError
from atinuke_bench.examples import COLUMNS, write_examples
from atinuke_bench.files import finite
from atinuke_bench.run_folder import RunFolder, folder_of
from atinuke_bench.training.overlap import text_columns
from atinuke_bench.training.prepare import PreparedRun
from atinuke_bench.training.task import Task

#: Of one split, so many examples are kept at most, the first ones; of one data set so many characters.
MOST_EXAMPLES = 50_000
MOST_CHARACTERS = 64_000_000


def keep_examples(prepared: PreparedRun, folder: RunFolder) -> tuple[str | None, str | None]:
    """Keep the labelled examples of a run's evaluated splits in its store.

    The name of their file, None where they are not kept, and why not. Nothing here may stop a run.
    """
    store = _store_of(prepared, folder)
    if store is None:
        return None, None
    rows: dict[str, list[str]] = {name: [] for name in COLUMNS}
    left = MOST_CHARACTERS
    for split, examples in prepared.evaluation_splits.items():
        for id_, example, slices in kept_examples(prepared.task, examples):
            left -= len(example)
            if left < 0:
                break
            for name, value in zip(COLUMNS, (split, id_, example, slices), strict=True):
                rows[name].append(value)
    if not rows["id"]:
        return None, None
    try:
        return write_examples(store, prepared.run.task, rows), None
    except RunFolderError as error:
        return None, f"the texts of the examples are not kept, so that reports cannot show them: {error}"


def _store_of(prepared: PreparedRun, folder: RunFolder) -> Path | None:
    """The store that a run's folder lies in; None for a folder that lies in none."""
    own = folder.path.absolute()
    depth = len(prepared.run.task.split("/")) + 1
    store = own.parents[depth] if len(own.parents) > depth else own
    return store if folder_of(store, prepared.run, prepared.identity).path == own else None


def kept_examples(task: Task, examples: Dataset) -> Iterator[tuple[str, str, str]]:
    """Id, columns and slices of each labelled example, as the store keeps them."""
    labelled = task.data.labelled(examples)
    labelled = labelled.select(range(min(len(labelled), MOST_EXAMPLES)))
    if not len(labelled):
        return
    names = task.data.shown_columns or text_columns(labelled)
    columns = [labelled[name][:] for name in names]
    slices = [{}] * len(labelled) if task.members is None else task.members(labelled, task.data.gold(labelled))
    for id_, own, *values in zip(labelled["id"][:], slices, *columns, strict=True):
        yield id_, _as_json(dict(zip(names, values, strict=True))), _as_json(own)


def _as_json(record: dict[str, Any]) -> str:
    try:
        text = json.dumps(record, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (TypeError, ValueError):  # no plain data, numbers that are none, halves of characters
        text = json.dumps(finite(record), default=str)
    return text
