"""Which files of a corpus folder belong to which split, by the names that official releases use.

A split's files are those whose name begins with it (`train.english.v4_gold_conll`), or all files anywhere below a
folder whose name does (`development/data/english/annotations/...`, `test.wsj/props/...`), plain or `.gz`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

#: Beginnings of file and folder names by split; the longest that fits counts. CoNLL-2005 has `devel`, and tests on WSJ
#: and on Brown; CoNLL-2012's test split comes in a separate archive.
SPLIT_PREFIXES = {
    "train": "train",
    "dev": "dev",
    "devel": "dev",
    "development": "dev",
    "test": "test",
    "conll-2012-test": "test",
    "test.brown": "test_brown",
    "test-brown": "test_brown",
    "brown": "test_brown",
}


def find_split_files(folder: Path) -> dict[str, dict[str, Path]]:
    """The files of each split by name, in order of name; empty when there are none.

    A file's name is its path below the folder without `.gz`; a plain file has precedence over its `.gz`.
    """
    found: dict[str, dict[str, Path]] = {}
    for path in _files(folder):
        relative = path.relative_to(folder)
        if (split := split_of(relative.parts[0])) is None:
            continue
        files, name = found.setdefault(split, {}), str(relative).removesuffix(".gz")
        if name not in files or path.suffix != ".gz":
            files[name] = path
    return {split: dict(sorted(files.items())) for split, files in found.items()}


def split_of(name: str) -> str | None:
    """The split that a file or folder is named after: a prefix ends where no letter or digit follows.

    >>> [split_of(name) for name in ("dev.v4_gold_conll", "development", "test.brown.props", "training.conll")]
    ['dev', 'dev', 'test_brown', None]
    """
    lower = name.lower()
    fitting = [
        prefix for prefix in SPLIT_PREFIXES if lower.startswith(prefix) and not lower[len(prefix) :][:1].isalnum()
    ]
    return SPLIT_PREFIXES[max(fitting, key=len)] if fitting else None


def _files(folder: Path) -> Iterator[Path]:
    """Files directly in `folder`, and all files below its folders that are named after a split."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.is_file():
            yield path
        elif split_of(path.name) is not None:
            yield from sorted(below for below in path.rglob("*") if below.is_file())
