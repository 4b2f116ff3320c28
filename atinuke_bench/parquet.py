"""Parquet files of run folders: refused in one line where they are damaged, or not as they were written."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from atinuke_bench.errors import RunFolderError, first_line
from atinuke_bench.files import open_regular

Content = TypeVar("Content")


@contextlib.contextmanager
def damage_refused(path: Path, kind: str) -> Iterator[None]:
    """Turn all that a damaged file makes pyarrow, and who reads its columns, raise into a RunFolderError."""
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, MemoryError, pa.ArrowException) as error:
        raise RunFolderError(f"{path}: cannot be read as {kind} ({first_line(error, with_class=True)})") from error


def read_checked(
    path: Path, kind: str, checksum: bytes, read: Callable[[pa.Table], Content], digest: Callable[[Content], bytes]
) -> Content:
    """What `read` makes of a file's columns, whose digest the metadata has under `checksum`.

    RunFolderError when the file is missing, damaged or another one, by whose columns `read` may fail.
    """
    with damage_refused(path, kind):
        with open_regular(path) as source, pq.ParquetFile(source) as file:
            table = file.read(use_threads=False)
        found, known = read(table), (table.schema.metadata or {}).get(checksum)
    if known != digest(found):
        raise RunFolderError(f"{path}: not as the run wrote it (its checksum differs)")
    return found
