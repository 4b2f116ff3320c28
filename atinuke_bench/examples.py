"""The texts of evaluated examples, kept once a data set in a store: `<store>/examples/<task>-<digest>.parquet`.

One row a labelled example: split, id, `example` (a JSON object of the columns that a reader needs to see it) and
`slices` (a JSON object: slice -> the labels that the example has there). The name has the digest of the file's bytes,
so that what is read is what a run wrote; the manifest of each run names its file. Nothing depends on it: where it is
gone, reports show ids and answers alone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from atinuke_bench.files import file_stem, make_folder, open_regular, write_bytes
from atinuke_bench.parquet import damage_refused
from atinuke_bench.run_folder import RunFolder

FOLDER = "examples"
COLUMNS = ("split", "id", "example", "slices")
_NAME = re.compile(r"[A-Za-z0-9._-]+-([0-9a-f]{16})\.parquet")
#: A run lies so many folders below its store at most: the task's name may have a slash.
_MOST_ABOVE = 6


def write_examples(store: Path, task: str, rows: Mapping[str, Sequence[str]]) -> str:
    """Write the examples of a data set, unless they are there whole; the name of the file. RunFolderError."""
    sink = pa.BufferOutputStream()
    columns = {name: pa.array(rows[name], pa.string()) for name in COLUMNS}
    pq.write_table(pa.table(columns), sink, compression="zstd")
    content = sink.getvalue().to_pybytes()
    name = f"{file_stem(task)}-{_digest(content)}.parquet"
    path = make_folder(store / FOLDER) / name
    if not _is_whole(path):
        write_bytes(path, content)
    return name


def find_examples(run: RunFolder, name: object) -> Path | None:
    """The file that a run's manifest names, in the store that the run lies in; None where there is none."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):  # a manifest may come from anywhere
        return None
    places = (parent / FOLDER / name for parent in run.path.absolute().parents[:_MOST_ABOVE])
    return next((place for place in places if place.is_file()), None)


def read_examples(path: Path) -> pa.Table:
    """The examples of a data set, COLUMNS, all texts; RunFolderError where the file is not as it was written."""
    with damage_refused(path, "texts of examples"):
        with open_regular(path) as file:
            content = file.read()
        if not path.name.endswith(f"-{_digest(content)}.parquet"):
            raise ValueError("it is not as it was written (the checksum in its name differs)")
        found = pq.read_table(pa.BufferReader(content), columns=list(COLUMNS), use_threads=False)
        found.validate(full=True)
        if any(not pa.types.is_string(found[name].type) for name in COLUMNS):
            raise TypeError("its columns must hold texts")
    return found


def _is_whole(path: Path) -> bool:
    try:
        with open_regular(path) as file:
            return path.name.endswith(f"-{hashlib.file_digest(file, 'sha256').hexdigest()[:16]}.parquet")
    except OSError:
        return False


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
