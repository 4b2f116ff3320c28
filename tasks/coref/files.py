"""Which CoNLL-2012 files hold the documents of a split, those documents, and responses as scorer.pl takes them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from datasets import Dataset

from atinuke_bench.config import RunConfig
from atinuke_bench.data.conll.read import Document, read_documents
from atinuke_bench.data.conll.write import begin_line, write_documents
from atinuke_bench.data.split_files import SplitFiles, choose, look, require_one_language
from atinuke_bench.errors import DataError, MissingDataError
from atinuke_bench.tasks.coref.clusters import Clusters, as_spans
from atinuke_bench.tasks.coref.counts import require_few_repeats
from atinuke_bench.tasks.coref.documents import answered
from atinuke_bench.tasks.coref.scorer import counts_of, overlap_documents, printed_scores, total
from atinuke_bench.training.capabilities import OfficialFiles

log = logging.getLogger(__name__)

#: Folders below the data folder that are searched, the first with a train file being taken.
FOLDERS = ("coref/litbank", "coref", ".")
#: Endings of files, better ones first: where files with gold annotation lie beside others, they alone are read.
ENDINGS = ("_gold_conll", "_conll", ".conll")


class CorefFiles(OfficialFiles):
    """A key and a response in CoNLL-2012 columns."""

    def write(
        self, folder: Path, split: str, examples: Dataset, predictions: Mapping[str, Clusters], run: RunConfig
    ) -> None:
        """`<split>.response.conll` and, where a mention is annotated, `<split>.key.conll`, for scorer.pl."""
        documents = (answered(example, predictions[example["id"]]) for example in examples)
        write_documents(folder / f"{split}.response.conll", documents)
        if any(examples["clusters"]):
            documents = (answered(example, as_spans(example["clusters"])) for example in examples)
            write_documents(folder / f"{split}.key.conll", documents)

    def score(self, gold: Path, predictions: Path) -> dict[str, Any]:
        """The digits that scorer.pl prints for a response against a key.

        A warning says what repeats. Raises DataError for more repeats in the response than scorer.pl drops, and for
        documents of different lengths.
        """
        key, response = read_for_scoring(gold), read_for_scoring(predictions)
        for name, document in response.items():
            if name in key and len(key[name].words) != len(document.words):
                problem = f"{name} has {len(document.words)} words here and {len(key[name].words)} in the key"
                raise DataError(problem, path=predictions, line=document.line)
        ours, theirs = ({name: document.clusters for name, document in side.items()} for side in (key, response))
        overlaps = list(overlap_documents(ours, theirs).values())
        num_dropped = require_few_repeats(overlaps, path=predictions)
        _warn_of_repeats("key", key, "all are counted, as by scorer.pl")
        _warn_of_repeats("response", response, f"{num_dropped} that the key has are dropped, as by scorer.pl")
        return printed_scores(total(map(counts_of, overlaps))).as_dict()


def find_files(data_dir: Path) -> SplitFiles:
    """The files of each split; DataError when no train file is found, or when files are of several languages."""
    found = choose([look(data_dir / folder, ENDINGS[1:], prefer=gold_files) for folder in FOLDERS])
    if found is not None:
        require_one_language(found)
        return found
    if not data_dir.is_dir():
        raise MissingDataError("no such folder", path=data_dir)
    raise MissingDataError(
        f"no CoNLL-2012 train files; looked in {', '.join(FOLDERS)} for train*_gold_conll, train*_conll or "
        "train*.conll, plain or .gz, and for a folder train with such files",
        path=data_dir,
    )


def read_split(files: Mapping[str, Path]) -> Iterator[Document]:
    """The documents of all files by name; DataError for one that has no words, or that two files have."""
    seen: dict[tuple[str, int | None], Document] = {}
    for name, path in files.items():
        for document in (_named(document, name) for document in read_documents(path)):
            earlier = seen.setdefault((document.name, document.part), document)
            if earlier is not document:
                problem = f"{document.label} is in {earlier.path}:{earlier.line} too"
                raise DataError(problem, path=path, line=document.line)
            if not document.words:
                raise DataError(f"{document.label} has no words", path=path, line=document.line)
            yield document


def _named(document: Document, file: str) -> Document:
    """The document, named after its file where its header names none (OntoGUM)."""
    if document.name:
        return document
    name = Path(file).stem
    return replace(document, name=name, header=begin_line(name, document.part))


def read_for_scoring(path: Path) -> dict[str, Document]:
    """The documents of a key or response by their labels."""
    return {document.label: document for document in read_documents(path)}


def _warn_of_repeats(side: str, documents: Mapping[str, Document], what: str) -> None:
    repeats = [(document, mention) for document in documents.values() for mention in document.repeats]
    if repeats:
        document, (start, end, _) = repeats[0]
        words = " ".join(document.words[start : end + 1])
        first = f"the first is {(start, end)} ({words[:40]!r}) in {document.label}"
        log.warning("%s: %d mentions are twice in one cluster or in two; %s; %s", side, len(repeats), what, first)


def gold_files(names: Sequence[str]) -> list[str]:
    """Those of some files that have gold annotation, or else the best that there are."""
    return next(kept for ending in ENDINGS if (kept := [name for name in names if name.endswith(ending)]))
