"""Files that are whole or absent: written beside the target, flushed to disk, renamed into place.

What is read may have been written by anyone: only regular files are opened, since a pipe waits for ever, and JSON is
refused where it is no plain data.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import math
import os
import re
import stat
import tempfile
from io import BufferedReader
from pathlib import Path
from typing import Any

from atinuke_bench.errors import RunFolderError

#: Characters of a name that a file is called by; with a digest, an ending and a `.part` it fits every file system.
_MOST_STEM = 80


def open_regular(path: str | Path) -> BufferedReader:
    """A regular file opened to be read; OSError for anything else, a pipe without its other end included."""
    # Without O_NONBLOCK the system would wait here until somebody writes to a pipe.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return os.fdopen(handle, "rb")


def sha256_file(path: str | Path) -> str:
    """SHA-256 of a file's bytes in hexadecimal, read in pieces."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_problem(path: str | Path, checksum: str) -> str | None:
    """What is wrong with a file that should have this SHA-256; None when it has it."""
    try:
        found = sha256_file(path)
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return None if found == checksum else "has changed since the run was finished (its checksum differs)"


def git_blob_id(content: bytes) -> str:
    """The name git gives a file, which is how the Hub identifies files outside of LFS.

    >>> git_blob_id(b"")
    'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391'
    """
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def sha256_json(record: Any) -> str:
    """SHA-256 of plain data, the same for every order of keys.

    >>> sha256_json({"a": 1, "b": 2}) == sha256_json({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(json.dumps(record, sort_keys=True, allow_nan=False).encode()).hexdigest()


def file_stem(name: str) -> str:
    """A name of any script and length as the stem of a file.

    Where it is no plain file name, what it loses is in a digest, so that no two names have one stem.

    >>> file_stem("quick"), file_stem("my suite/2"), file_stem("my-suite/2")
    ('quick', 'my-suite-2-c9ab4a34', 'my-suite-2-a2e8c777')
    """
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-")[:_MOST_STEM]
    return stem if stem and stem == name else f"{stem}-{sha256_json(name)[:8]}".lstrip("-")


def make_folder(path: str | Path) -> Path:
    """The folder at `path`, created with its parents; RunFolderError when that is refused."""
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunFolderError(f"{path}: folder cannot be created ({error.strerror or error})") from error
    return Path(path)


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write a file atomically: a reader sees the old content or the new, never a part.

    Raises RunFolderError when the disk is full or the folder cannot be written; the old file then stays.
    """
    path = Path(path)
    temporary = None
    try:
        _remove_abandoned(path)
        handle, temporary = _begin(path)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            # mkstemp makes private files; results are as readable as the umask lets other files be.
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, path)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise RunFolderError(f"{path}: cannot be written ({error.strerror or error})") from error


def require_writable(path: str | Path) -> None:
    """Refuse what `write_bytes` would, before the work whose result is to be written; RunFolderError."""
    path = Path(path)
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        handle, temporary = _begin(path)
        os.close(handle)
        os.unlink(temporary)
    except OSError as error:
        raise RunFolderError(f"{path}: cannot be written ({error.strerror or error})") from error


def _begin(path: Path) -> tuple[int, str]:
    """A new file beside the target, held while it is open, so that others see that its writer lives."""
    while True:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.path.exists(temporary):  # else another process took it for abandoned before it was held
            return handle, temporary
        os.close(handle)


def _remove_abandoned(path: Path) -> None:
    """Remove what writers that were killed left beside a file; what another one is writing now stays."""
    with os.scandir(path.parent) as entries:
        left = [entry.path for entry in entries if entry.name.startswith(f".{path.name}.")]
    for place in left:
        if place.endswith(".part"):
            with contextlib.suppress(OSError), os.fdopen(os.open(place, os.O_RDWR | os.O_NOFOLLOW), "r+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(place)


def remove_parts(folder: Path) -> None:
    """Remove what processes that were killed left in a folder; for whoever keeps others from writing there."""
    for path in folder.glob(".*.part"):
        path.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    write_bytes(path, text.encode())


def write_json(path: str | Path, record: Any) -> None:
    """Write plain data as JSON atomically. Numbers that are not finite become null: missing, never invented."""
    write_text(path, json.dumps(finite(record), indent=1, allow_nan=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Plain data from a JSON file; RunFolderError when it is missing or damaged."""
    try:
        with open_regular(path) as file:
            return parse_json(file.read())
    except OSError as error:
        raise RunFolderError(f"{path}: cannot be read ({error.strerror or error})") from error
    except ValueError as error:
        raise RunFolderError(f"{path}: not valid JSON ({error})") from error


def read_object(path: str | Path) -> dict[str, Any]:
    """The JSON object that a file holds; RunFolderError when it is missing, damaged or another value."""
    record = read_json(path)
    if not isinstance(record, dict):
        raise RunFolderError(f"{path}: must be a JSON object; found {type(record).__name__}")
    return record


def parse_json(text: str | bytes, *, has_nan: bool = False) -> Any:
    """The plain data of a JSON text; ValueError for everything that another program might read as another value.

    That is NaN and infinities, unless it may have them, numbers beyond the floats, a key given twice, and brackets in
    brackets without end.

    >>> parse_json('{"f1": NaN}')
    Traceback (most recent call last):
    ValueError: NaN is no number in JSON
    """
    try:
        return (_JSON_WITH_NAN if has_nan else _JSON).decode(
            text if isinstance(text, str) else text.decode("utf-8-sig")
        )
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _whole(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise ValueError(f"a number of {len(text)} digits")
    return int(text)


def _fraction(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text[:20]} is beyond the largest number")
    return value


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number in JSON")


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice[:60]!r} is given twice")
    return record


#: Digits of the longest whole number that is read; all of them are floats too.
_MOST_DIGITS = 300
_JSON, _JSON_WITH_NAN = (
    json.JSONDecoder(object_pairs_hook=_each_key_once, parse_int=_whole, parse_float=_fraction, parse_constant=constant)
    for constant in (_no_number, float)
)


def finite(record: Any) -> Any:
    """`record` with every float that is not finite replaced by None.

    >>> finite({"f1": float("nan"), "n": [1, 2.5]})
    {'f1': None, 'n': [1, 2.5]}
    """
    if isinstance(record, dict):
        return {key: finite(value) for key, value in record.items()}
    if isinstance(record, list | tuple):
        return [finite(value) for value in record]
    if isinstance(record, float) and not math.isfinite(record):
        return None
    return record


def _umask() -> int:
    # The only way to read the umask is to set it.
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
