"""Documents of running text: from text files, and from the official files of other tasks.

A document is what language modelling packs, holds out and scores: nothing of it is on two sides of a cut.

    text            `<folder>/lm/*.txt` or `<folder>/*.txt`, or below folders named after a split (`.gz` accepted);
                    one document a blank-line-separated block, or one a file
    squad           one an article: its paragraphs, each once, from the file of v1.1, or of v2.0 where that is missing
    litbank         one a document of the CoNLL-2012 files of coreference
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from atinuke_bench.config import Declaration, SourceConfig
from atinuke_bench.data.declared import declared_files, meaning_of, read_declared
from atinuke_bench.data.records import Fields
from atinuke_bench.data.split_files import choose, look, official, some_names
from atinuke_bench.data.text import content_sha256, read_text
from atinuke_bench.errors import DataError
from atinuke_bench.tasks.coref.files import find_files, read_split
from atinuke_bench.tasks.squad.files import find_squad_files, read_squad, require_squad_file

#: Of documents without splits, one in so many goes to dev and one to test.
ONE_IN = 20

_BLANK_LINES = re.compile(r"\n[^\S\n]*(?:\n[^\S\n]*)+")


@dataclass(frozen=True)
class TextDocument:
    """A document and its name."""

    id: str
    text: str


@dataclass(frozen=True)
class Corpus:
    """The documents of each split, and the sha256 of every file read, by `<split or corpus>/<name>`."""

    splits: dict[str, list[TextDocument]]
    files: dict[str, str]
    notes: tuple[str, ...] = ()


def cut_blocks(text: str) -> list[str]:
    """The blocks of a text that blank lines separate.

    >>> cut_blocks("one\\ntwo\\n\\n\\nthree\\n")
    ['one\\ntwo', 'three']
    """
    return [block.strip("\n") for block in _BLANK_LINES.split(text.replace("\r\n", "\n")) if block.strip()]


def read_text_corpus(data_dir: Path, rule: str) -> Corpus:
    """Documents of text files, by `rule` "blank-line" or "file"; DataError when there is no file.

    Files that are named after no split are trained on (`split_files` says which name means which split). For a split
    that has no file, documents are cut off the others by `cut_documents`.
    """
    places = [look(data_dir / folder, [".txt"], others="train") for folder in ("lm", ".")]
    first = next((place for place in places if place.splits or place.problems), None)
    if first is None:
        raise DataError(_no_text(data_dir), path=data_dir)
    first.require_clear()
    if "train" not in first.splits:
        names = some_names(name for files in first.splits.values() for name in files)
        problem = "no text to train on; the name of a train file begins with train, or with no split's name"
        raise DataError(f"{problem}; found {names}", path=data_dir)
    found = choose(places)
    assert found is not None, "one place has text to train on"
    by_split = {
        split: [document for name, path in files.items() for document in _documents(path, name, rule)]
        for split, files in found.splits.items()
    }
    return Corpus(cut_documents(by_split), found.fingerprints(), found.notes())


def read_declared_corpus(declaration: Declaration, source: SourceConfig, rule: str) -> Corpus:
    """The documents of a declared task: of text files by `rule`, or, where `fields` names the text, one a row."""
    if declaration.fields or declaration.hub is not None:
        fields = Fields(declaration.fields, ("text", "id"))
        read = read_declared(declaration, source, lambda record: _row(record, fields), header=fields.has_header)
        splits = {
            split: [TextDocument(row["id"], row["text"]) for row in rows.rows] for split, rows in read.splits.items()
        }
        return Corpus(splits, read.files, read.notes)
    found = declared_files(declaration, source, [".txt"])
    splits = {
        split: [document for name, path in files.items() for document in _documents(path, name, rule)]
        for split, files in found.splits.items()
    }
    return Corpus(splits, found.fingerprints() | meaning_of(declaration), found.notes())


def _row(record: dict[Any, Any], fields: Fields) -> dict[str, Any] | None:
    """The document of a row; None where its text is blank."""
    text = fields.text(record, "text").strip()
    own = {"id": fields.label(record, "id") or ""} if "id" in fields.named else {}
    return {**own, "text": text} if text else None


def _no_text(data_dir: Path) -> str:
    if not data_dir.is_dir():
        return "no such folder (looked here for lm/*.txt and *.txt)"
    return (
        "no text files; looked for lm/*.txt and *.txt, plain or .gz; the text of SQuAD and LitBank is read with "
        "--set options.corpus=squad+litbank"
    )


def _documents(path: Path, name: str, rule: str) -> list[TextDocument]:
    text = read_text(path)
    if rule == "file":
        return [TextDocument(name, text.replace("\r\n", "\n").strip("\n"))]
    return [TextDocument(f"{name}#{number}", block) for number, block in enumerate(cut_blocks(text), start=1)]


def read_squad_corpus(data_dir: Path) -> Corpus:
    """The articles of SQuAD. The official dev file is cut into dev and test, since no test file is published."""
    copies = _squad_files(data_dir)
    splits: dict[str, list[TextDocument]] = {}
    files = {}
    for split, (path, *_) in copies.items():
        columns = read_squad(path, unanswerable=True, needs_answers=False)
        paragraphs: dict[str, dict[str, None]] = {}
        for title, context in zip(columns["title"], columns["context"], strict=True):
            paragraphs.setdefault(title, {})[context.strip()] = None
        splits[split] = [TextDocument(f"squad/{title}", "\n".join(own)) for title, own in paragraphs.items()]
        files[f"{split}/{path.name.removesuffix('.gz')}"] = content_sha256(path)
    order = sorted(splits["dev"], key=_digest)
    splits["dev"], splits["test"] = order[::2], order[1::2]
    return Corpus(splits, files, official(data_dir, copies, {}).notes())


def _squad_files(data_dir: Path) -> dict[str, list[Path]]:
    """The files of v1.1 or, where one of them is missing and v2.0 is whole, those of v2.0; never one of each.

    Each is the first of its copies.
    """
    splits = ("train", "dev")
    num_found = {
        version: sum(bool(find_squad_files(data_dir, split, version)) for split in splits) for version in ("1.1", "2.0")
    }
    version = max(num_found, key=num_found.__getitem__)
    return {
        split: find_squad_files(data_dir, split, version) or [require_squad_file(data_dir, split, version)]
        for split in splits
    }


def read_litbank_corpus(data_dir: Path) -> Corpus:
    """The documents of the CoNLL-2012 files that coreference reads, as text."""
    found = find_files(data_dir)
    splits = {
        split: [
            TextDocument(
                f"litbank/{document.name}#{document.part}",
                "\n".join(join_words(sentence.words) for sentence in document.sentences),
            )
            for document in read_split(files)
        ]
        for split, files in found.splits.items()
    }
    return Corpus(splits, found.fingerprints(), found.notes())


def join_words(words: Iterable[str]) -> str:
    """Words of a treebank as they are written: no space before a full stop, none inside `don't`.

    >>> join_words(["He", "did", "n't", "see", "(", "or", "hear", ")", "it", "."])
    "He didn't see (or hear) it."
    """
    text = ""
    glued = True
    for word in words:
        attaches = word in _CLOSING or (word.startswith(("'", "’")) and len(word) > 1) or word in ("n't", "n’t")
        text += word if glued or attaches else f" {word}"
        glued = word in _OPENING
    return text


_CLOSING = frozenset([".", ",", ";", ":", "!", "?", ")", "]", "}", "%", "''", "”"])
_OPENING = frozenset(["(", "[", "{", "``", "“", "$"])


def join_corpora(corpora: Mapping[str, Corpus]) -> Corpus:
    """Several corpora as one, in order of the names given."""
    splits: dict[str, list[TextDocument]] = {}
    files: dict[str, str] = {}
    for name, corpus in corpora.items():
        for split, documents in corpus.splits.items():
            splits.setdefault(split, []).extend(documents)
        files |= {f"{name}/{file}": digest for file, digest in corpus.files.items()}
    return Corpus(splits, files, tuple(note for corpus in corpora.values() for note in corpus.notes))


def cut_documents(splits: Mapping[str, Sequence[TextDocument]]) -> dict[str, list[TextDocument]]:
    """All three splits, those that are missing cut off the train split: one document in twenty, and at least one.

    Which ones is a function of their texts alone. DataError when fewer than two would be left to train on.
    """
    complete = {split: list(documents) for split, documents in splits.items()}
    missing = [split for split in ("dev", "test") if not complete.get(split)]
    order = sorted(complete["train"], key=_digest)
    size = max(1, len(order) // ONE_IN)
    if missing and len(order) - size * len(missing) < 2:
        raise DataError(
            f"a corpus needs two documents to train on and one for each of {', '.join(missing)}; found {len(order)}; "
            "give files whose names begin with train, dev and test, or --set options.documents=blank-line"
        )
    for split in missing:
        complete[split], order = order[:size], order[size:]
    kept = {document.id for document in order}
    complete["train"] = [document for document in complete["train"] if document.id in kept]
    return complete


def without_repeats(corpus: Corpus) -> Corpus:
    """The corpus with each text once: of equal documents the held-out one is kept, test before dev before train.

    Texts are equal when they differ in nothing but spaces and case. What is dropped is noted.
    """
    seen: set[str] = set()
    splits: dict[str, list[TextDocument]] = {}
    notes = list(corpus.notes)
    others = (split for split in corpus.splits if split not in ("test", "dev", "train"))
    for split in (*others, "test", "dev", "train"):
        documents = corpus.splits.get(split, [])
        kept = []
        for document in documents:
            key = hashlib.sha256(" ".join(document.text.lower().split()).encode()).hexdigest()
            if key not in seen:
                seen.add(key)
                kept.append(document)
        if len(kept) < len(documents):
            notes.append(f"{split}: {len(documents) - len(kept)} documents that occur elsewhere are left out")
        if kept:
            splits[split] = kept
    return Corpus(splits, corpus.files, tuple(notes))


def _digest(document: TextDocument) -> str:
    return hashlib.sha256(document.text.encode()).hexdigest()
