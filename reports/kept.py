"""What a report made and the next one would make the same: figures, and scores on resampled test sets.

Under `$ATINUKE_CACHE/reports`, an entry is named by a digest of all that it was made from, code and versions included,
and holds the digest of its content. An entry that is damaged counts as none; one that cannot be written is made again
next time. Only plain data and bytes are read back, since others may write there.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import importlib.metadata
import importlib.util
import json
import os
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from atinuke_bench.environment import cache_folder
from atinuke_bench.errors import RunFolderError
from atinuke_bench.files import make_folder, open_regular, parse_json, write_bytes

#: Bytes of all entries; past them the ones used least recently go.
MOST_BYTES = 500_000_000
#: Whose versions decide figures and drawings.
_PACKAGES = ("fonttools", "matplotlib", "numpy", "pandas", "pillow", "pyarrow", "scipy")
#: Plain data, and bytes beside it.
Kept = tuple[Any, tuple[bytes, ...]]


def kept(kind: str, of: tuple[Any, ...], make: Callable[[], Kept]) -> Kept:
    """What `make` gives, from an earlier report where that was of equal `of`."""
    try:
        name = _digest(kind, _code(), *of)
    except TypeError:  # of a kind that has no digest
        return make()
    path = cache_folder() / "reports" / f"{kind}-{name}"
    found = _read(path)
    if found is None:
        found = make()
        with contextlib.suppress(RunFolderError, OSError):
            make_folder(path.parent)
            write_bytes(path, _packed(found))
    return found


def forget_oldest() -> None:
    """Remove the entries used least recently while all of them take more than MOST_BYTES."""
    with contextlib.suppress(OSError):
        found = [(entry.stat(), entry.path) for entry in os.scandir(cache_folder() / "reports")]
        total = sum(stat.st_size for stat, _ in found)
        for stat, path in sorted(found, key=lambda one: one[0].st_mtime):
            if total <= MOST_BYTES:
                return
            Path(path).unlink(missing_ok=True)
            total -= stat.st_size


def _packed(found: Kept) -> bytes:
    record, blobs = found
    head = json.dumps({"record": record, "sizes": [len(blob) for blob in blobs]}).encode()
    content = head + b"\n" + b"".join(blobs)
    return hashlib.sha256(content).digest() + content


def _read(path: Path) -> Kept | None:
    try:
        with open_regular(path) as file:
            whole = memoryview(file.read())
        os.utime(path)
    except OSError:
        return None
    seal, content = whole[:32], whole[32:]
    if hashlib.sha256(content).digest() != seal:
        return None
    end = bytes(content).index(b"\n")
    head = parse_json(bytes(content[:end]), has_nan=True)
    blobs, start = [], end + 1
    for size in head["sizes"]:
        blobs.append(bytes(content[start : start + size]))
        start += size
    return head["record"], tuple(blobs)


@cache
def _code() -> str:
    """A digest of all code of the package, and of the versions of what figures and drawings come from."""
    found = hashlib.sha256()
    for room in ("", ".reports", ".tasks"):
        spec = importlib.util.find_spec(f"atinuke_bench{room}")
        folders = [] if spec is None else spec.submodule_search_locations or []
        for path in sorted(path for folder in folders for path in Path(folder).rglob("*.py")):
            content = path.read_bytes()
            found.update(f"{path.name} {len(content)} ".encode() + content)
    for name in _PACKAGES:
        found.update(f"{name} {importlib.metadata.version(name)}\0".encode())
    return found.hexdigest()


def _digest(*parts: Any) -> str:
    found = hashlib.sha256()
    for part in parts:
        _add(found, part)
    return found.hexdigest()[:32]


def _add(found: Any, value: Any) -> None:
    """Tell a digest a value so that no two values that differ are told alike; TypeError for one of another kind."""
    if value is None or isinstance(value, bool | int | float | str | bytes):
        text = value if isinstance(value, bytes) else repr(value).encode(errors="surrogatepass")
        found.update(f"{type(value).__name__} {len(text)} ".encode() + text)
    elif isinstance(value, np.ndarray) and value.dtype != object:
        found.update(f"array {value.dtype} {value.shape} ".encode() + np.ascontiguousarray(value).tobytes())
    elif isinstance(value, pd.DataFrame):
        _add(found, ["frame", value.columns, value.index, *(value.iloc[:, place] for place in range(value.shape[1]))])
    elif isinstance(value, pd.Series):
        _add(found, ["series", value.index, value.tolist()])
    elif isinstance(value, pd.Index | np.ndarray | list | tuple | range):
        found.update(f"{type(value).__name__} {len(value)} ".encode())
        for one in value.tolist() if isinstance(value, pd.Index | np.ndarray) else value:
            _add(found, one)
    elif isinstance(value, Mapping):
        _add(found, ["mapping", *(part for pair in value.items() for part in pair)])
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = (getattr(value, field.name) for field in dataclasses.fields(value))
        _add(found, [type(value).__qualname__, *fields])
    elif isinstance(value, np.generic):
        _add(found, value.item())
    else:
        raise TypeError(f"no digest of {type(value).__name__}")
