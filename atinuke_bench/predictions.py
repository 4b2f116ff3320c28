"""`predictions.parquet` of a run as a table: split, id, prediction, gold, score; one row an evaluated example."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from atinuke_bench.files import open_regular
from atinuke_bench.parquet import damage_refused

COLUMNS = ("split", "id", "prediction", "gold", "score")


def read_predictions(path: Path, columns: Sequence[str] = COLUMNS, optional: Sequence[str] = ()) -> pa.Table:
    """Some columns, and others where it has them, texts whole and scores numbers.

    RunFolderError when the file is missing, damaged or another one.
    """
    with damage_refused(path, "predictions"):
        # A file at a time: a data set of one file costs more to plan than to read.
        with open_regular(path) as source, pq.ParquetFile(source) as file:
            columns = [*columns, *(name for name in optional if name in file.schema_arrow.names)]
            found = file.read(columns=columns, use_threads=False)
        found.validate(full=True)  # texts are UTF-8
        for name in columns:
            _require_type(name, found[name].type)
    return found


def _require_type(column: str, kind: pa.DataType) -> None:
    is_right = pa.types.is_floating(kind) or pa.types.is_integer(kind) if column == "score" else _is_text(kind)
    # Nothing is labelled where all are null.
    if not is_right and not (pa.types.is_null(kind) and column in ("gold", "score", "unit")):
        raise TypeError(f"column {column!r} must hold {'numbers' if column == 'score' else 'texts'}; found {kind}")


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)
