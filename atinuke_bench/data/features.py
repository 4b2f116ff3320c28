"""Encoded examples: ragged columns in flat arrays, padded only when a batch is made.

Letters: N rows, B rows of a batch, L the longest row of a batch. A *row* is one input of the core, or several that are
computed together (the choices of a question); an example may have several rows (windows of a long text, predicates of
a sentence).
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from atinuke_bench.data.cache import cached
from atinuke_bench.files import write_bytes

log = logging.getLogger(__name__)

#: The ragged column of rows that hold several inputs of the core: how many tokens each of these has.
INPUT_LENGTHS = "input_lengths"


@dataclass(frozen=True)
class Ragged:
    """Rows of different length in one flat array.

    >>> Ragged.from_rows([[5, 6], [7]]).pad([1, 0]).tolist()
    [[7, 0], [5, 6]]
    """

    values: np.ndarray  # (sum of lengths,)
    offsets: np.ndarray  # (N + 1,) int64
    padding: int = 0

    @classmethod
    def from_rows(cls, rows: Iterable[Sequence[int]], padding: int = 0, dtype: Any = np.int32) -> Ragged:
        """Flatten a list of rows."""
        rows = list(rows)
        offsets = np.zeros(len(rows) + 1, dtype=np.int64)
        np.cumsum([len(row) for row in rows], out=offsets[1:])
        values = np.fromiter((value for row in rows for value in row), dtype=dtype, count=int(offsets[-1]))
        return cls(values, offsets, padding)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> np.ndarray:
        return self.values[self.offsets[row] : self.offsets[row + 1]]

    @property
    def lengths(self) -> np.ndarray:
        """Length of every row, (N,)."""
        return np.diff(self.offsets)

    def lengths_of(self, rows: np.ndarray) -> np.ndarray:
        """Length of each of the given rows."""
        return self.offsets[rows + 1] - self.offsets[rows]

    def pad(self, rows: Sequence[int] | np.ndarray, length: int | None = None) -> np.ndarray:
        """The given rows, filled up to the longest of them or to `length`: (B, L)."""
        rows = np.asarray(rows)
        starts = self.offsets[rows]
        lengths = self.offsets[rows + 1] - starts
        columns = np.arange(length or (int(lengths.max()) if len(rows) else 0))
        filled = columns < lengths[:, None]  # (B, L)
        padded = np.full(filled.shape, self.padding, dtype=self.values.dtype)
        padded[filled] = self.values[(starts[:, None] + columns)[filled]]
        return padded

    def take(self, rows: Sequence[int] | np.ndarray) -> Ragged:
        """A new column of the given rows, in that order."""
        rows = np.asarray(rows, dtype=np.int64)
        lengths = self.lengths[rows]
        offsets = np.zeros(len(rows) + 1, dtype=np.int64)
        np.cumsum(lengths, out=offsets[1:])
        places = np.repeat(self.offsets[rows] - offsets[:-1], lengths) + np.arange(offsets[-1])
        return Ragged(self.values[places], offsets, self.padding)


@dataclass(frozen=True)
class Encoded:
    """The features of one split.

    `ragged` must hold `input_ids`, whose lengths decide the batches; every other ragged column is padded with its own
    value. Rows of several inputs of the core say in `input_lengths` how long each of these will be: then they decide.
    `fixed` columns have one entry a row. `host` columns serve decoding alone and are in no batch. `example_index` names
    the example each row came from.
    """

    ragged: dict[str, Ragged]
    example_index: np.ndarray  # (N,) int64
    fixed: dict[str, np.ndarray] = field(default_factory=dict)
    host: dict[str, Ragged] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.example_index)

    @property
    def input_lengths(self) -> np.ndarray:
        """Tokens of every input of the core, row by row."""
        return self.ragged[INPUT_LENGTHS].values if INPUT_LENGTHS in self.ragged else self.lengths

    @property
    def num_inputs(self) -> np.ndarray:
        """Inputs of the core that every row holds, (N,)."""
        held = self.ragged.get(INPUT_LENGTHS)
        return np.ones(len(self), dtype=np.int64) if held is None else held.lengths

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of every row, or of its longest input, (N,)."""
        if INPUT_LENGTHS not in self.ragged:
            return self.ragged["input_ids"].lengths
        inputs = self.ragged[INPUT_LENGTHS]
        return np.maximum.reduceat(inputs.values, inputs.offsets[:-1]).astype(np.int64) if len(self) else inputs.lengths

    def take(self, rows: Sequence[int] | np.ndarray) -> Encoded:
        """The features of the given rows, in that order; `example_index` still counts the original examples."""
        rows = np.asarray(rows, dtype=np.int64)
        return Encoded(
            {name: column.take(rows) for name, column in self.ragged.items()},
            self.example_index[rows],
            {name: column[rows] for name, column in self.fixed.items()},
            {name: column.take(rows) for name, column in self.host.items()},
        )


def save_encoded(path: Path, encoded: Encoded) -> None:
    """Write features as one safetensors file that carries its own checksum."""
    arrays: dict[str, np.ndarray] = {"example_index": encoded.example_index}
    for kind, columns in (("ragged", encoded.ragged), ("host", encoded.host)):
        for name, column in columns.items():
            arrays[f"{kind}/{name}/values"] = column.values
            arrays[f"{kind}/{name}/offsets"] = column.offsets
            arrays[f"{kind}/{name}/padding"] = np.array([column.padding], dtype=np.int64)
    arrays |= {f"fixed/{name}": column for name, column in encoded.fixed.items()}
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    write_bytes(path, save(arrays, metadata={"sha256": _digest(arrays, path.stem)}))


def load_encoded(path: Path) -> Encoded | None:
    """Features from a file of `save_encoded`; None when the file is absent or damaged, so that they are built anew."""
    try:
        with safe_open(path, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (safe_open is no dict)
            digest = (file.metadata() or {}).get("sha256")
    except (OSError, SafetensorError):
        return None
    if digest != _digest(arrays, path.stem):
        return None
    fixed = {name.removeprefix("fixed/"): array for name, array in arrays.items() if name.startswith("fixed/")}
    return Encoded(_columns(arrays, "ragged"), arrays["example_index"], fixed, _columns(arrays, "host"))


def _columns(arrays: dict[str, np.ndarray], kind: str) -> dict[str, Ragged]:
    names = [name.split("/")[1] for name in arrays if name.startswith(f"{kind}/") and name.endswith("/values")]
    return {
        name: Ragged(
            arrays[f"{kind}/{name}/values"],
            arrays[f"{kind}/{name}/offsets"],
            int(arrays[f"{kind}/{name}/padding"][0]),
        )
        for name in names
    }


def cached_encoded(
    folder: Path, key: str, build: Callable[[], Encoded], say: Callable[[str], None] = log.warning
) -> Encoded:
    """Features from `folder` under `key`, built and kept there when absent or damaged.

    `key` must name everything that the features depend on: data, tokenizer, settings and the code's version.
    """
    return cached(folder / "features" / f"{key}.safetensors", load_encoded, build, save_encoded, say)


def _digest(arrays: dict[str, np.ndarray], key: str) -> str:
    # With the file's own name: another file of the cache in its place is whole too.
    digest = hashlib.sha256(f"{key}\n".encode())
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape}\n".encode())
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()
