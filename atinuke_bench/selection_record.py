"""`selection.parquet` of a run: what each example of the selection slice added to the score of every epoch.

id          the example, or what its metric draws instead
unit        what it is drawn with when the score is resampled: its premise, its article, or itself
epoch/<n>   its contribution to the score of epoch n (`metrics/contributions.py`): of an accuracy 100 where it is right

So two runs on one slice are compared by a paired test, epoch by epoch; studies race their trials by that. A column is
missing where the score or a contribution could not be computed.

It is information: a run whose file is missing or damaged is no worse, and cannot be raced.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from atinuke_bench.files import write_bytes
from atinuke_bench.parquet import read_checked

_CHECKSUM = b"atinuke-bench selection 1"
_EPOCH = "epoch/"

#: Contributions of members in order.
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SelectionRecord:
    """The members of a selection slice and what they contributed, epoch by epoch."""

    ids: tuple[str, ...]
    units: tuple[str, ...]
    #: Epoch from 0 -> contributions [N].
    epochs: dict[int, Floats] = field(default_factory=dict)

    def by_unit(self, epoch: int) -> dict[str, float]:
        """What each unit contributed: the sum over its members, as a share of their number, in points of the score.

        Summed over all units this is the mean of all contributions, and so the score.

        >>> record = SelectionRecord(("a", "b", "c"), ("p", "p", "q"), {0: np.array([100.0, 0.0, 100.0])})
        >>> {unit: round(value, 2) for unit, value in record.by_unit(0).items()}
        {'p': 33.33, 'q': 33.33}
        """
        found: dict[str, float] = {}
        for unit, value in zip(self.units, self.epochs[epoch] / len(self.ids), strict=True):
            found[unit] = found.get(unit, 0.0) + float(value)
        return found


def write_selection(path: Path, record: SelectionRecord) -> None:
    """Write the file, with a checksum of all it says; RunFolderError where the disk refuses."""
    columns = {"id": pa.array(record.ids, pa.string()), "unit": pa.array(record.units, pa.string())}
    columns |= {f"{_EPOCH}{epoch}": pa.array(values, pa.float64()) for epoch, values in record.epochs.items()}
    table = pa.table(columns).replace_schema_metadata({_CHECKSUM: _digest(record)})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, write_statistics=False)
    write_bytes(path, sink.getvalue().to_pybytes())


def read_selection(path: Path) -> SelectionRecord:
    """The record of the file; RunFolderError when it is missing, damaged or another one."""
    return read_checked(path, "a record of selection", _CHECKSUM, _record_of, _digest)


def _record_of(table: pa.Table) -> SelectionRecord:
    names = table.column_names
    if len(set(names)) < len(names):
        raise ValueError("a column is there twice")
    ids, units = (tuple(_texts(table[name])) for name in ("id", "unit"))
    epochs = {int(name.removeprefix(_EPOCH)): _numbers(table[name]) for name in names[2:]}
    return SelectionRecord(ids, units, epochs)


def _texts(column: pa.ChunkedArray) -> list[str]:
    if column.type != pa.string() or column.null_count:
        raise TypeError(f"a column of texts is of {column.type} or has nulls")
    return column.to_pylist()


def _numbers(column: pa.ChunkedArray) -> Floats:
    if column.type != pa.float64() or column.null_count:
        raise TypeError(f"a column of numbers is of {column.type} or has nulls")
    return np.asarray(column.to_numpy(), dtype=np.float64)


def _digest(record: SelectionRecord) -> bytes:
    digest = hashlib.sha256()
    for texts in (record.ids, record.units):
        digest.update("\0".join(texts).encode(errors="surrogatepass") + b"\1")
    for epoch, values in record.epochs.items():
        digest.update(f"\n{epoch} {len(values)}\n".encode() + values.astype("<f8").tobytes())
    return digest.hexdigest().encode()
