"""Which files of a corpus folder belong to which split, by the names that official releases use.

A split's files are those whose name begins with it (`train.english.v4_gold_conll`), or all files anywhere below a
folder whose name does (`development/data/english/annotations/...`, `test.wsj/props/...`), plain or `.gz`. Its name ends
where no letter or digit follows: `testament.txt` is of no split. What is found and not read is said, and what may be
meant in two ways is refused.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from atinuke_bench.data.text import content_sha256
from atinuke_bench.errors import DataError

#: Beginnings of file and folder names by split; the longest that fits counts. CoNLL-2005 has `devel`, and tests on WSJ
#: and on Brown; CoNLL-2012's test split comes in a separate archive.
SPLIT_PREFIXES = {
    "train": "train",
    "dev": "dev",
    "devel": "dev",
    "development": "dev",
    "val": "dev",
    "valid": "dev",
    "validation": "dev",
    "test": "test",
    "conll-2012-test": "test",
    "test.brown": "test_brown",
    "test-brown": "test_brown",
    "test_brown": "test_brown",
    "brown": "test_brown",
}
#: Those that every corpus may have.
SPLITS = ("train", "dev", "test")

#: What turns a split's name into a word that may mean the split or not: `test2.props`, `training.conll`.
_UNCLEAR = re.compile(r"(\d+|ing|set|s|data)(?![a-z0-9])")

#: Languages of corpora with CoNLL columns, and their codes.
_LANGUAGES = {
    "arabic": "ar",
    "catalan": "ca",
    "chinese": "zh",
    "czech": "cs",
    "dutch": "nl",
    "english": "en",
    "french": "fr",
    "german": "de",
    "hungarian": "hu",
    "italian": "it",
    "japanese": "ja",
    "norwegian": "no",
    "polish": "pl",
    "portuguese": "pt",
    "russian": "ru",
    "spanish": "es",
    "turkish": "tr",
}
_BY_CODE = {code: language for language, code in _LANGUAGES.items()}


@dataclass(frozen=True)
class SplitFiles:
    """What a folder has: the files of each split by name, in order of name, and what is not read.

    A file's name is its path below the folder without `.gz`.
    """

    folder: Path
    splits: Mapping[str, Mapping[str, Path]]
    #: Name of a file or folder that is not read -> why.
    left: Mapping[str, str]
    #: What may be meant in two ways.
    problems: tuple[str, ...]
    #: What was looked for and not found, by split.
    absent: Mapping[str, str]

    def require_clear(self) -> None:
        """DataError where a file or folder may be meant in two ways."""
        if self.problems:
            raise DataError(self.problems[0], path=self.folder)

    def fingerprints(self) -> dict[str, str]:
        """sha256 of every file's unpacked content, by `<split>/<name>`."""
        return {
            f"{split}/{name}": content_sha256(path)
            for split, files in self.splits.items()
            for name, path in files.items()
        }

    def notes(self, also_read: Collection[Path] = ()) -> tuple[str, ...]:
        """What a run says of its files: those that are read, and those that are not."""
        read = "; ".join(f"{split}: {some_names(files)}" for split, files in self.splits.items())
        reasons: dict[str, list[str]] = {}
        for name, reason in self.left.items():
            if self.folder / name not in also_read:
                reasons.setdefault(reason, []).append(name)
        left = "; ".join(f"{some_names(names)} ({reason})" for reason, names in reasons.items())
        return (f"files of {self.folder}: {read}", *([f"not read in {self.folder}: {left}"] if left else []))


