"""The scored predictions of runs, read once and kept while they fit."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from atinuke_bench.files import sha256_file
from atinuke_bench.predictions import read_predictions

COLUMNS = ("id", "prediction", "gold", "score")
#: What older runs did not record.
OPTIONAL = ("unit",)
#: Bytes of predictions that are kept; what does not fit is read again when it is needed again.
MOST_BYTES = 400_000_000


class PredictionCache:
    """Reads `predictions.parquet` files; tests, matrices and disagreements of one report need the same ones."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._free = most_bytes
        self._tables: dict[tuple[Path, str], pa.Table] = {}
        self._digests: dict[Path, str] = {}

    def digest(self, path: Path) -> str:
        """The SHA-256 of a file, or why it cannot be read."""
        if path not in self._digests:
            try:
                self._digests[path] = sha256_file(path)
            except OSError as error:
                self._digests[path] = f"cannot be read ({error})"
        return self._digests[path]

    def read(self, path: Path, split: str) -> pa.Table:
        """The rows of a split that have a gold answer, by id: COLUMNS, and what it has of OPTIONAL; RunFolderError."""
        key = (path, split)
        if key in self._tables:
            return self._tables[key]
        found = read_predictions(path, ("split", *COLUMNS), OPTIONAL)
        columns = [name for name in found.column_names if name != "split"]
        kept = found.filter(pc.and_(pc.equal(found["split"], split), pc.is_valid(found["gold"]))).select(columns)
        kept = kept.sort_by("id")
        if kept.nbytes <= self._free:
            self._free -= kept.nbytes
            self._tables[key] = kept
        return kept
