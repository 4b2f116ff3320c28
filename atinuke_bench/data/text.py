"""Lines of a text file, with errors that name the file and the line."""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from atinuke_bench.errors import DataError, MissingDataError, nearest
from atinuke_bench.files import open_regular

_PIECE = 1 << 20
#: A packed file may always unpack to this size, and beyond it to so many times its own: text is packed to a quarter.
_LEAST_UNPACKED, _MOST_TIMES = 200_000_000, 50


def find_copies(folders: Iterable[Path], names: Sequence[str]) -> list[Path]:
    """Every file by one of `names`, plain or with `.gz` appended, best first: by folder, then name, then plain."""
    places = (folder / f"{name}{ending}" for folder in folders for name in names for ending in ("", ".gz"))
    found: dict[tuple[int, int], Path] = {}
    for place in places:
        if place.is_file():
            status = place.stat()
            found.setdefault((status.st_dev, status.st_ino), place)
    return list(found.values())


def require_file(folder: Path, *names: str) -> Path:
    """The first of these files in a folder; a missing one is a DataError that lists what was looked for."""
    if found := find_copies([folder], names):
        return found[0]
    if not folder.is_dir():
        raise MissingDataError(f"no such folder (looked here for {' or '.join(names)})", path=folder)
    present = sorted(entry.name for entry in folder.iterdir())
    stems = [name.partition(".")[0] for name in names]
    near = next((name for name in present if name.partition(".")[0] in stems), None) or nearest(names[0], present)
    there = f"; {near} is there" if near else ""
    raise DataError(f"file not found; looked for {' or '.join(names)}, plain or .gz{there}", path=folder)


def read_bytes(path: str | Path) -> bytes:
    """The whole content of a file, unpacked when its name ends in `.gz`; DataError when it cannot be read."""
    try:
        return b"".join(_pieces(Path(path)))
    except MemoryError:
        raise DataError("too large for the memory of this machine", path=path) from None


def _pieces(path: Path) -> Iterator[bytes]:
    """The content in pieces, unpacked; DataError also for a `.gz` that unpacks to far more than texts do."""
    try:
        with open_regular(path) as file:
            if path.suffix != ".gz":
                yield from iter(lambda: file.read(_PIECE), b"")
                return
            most, num_bytes = max(_LEAST_UNPACKED, _MOST_TIMES * os.fstat(file.fileno()).st_size), 0
            with gzip.GzipFile(fileobj=file) as unpacked:
                for piece in iter(lambda: unpacked.read(_PIECE), b""):
                    num_bytes += len(piece)
                    if num_bytes > most:
                        problem = f"unpacks to more than {_MOST_TIMES} times its size and {most // 1_000_000} MB"
                        raise DataError(f"{problem}, as no text does", path=path)
                    yield piece
    except FileNotFoundError:
        raise DataError("file not found", path=path) from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"truncated or damaged gzip ({error})", path=path) from error
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror or error})", path=path) from error


def content_sha256(path: str | Path) -> str:
    """SHA-256 of a file's content, unpacked, so that a file and its `.gz` have the same."""
    digest = hashlib.sha256()
    for piece in _pieces(Path(path)):
        digest.update(piece)
    return digest.hexdigest()


def read_text(path: str | Path) -> str:
    """The whole content of a UTF-8 file (`.gz` accepted), a leading byte-order mark removed.

    Raises DataError naming the line of the first byte that is not UTF-8, or the file when it is empty.
    """
    content = read_bytes(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"not valid UTF-8 (byte 0x{content[error.start]:02x})", path=path, line=line) from error
    if not text.strip():
        raise DataError("file is empty", path=path)
    return text


def read_lines(path: str | Path) -> Iterator[tuple[int, str]]:
    """Each line of a UTF-8 file (`.gz` accepted) with its number from 1, without its line end.

    Only `\\n` and `\\r\\n` end a line: official files hold U+2028 and other Unicode line separators inside text.
    """
    text = read_text(path)
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    for number, line in enumerate(lines, start=1):
        yield number, line.removesuffix("\r")


#: Digits of the longest number in a file that is taken for one: it fits an int64.
MOST_DIGITS = 18


def whole_number(text: str, *, path: str | Path, line: int, field: str) -> int:
    """The number that a field of a file names; DataError unless it is made of at most 18 digits from 0 to 9.

    >>> whole_number("007", path="gold.tsv", line=2, field="index")
    7
    """
    if not (text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS):
        found = f"{text!r}" if len(text) <= MOST_DIGITS else f"{len(text)} characters"
        problem = f"must be a whole number of at most {MOST_DIGITS} digits; found {found}"
        raise DataError(problem, path=path, line=line, field=field)
    return int(text)


def require_whole_text(value: Any, field: str = "", *, path: str | Path | None = None, line: int | None = None) -> None:
    """DataError, naming the field, where a text in `value` (JSON) has half of a surrogate pair.

    JSON can escape one half of a character alone, which a tool that cuts UTF-16 leaves behind; no consumer of UTF-8
    takes it.

    >>> require_whole_text({"words": ["Ada", "\\ud83d"]})
    Traceback (most recent call last):
    atinuke_bench.errors.DataError: words[1]: holds an unpaired surrogate at character 0
    """
    waiting = [(field, value)]  # no recursion: JSON may be nested deeper than calls may be
    while waiting:
        field, value = waiting.pop()
        if isinstance(value, str):
            try:
                value.encode()
            except UnicodeEncodeError as error:
                problem = f"holds an unpaired surrogate at character {error.start}"
                raise DataError(problem, path=path, line=line, field=ascii(field)[1:-1] or None) from error
        elif isinstance(value, dict):
            for name, part in reversed(value.items()):
                inside = f"{field}.{name}" if field else name
                waiting += [(inside, part), (inside, name)]
        elif isinstance(value, list):
            waiting += [(f"{field}[{number}]", part) for number, part in reversed(list(enumerate(value)))]
