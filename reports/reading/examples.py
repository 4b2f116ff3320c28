"""The texts of evaluated examples, which stores keep once a data set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from atinuke_bench.errors import RunFolderError
from atinuke_bench.examples import find_examples, read_examples
from atinuke_bench.files import parse_json, read_object
from atinuke_bench.run_folder import RunFolder


@dataclass(frozen=True)
class Shelf:
    """The examples of one split by id. `note` says why there are none."""

    note: str = ""
    _rows: pa.Table | None = None
    _places: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._places)

    def get(self, id_: str) -> dict[str, Any] | None:
        """The columns of an example; None where they were not kept, or are no record."""
        place = self._places.get(id_)
        return None if place is None or self._rows is None else _record(self._rows["example"][place].as_py())

    def members(self) -> Iterator[tuple[str, str, str]]:
        """Id, slice and label of every slice that an example lies in."""
        if self._rows is None:
            return
        known: dict[str, dict[str, Any]] = {}
        for id_, text in zip(self._rows["id"].to_pylist(), self._rows["slices"].to_pylist(), strict=True):
            if text not in known:
                known[text] = _record(text) or {}
            for name, labels in known[text].items():
                yield from ((id_, name, label) for label in labels if isinstance(label, str))


class ExampleCache:
    """Reads the files of stores once each."""

    def __init__(self) -> None:
        self._tables: dict[Path, pa.Table | str] = {}
        self._shelves: dict[tuple[Path, str], Shelf] = {}

    def of(self, run: RunFolder, split: str) -> Shelf:
        """The examples of a run's split; an empty shelf where the store has none."""
        try:
            data = read_object(run.manifest).get("data")
        except RunFolderError:  # a run of W&B, or damage that `verify` names
            return Shelf()
        path = find_examples(run, data.get("examples") if isinstance(data, dict) else None)
        if path is None:
            return Shelf()
        if (path, split) not in self._shelves:
            self._shelves[path, split] = self._shelf(path, split)
        return self._shelves[path, split]

    def _shelf(self, path: Path, split: str) -> Shelf:
        if path not in self._tables:
            try:
                self._tables[path] = read_examples(path)
            except RunFolderError as error:
                self._tables[path] = str(error)
        table = self._tables[path]
        if isinstance(table, str):
            return Shelf(table)
        rows = table.filter(pc.equal(table["split"], split))
        return Shelf("", rows, {id_: place for place, id_ in enumerate(rows["id"].to_pylist())})


def _record(text: str | None) -> dict[str, Any] | None:
    try:
        record = parse_json(text or "")
    except ValueError:
        return None
    return record if isinstance(record, dict) else None
