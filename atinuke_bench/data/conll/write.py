"""Writers of CoNLL-2012 column files: whole documents, and a response that copies its key."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from atinuke_bench.data.conll.read import Document, Sentence, read_documents
from atinuke_bench.data.conll.spans import format_arguments, format_mentions, group_clusters
from atinuke_bench.data.text import read_lines
from atinuke_bench.errors import DataError

Clusters = Sequence[Sequence[tuple[int, int]]]
_LAST_COLUMN = re.compile(r"(.*[ \t])?[^ \t]+[ \t]*")


def write_documents(path: str | Path, documents: Iterable[Document]) -> None:
    """Writes documents in all CoNLL-2012 columns, tab separated; `read_documents` reads the same spans back.

    Columns a sentence lacks are written `-`, and `*` for parse bits and entities. Raises DataError for spans that
    cross (mentions: inside one cluster), and for a predicate without frameset that has no `V` at its word, since a
    reader could not find it.
    """
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        for document in documents:
            file.write(document.header or begin_line(document.name, document.part))
            file.write("\n")
            file.writelines(_format_document(document))
            file.write("#end document\n")


def begin_line(name: str, part: int | None) -> str:
    """The line that begins a document.

    >>> begin_line("bc/cctv/00/cctv_0000", 3)
    '#begin document (bc/cctv/00/cctv_0000); part 003'
    """
    return f"#begin document ({name});" + ("" if part is None else f" part {part:03d}")


def write_response(path: str | Path, key_path: str | Path, clusters: Mapping[tuple[str, int | None], Clusters]) -> None:
    """Writes a copy of the key whose last column holds `clusters`, for scorer.pl.

    `clusters` maps (document name, part) to clusters of (start, end), word positions in the document with both ends
    inside; a document that is missing gets none. Raises DataError for a document that the key does not have and for
    mentions that the format cannot express.
    """
    columns: list[str] = []
    known = set()
    for document in read_documents(key_path):
        known.add((document.name, document.part))
        own = clusters.get((document.name, document.part), ())
        columns += format_mentions(own, sum(len(sentence.words) for sentence in document.sentences))
    unknown = sorted(str(document) for document in clusters if document not in known)
    if unknown:
        raise DataError(f"the key has no document (name, part) {', '.join(unknown)}", path=key_path)
    cells = iter(columns)
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        for _, line in read_lines(key_path):
            if line.strip() and not line.startswith("#"):
                match = _LAST_COLUMN.fullmatch(line)
                assert match is not None
                line = (match[1] or "") + next(cells)
            file.write(line + "\n")


def _format_document(document: Document) -> Iterator[str]:
    num_words = sum(len(sentence.words) for sentence in document.sentences)
    coreference = iter(format_mentions(group_clusters(document.mentions), num_words))
    part = str(document.part or 0)
    for sentence in document.sentences:
        lemmas, framesets, arguments = _predicate_columns(sentence)
        blank, star = ("-",) * len(sentence.words), ("*",) * len(sentence.words)
        rows = zip(
            sentence.words,
            sentence.pos or blank,
            sentence.parse or star,
            lemmas,
            framesets,
            sentence.senses or blank,
            sentence.speakers or blank,
            sentence.entities or star,
            *arguments,
            strict=True,
        )
        for index, row in enumerate(rows):
            yield "\t".join((document.name, part, str(index), *row, next(coreference))) + "\n"
        yield "\n"


def _predicate_columns(sentence: Sentence) -> tuple[list[str], list[str], list[list[str]]]:
    """Lemma, frameset and argument columns. Lemmas of words that are no predicates are kept, framesets are not."""
    lemmas = list(sentence.lemmas or ("-",) * len(sentence.words))
    framesets = ["-"] * len(sentence.words)
    arguments = []
    for predicate in sorted(sentence.predicates, key=lambda predicate: predicate.index):
        has_verb = any(span.role == "V" and span.start == predicate.index for span in predicate.arguments)
        if predicate.frameset == "-" and (predicate.lemma == "-" or not has_verb):
            raise DataError(f"{predicate.lemma!r} at word {predicate.index} has neither a frameset nor a lemma with V")
        lemmas[predicate.index], framesets[predicate.index] = predicate.lemma, predicate.frameset
        arguments.append(format_arguments(predicate.arguments, len(sentence.words)))
    return lemmas, framesets, arguments
