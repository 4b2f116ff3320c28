"""`steps.parquet` of a run: what its optimiser steps were like, one row a step, or one for several of a long run.

epoch, step           epoch from 0, and optimiser steps done by its end, as in the history
loss                  mean over the step's batch, of all processes together
learning_rate         that the step was taken with (of the head, where the core has its own)
gradient_norm         of all gradients together, before clipping
clipped               1 where the norm was over `training.gradient_clip`, else 0
update_ratio/<group>  norm of what the step changed of a group's weights, as a share of their norm before
gradient/<group>      norm of a group's gradients after clipping
probe/<name>          what was tried with the core before its first step (`training/probes.py`)
core/<name>           what the core watches of itself (`Core.observables`)

The columns with a slash are measured at some steps only (`is_measured_at`), and null at the others. A run of more than
`MOST_ROWS` steps has a row for every so many steps, all the same number (`steps_a_row`): of these the mean loss, the
largest gradient norm, the share that was clipped, and the last of everything else.

It is information: nothing is decided by it, and a run whose file is missing or damaged is no worse.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from atinuke_bench.files import write_bytes
from atinuke_bench.parquet import read_checked

MOST_ROWS = 5000
#: What every step has; columns beside these are measured at some steps.
EVERY_STEP = ("epoch", "step", "loss", "learning_rate", "gradient_norm", "clipped")
UPDATE_RATIO, GRADIENT, PROBE, CORE = "update_ratio/", "gradient/", "probe/", "core/"
_WHOLE = ("epoch", "step")
_CHECKSUM = b"atinuke-bench steps 1"
# What costs as much as a part of a step is measured at every so many steps, and more often at the start, where a
# training is decided.
_MEASURED_EVERY = 16

#: Columns by name, all of one length; NaN where one was not measured.
Columns = dict[str, NDArray[np.float64]]


def steps_a_row(num_steps: int) -> int:
    """How many steps of a training of `num_steps` share a row.

    >>> steps_a_row(300), steps_a_row(12_000)
    (1, 3)
    """
    return max(1, -(-num_steps // MOST_ROWS))


def is_measured_at(step: int, num_steps: int) -> bool:
    """Whether the columns with a slash are measured at a step, counted from 1: at powers of 2, then at every 16th.

    Where several steps share a row, those that end one are measured, none more often than that.

    >>> [step for step in range(1, 50) if is_measured_at(step, 300)]
    [1, 2, 4, 8, 16, 32, 48]
    """
    every = steps_a_row(num_steps)
    return step % (_MEASURED_EVERY * every) == 0 or (step < _MEASURED_EVERY and step & (step - 1) == 0)


def rows_of(steps: Columns, every: int) -> Columns:
    """The rows that steps in a row make, `every` of them each by the number of the step; the last may be of fewer.

    >>> steps = {name: np.array([1.0, 2.0, 3.0]) for name in EVERY_STEP}
    >>> {name: column.tolist() for name, column in rows_of(steps, 2).items() if name in ("step", "loss")}
    {'step': [2.0, 3.0], 'loss': [1.5, 3.0]}
    """
    if every == 1 or not len(steps["step"]):
        return steps
    starts = np.flatnonzero(np.diff((steps["step"] - 1) // every, prepend=-1))
    ends = np.append(starts[1:], len(steps["step"])) - 1
    rows = {name: _last_known(column, starts, ends) for name, column in steps.items()}
    for name in ("loss", "clipped"):
        rows[name] = np.add.reduceat(steps[name], starts) / (ends - starts + 1)
    rows["gradient_norm"] = np.maximum.reduceat(steps["gradient_norm"], starts)
    return rows


def _last_known(column: NDArray[np.float64], starts: NDArray[np.intp], ends: NDArray[np.intp]) -> NDArray[np.float64]:
    found = column[ends].copy()
    for row in np.flatnonzero(np.isnan(found)):
        own = column[starts[row] : ends[row] + 1]
        if (known := own[~np.isnan(own)]).size:
            found[row] = known[-1]
    return found


def joined(first: Columns, second: Columns) -> Columns:
    """The rows of both; a column that one of them lacks is NaN there."""
    if not first or not second:
        return second or first
    sizes = len(first["step"]), len(second["step"])
    names = dict.fromkeys((*first, *second))
    return {
        name: np.concatenate(
            [own.get(name, np.full(size, np.nan)) for own, size in zip((first, second), sizes, strict=True)]
        )
        for name in names
    }


def write_steps(path: Path, columns: Columns) -> None:
    """Write the file, with a checksum of its numbers; RunFolderError where the disk refuses."""
    fields, arrays = [], []
    for name, column in columns.items():
        kind = pa.int64() if name in _WHOLE else pa.float64()
        # A loss that is no number was measured all the same.
        missing = None if name in EVERY_STEP else np.isnan(column)
        arrays.append(pa.array(column.astype(np.int64) if name in _WHOLE else column, kind, mask=missing))
        fields.append(pa.field(name, kind))
    schema = pa.schema(fields, metadata={_CHECKSUM: _digest(columns)})
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), sink, use_dictionary=False, write_statistics=False)
    write_bytes(path, sink.getvalue().to_pybytes())


def read_steps(path: Path) -> Columns:
    """The columns of the file; RunFolderError when it is missing, damaged or another one."""
    return read_checked(path, "a record of steps", _CHECKSUM, _columns_of, _digest)


def _columns_of(table: pa.Table) -> Columns:
    if table.num_rows > 2 * MOST_ROWS:
        raise ValueError(f"{table.num_rows} rows")
    if missing := [name for name in EVERY_STEP if name not in table.column_names]:
        raise KeyError(missing[0])
    return {name: _numbers(name, table[name]) for name in table.column_names}


def _numbers(name: str, column: pa.ChunkedArray) -> NDArray[np.float64]:
    if column.type != (pa.int64() if name in _WHOLE else pa.float64()):
        raise TypeError(f"column {name!r} is of {column.type}")
    if name in _WHOLE and column.null_count:
        raise ValueError(f"column {name!r} has nulls")
    return np.asarray(column.to_numpy(), dtype=np.float64)


def _digest(columns: Mapping[str, NDArray[np.float64]]) -> bytes:
    digest = hashlib.sha256()
    for name, column in columns.items():
        # One bit pattern for all that is no number.
        values = np.where(np.isnan(column), np.nan, column)
        digest.update(f"\n{name} {len(values)}\n".encode() + values.astype("<f8").tobytes())
    return digest.hexdigest().encode()
