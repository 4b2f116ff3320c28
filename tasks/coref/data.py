"""Where documents come from, and how they become rows of a core: a row is a whole document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from datasets import Dataset
from tokenizers import Tokenizer

from atinuke_bench.config import Declaration, RunConfig, SourceConfig
from atinuke_bench.data.conll.read import Document
from atinuke_bench.data.declared import declared_files, meaning_of, with_dev
from atinuke_bench.data.features import Encoded, Ragged
from atinuke_bench.data.sources import Loaded
from atinuke_bench.data.split_files import SplitFiles
from atinuke_bench.data.tokenizer import PAD_ID
from atinuke_bench.errors import ConfigError
from atinuke_bench.microworld import load_microworld
from atinuke_bench.tasks.coref.clusters import Clusters, as_spans
from atinuke_bench.tasks.coref.documents import FEATURES, as_dataset, sentences_of
from atinuke_bench.tasks.coref.files import ENDINGS, find_files, gold_files, read_split
from atinuke_bench.tasks.coref.model import CorefOptions
from atinuke_bench.tasks.coref.rows import encode_document, genre_id
from atinuke_bench.training.task import TaskData, options_of, require_data_dir


@dataclass(frozen=True)
class CorefData(TaskData):
    """A folder of CoNLL-2012 files, generated documents, or the files of a declared task."""

    declaration: Declaration | None = None

    @property
    def example_columns(self) -> tuple[str, ...]:
        return ("words",)

    @property
    def shown_columns(self) -> tuple[str, ...]:
        return ("words", "sentence_lengths")

    def load(self, source: SourceConfig, options: CorefOptions) -> Loaded:
        if self.declaration is not None:
            loaded = _read(declared_files(self.declaration, source, ENDINGS, gold_files))
            splits, notes = with_dev(loaded.splits, "name")
            return replace(
                loaded, splits=splits, files=loaded.files | meaning_of(self.declaration), notes=(*loaded.notes, *notes)
            )
        if source.kind == "microworld":
            return load_microworld("coref", FEATURES, source)
        if source.kind != "local":
            raise ConfigError(
                f"task 'coref' has no data set on the Hub; found source {source.kind!r}, nearest: 'local' with "
                "--data-dir, a folder of CoNLL-2012 files"
            )
        return _read(find_files(require_data_dir(source, "coref")))

    def resolve_options(self, options: CorefOptions, loaded: Loaded) -> CorefOptions:
        keeps = any(len(cluster) == 1 for clusters in loaded.splits["train"]["clusters"] for cluster in clusters)
        if options.keeps_singletons not in (None, keeps):
            raise ConfigError(
                f"options.keeps_singletons: follows from the train split, which says {keeps}; "
                f"found {options.keeps_singletons}; nearest: options.singletons, which is free"
            )
        return options.model_copy(update={"keeps_singletons": keeps})

    def labelled(self, examples: Dataset) -> Dataset:
        """All documents where any has a mention: without one, a document of an annotated split is right as it is."""
        return examples if any(examples["clusters"]) else examples.select(())

    def gold(self, examples: Dataset) -> list[Clusters]:
        return [as_spans(clusters) for clusters in examples["clusters"][:]]

    def texts(self, examples: Dataset) -> Sequence[str]:
        return [" ".join(sentence) for example in examples for sentence in sentences_of(example)]

    def rows(self, examples: Dataset, tokenizer: Tokenizer, run: RunConfig) -> Encoded:
        options, length = options_of(run, CorefOptions), run.training.max_length
        rows = [encode_document(example, tokenizer, length, options.overlap, options.max_width) for example in examples]
        padding = {"input_ids": PAD_ID, "sentence": -1, "gold_cluster": -1}
        types: dict[str, Any] = {"word_id": np.int64}
        ragged = {
            name: Ragged.from_rows((row[name] for row in rows), padding.get(name, 0), types.get(name, np.int32))
            for name in rows[0]
        }
        genres = np.array([genre_id(name.partition("/")[0]) for name in examples["name"][:]], dtype=np.int64)
        return Encoded(ragged, np.arange(len(examples)), {"genre": genres})


def _read(files: SplitFiles) -> Loaded:
    documents = {split: list(read_split(found)) for split, found in files.splits.items()}
    repeats = [note for split, found in documents.items() for note in _repeat_notes(split, found)]
    return Loaded(
        {split: as_dataset(found) for split, found in documents.items()},
        files.fingerprints(),
        notes=(*files.notes(), *repeats),
        absent=files.absent,
    )


def _repeat_notes(split: str, documents: Sequence[Document]) -> list[str]:
    repeated = [document for document in documents if document.repeats]
    if not repeated:
        return []
    num = sum(len(document.repeats) for document in repeated)
    first = repeated[0]
    return [
        f"{split}: {num} mentions are twice in one cluster or in two; they are learned in the last, and scored as "
        f"scorer.pl scores them; the first is in {first.path}, {first.label}"
    ]