def look(
    folder: Path,
    endings: Sequence[str],
    *,
    splits: Sequence[str] = SPLITS,
    others: str | None = None,
    prefer: Callable[[Sequence[str]], Sequence[str]] | None = None,
) -> SplitFiles:
    """The files of `folder` with one of the endings; none when there is no such folder.

    `others` is the split of files that are named after none. `prefer` picks those names of a split that are read. A
    plain file has precedence over its `.gz`.
    """
    found: dict[str, dict[str, Path]] = {}
    left: dict[str, str] = {}
    tops: dict[str, dict[tuple[str, bool], str]] = {}
    problems: list[str] = []
    for path in _files(folder, endings, splits):
        relative = path.relative_to(folder)
        top, name = relative.parts[0], str(relative).removesuffix(".gz")
        prefix = _prefix(top, splits)
        split = others if prefix is None else SPLIT_PREFIXES[prefix]
        if not path.is_dir() and not name.endswith(tuple(endings)):
            left[str(relative)] = f"no file of {' or '.join(endings)}"
        elif problem := _doubt(top, splits):
            problems.append(problem)
        elif split is None or path.is_dir():
            left[str(relative)] = "named after no split"
        else:
            if prefix is not None:
                tops.setdefault(split, {}).setdefault((prefix, len(relative.parts) > 1), top)
            if found.setdefault(split, {}).setdefault(name, path) != path:  # of the two, the plain one sorts first
                left[str(relative)] = "its unpacked file is read"
    problems += [
        f"a split is files of one name, or a folder; found {' and '.join(named.values())}, both for {split}; "
        "nearest: one of them"
        for split, named in tops.items()
        if len(named) > 1
    ]
    for split, files in found.items():
        kept = list(files) if prefer is None else prefer(list(files))
        left |= dict.fromkeys(sorted(files.keys() - set(kept)), f"other files of {split} are read")
        found[split] = {name: files[name] for name in kept}
    read = {split: dict(sorted(found[split].items())) for split in splits if split in found}
    absent = {
        split: f"{' or '.join(f'{split}*{ending}' for ending in endings)}, plain or .gz, in {folder}"
        for split in splits
        if split not in read
    }
    return SplitFiles(folder, read, left, tuple(problems), absent)


def official(folder: Path, copies: Mapping[str, Sequence[Path]], absent: Mapping[str, str]) -> SplitFiles:
    """The file of each split where releases have one of a fixed name: the first of its copies below `folder`.

    The other copies are left, and so are files of the same kind that lie beside those which are read.
    """
    read = {split: paths[0] for split, paths in copies.items() if paths}
    left = {other: f"{_below(folder, paths[0])} is read" for paths in copies.values() for other in paths[1:]}
    kinds = tuple({_suffix(path) for path in read.values()})
    for place in dict.fromkeys(path.parent for path in read.values()):
        for path in sorted(place.iterdir()):
            if _suffix(path) in kinds and path.is_file():
                left.setdefault(path, "no name of a split that is asked for")
    return SplitFiles(
        folder,
        {split: {_below(folder, path).removesuffix(".gz"): path} for split, path in read.items()},
        {_below(folder, path): reason for path, reason in left.items() if path not in read.values()},
        (),
        absent,
    )


def choose(places: Sequence[SplitFiles]) -> SplitFiles | None:
    """The first place with a train split, those after and before it being noted; None when there is none.

    Raises DataError where a file of that place, or of any when there is none, may be meant in two ways.
    """
    chosen = next((place for place in places if "train" in place.splits), None)
    for place in places if chosen is None else (chosen,):
        place.require_clear()
    if chosen is None:
        return None
    filled = [str(place.folder) for place in places if place is not chosen and (place.splits or place.problems)]
    return replace(chosen, left={**chosen.left, **dict.fromkeys(filled, f"{chosen.folder} comes first")})


def require_one_language(found: SplitFiles) -> None:
    """DataError where files are named after several languages: what is scored on a mixture is no data set's score."""
    seen: dict[str, str] = {}
    for files in found.splits.values():
        for name in files:
            if (language := language_of(name)) is not None:
                seen.setdefault(language, name)
    if len(seen) > 1:
        shown = ", ".join(f"{language} ({seen[language]})" for language in sorted(seen))
        problem = f"one language is one data set; found {shown}; nearest: a folder for each language as --data-dir"
        raise DataError(problem, path=found.folder)


