"""Writes CoNLL-2012 column files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from atinuke_bench.data.conll.read import Document, Sentence
from atinuke_bench.data.conll.spans import BLANK, format_arguments, format_mentions, group_clusters
from atinuke_bench.errors import DataError


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
        if predicate.frameset in BLANK and (predicate.lemma in BLANK or not has_verb):
            raise DataError(f"{predicate.lemma!r} at word {predicate.index} has neither a frameset nor a lemma with V")
        lemmas[predicate.index], framesets[predicate.index] = predicate.lemma, predicate.frameset
        arguments.append(format_arguments(predicate.arguments, len(sentence.words)))
    return lemmas, framesets, arguments
