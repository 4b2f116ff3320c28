"""Which files hold the predicates of a split, and their sentences one after another.

They are CoNLL-2012 columns (`train.v4_gold_conll.gz`, `development/data/english/.../cctv_0001.v4_gold_conll`), or
CoNLL-2005's `test.wsj/props/test.wsj.props.gz` with `test.wsj/words/test.wsj.words.gz`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from atinuke_bench.data.conll.read import Sentence, read_documents
from atinuke_bench.data.split_files import find_split_files
from atinuke_bench.data.text import content_sha256
from atinuke_bench.errors import DataError
from atinuke_bench.tasks.srl.props import keep_verbs, read_props, rename_roles, to_conll2005_role

_CONLL2012, _WORDS, _PROPS = "_conll", ".words", ".props"


@dataclass(frozen=True, slots=True)
class Source:
    """One file of CoNLL-2012 columns, or a `.props` file with its `.words`."""

    path: Path
    words_path: Path | None
    #: What names the file in example ids and fingerprints: its path below the folder without `.gz`.
    name: str


@dataclass(frozen=True, slots=True)
class Located:
    """A sentence with CoNLL-2005 role names, its document (or file) and its number there."""

    document: str
    number: int
    sentence: Sentence
    path: Path


def find_sources(folder: Path) -> dict[str, list[Source]]:
    """The files of each split in `folder`, in order of name; empty when there are none.

    Of CoNLL-2012 files, gold columns have precedence over automatic ones (`_auto_conll`), and a plain file over its
    `.gz`. Raises DataError for a `.props` or `.words` file without its other half.
    """
    found = {}
    for split, files in find_split_files(folder).items():
        known = {name: path for name, path in files.items() if name.endswith((_CONLL2012, _WORDS, _PROPS))}
        if known:
            found[split] = _pair(known)
    return found


def read_located(sources: list[Source], *, verbs_only: bool = False) -> Iterator[Located]:
    """The sentences of a split's files, those without predicates included, roles renamed to CoNLL-2005's.

    With `verbs_only`, predicates that are no verbs are left out; DataError for files without parts of speech.
    """
    for source in sources:
        for document, number, sentence in _sentences(source):
            if verbs_only:
                _require_parts_of_speech(source, sentence)
                sentence = keep_verbs(sentence)
            yield Located(document, number, rename_roles(sentence, to_conll2005_role), source.path)


def fingerprints(splits: Mapping[str, list[Source]]) -> dict[str, str]:
    """sha256 of every file's unpacked content, by `<split>/<name>`."""
    return {
        f"{split}/{name}": content_sha256(path)
        for split, sources in splits.items()
        for source in sources
        for name, path in _names(source)
    }


def _names(source: Source) -> Iterator[tuple[str, Path]]:
    yield source.name, source.path
    if source.words_path is not None:
        yield source.name.removesuffix(_PROPS) + _WORDS, source.words_path


def _pair(files: dict[str, Path]) -> list[Source]:
    has_gold = any(name.endswith("gold_conll") for name in files)
    conll = [name for name in files if name.endswith(_CONLL2012) and not (has_gold and name.endswith("auto_conll"))]
    if conll:
        return [Source(files[name], None, name) for name in sorted(conll)]
    words = {_stem(name, _WORDS): path for name, path in files.items() if name.endswith(_WORDS)}
    props = {_stem(name, _PROPS): name for name in files if name.endswith(_PROPS)}
    for stem in sorted(words.keys() ^ props.keys()):
        path, missing = (words[stem], _PROPS) if stem in words else (files[props[stem]], _WORDS)
        raise DataError(f"this file needs its other half: no {stem}{missing} was found", path=path)
    return [Source(files[props[stem]], words[stem], props[stem]) for stem in sorted(props)]


def _stem(name: str, ending: str) -> str:
    """What a `.words` file and its `.props` have in common; official releases keep them in folders of their own."""
    return Path(name).name.removesuffix(ending)


def _sentences(source: Source) -> Iterator[tuple[str, int, Sentence]]:
    if source.words_path is not None:
        stem = _stem(source.name, _PROPS)
        for number, sentence in enumerate(read_props(source.path, source.words_path)):
            yield stem, number, sentence
        return
    for document in read_documents(source.path):
        name = document.name if document.part is None else f"{document.name}.{document.part}"
        for number, sentence in enumerate(document.sentences):
            yield name, number, sentence


def _require_parts_of_speech(source: Source, sentence: Sentence) -> None:
    if not sentence.predicates or any(
        sentence.pos[predicate.index] != "-" for predicate in sentence.predicates if sentence.pos
    ):
        return
    raise DataError(
        "options.verbs_only needs parts of speech, which this file does not have; CoNLL-2012 columns have them",
        path=source.path,
        line=sentence.line,
    )