def language_of(name: str) -> str | None:
    """The language that a file or one of its folders is named after, alone or behind a split's name.

    >>> [language_of(name) for name in ("train.english.v4_gold_conll", "dev/data/chinese/nw/a_conll", "test.zh_conll")]
    ['english', 'chinese', 'chinese']
    >>> language_of("train.the_french_revolution.conll")
    """
    parts = PurePath(name).parts
    for place, part in enumerate(parts):
        prefix = _prefix(part, (*SPLITS, "test_brown")) or ""
        words = re.split(r"[^a-z]+", part.lower()[len(prefix) :].lstrip("._-"))
        is_whole = place < len(parts) - 1 and not prefix
        if is_whole and len(words) > 1:
            continue
        if words[0] in _LANGUAGES:
            return words[0]
        if words[0] in _BY_CODE and (prefix or is_whole):
            return _BY_CODE[words[0]]
    return None


def some_names(names: Iterable[str]) -> str:
    """At most three names, and how many more there are.

    >>> some_names(["a", "b"]), some_names("abcde")
    ('a, b', 'a, b, c and 2 more')
    """
    listed = list(names)
    return ", ".join(listed[:3]) + (f" and {len(listed) - 3:,} more" if len(listed) > 3 else "")


def _prefix(name: str, splits: Sequence[str]) -> str | None:
    lower = name.lower()
    fitting = [
        prefix
        for prefix, split in SPLIT_PREFIXES.items()
        if split in splits and lower.startswith(prefix) and not lower[len(prefix) :][:1].isalnum()
    ]
    return max(fitting, key=len, default=None)


def _doubt(name: str, splits: Sequence[str]) -> str | None:
    """Why the name of a file or folder may mean a split or not, or one of two."""
    prefix = _prefix(name, splits)
    if prefix is None:
        near = _nearest(name, splits)
        rule = "a split's name ends where no letter or digit follows"
        return near and f"{rule}; found {name}; nearest: {near}, or a name that begins with no split's"
    words = re.split(r"[^a-z0-9]+", name.lower()[len(prefix) :])
    rest = set(SPLITS) - {SPLIT_PREFIXES[prefix]}  # parts of the Brown corpus are in any split
    other = next((word for word in words if SPLIT_PREFIXES.get(word) in rest), None)
    return other and f"a file or folder is named after one split; found {name}; nearest: a name without {other}"


def _nearest(name: str, splits: Sequence[str]) -> str | None:
    """The clear name that is nearest to one which begins with a split's and goes on with a number or such a word."""
    for prefix, split in SPLIT_PREFIXES.items():
        match = _UNCLEAR.match(name.lower(), len(prefix)) if name.lower().startswith(prefix) else None
        if match is not None and split in splits:
            return f"{prefix}.{match[1]}{name[match.end() :]}" if match[1].isdigit() else prefix + name[match.end() :]
    return None


def _files(folder: Path, endings: Sequence[str], splits: Sequence[str]) -> Iterator[Path]:
    """Files directly in `folder` and below its folders that are (or may be) named after a split.

    Of other folders, those that hold such files are given themselves, and of other files those named after a split.
    """

    def fits(path: Path) -> bool:
        return path.name.removesuffix(".gz").endswith(tuple(endings))

    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if not path.is_dir():
            if fits(path) or _prefix(path.name, splits):
                yield path
        elif _prefix(path.name, splits) or _nearest(path.name, splits):
            yield from sorted(filter(fits, _walk(path)))
        elif not path.name.startswith(".") and any(map(fits, _walk(path))):
            yield path


def _walk(folder: Path) -> Iterator[Path]:
    """All files below a folder, those behind links too, each folder once."""
    seen: set[str] = set()
    for place, folders, files in os.walk(folder, followlinks=True):
        if (real := os.path.realpath(place)) in seen:
            folders.clear()  # a link to a folder above
            continue
        seen.add(real)
        yield from (Path(place, name) for name in files)


def _below(folder: Path, path: Path) -> str:
    """A path as it is named in notes: below the folder where it lies there."""
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)


def _suffix(path: Path) -> str:
    """The kind of a file, packed or not."""
    return Path(path.name.removesuffix(".gz")).suffix
