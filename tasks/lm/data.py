"""Where running text comes from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any

from datasets import Dataset, Features, Value
from tokenizers import Tokenizer

from atinuke_bench.config import Declaration, MicroworldConfig, RunConfig, SourceConfig
from atinuke_bench.data.declared import with_dev
from atinuke_bench.data.features import Encoded
from atinuke_bench.data.sources import HubDataset, Loaded, load_hub
from atinuke_bench.data.table import Table
from atinuke_bench.data.tokenizer import UNK_ID, encode_ids
from atinuke_bench.errors import ConfigError, DataError
from atinuke_bench.microworld import story_texts
from atinuke_bench.tasks.lm.files import (
    Corpus,
    TextDocument,
    cut_blocks,
    cut_documents,
    join_corpora,
    read_declared_corpus,
    read_litbank_corpus,
    read_squad_corpus,
    read_text_corpus,
    without_repeats,
)
from atinuke_bench.tasks.lm.model import LmOptions
from atinuke_bench.tasks.lm.rows import Objective, pack
from atinuke_bench.training.task import TaskData, require_data_dir

FEATURES = Features({"id": Value("string"), "text": Value("string")})

#: Stories of the microworld, where the source says no other number.
STORIES = {"train": 4000, "dev": 300, "test": 300}


@dataclass(frozen=True)
class LmData(TaskData):
    """Local text, a data set on the Hub, generated stories, or a declared task's text, in rows for an objective."""

    objective: Objective
    declaration: Declaration | None = None

    @property
    def example_columns(self) -> tuple[str, ...]:
        return ("text",)

    def load(self, source: SourceConfig, options: LmOptions) -> Loaded:
        revision = None
        if self.declaration is not None:
            rule = "file" if options.documents == "file" else "blank-line"
            corpus = read_declared_corpus(self.declaration, source, rule)
        elif source.kind == "hub":
            corpus, revision = _load_hub(source, options)
        else:
            corpus = _generate(source.microworld) if source.kind == "microworld" else _read_local(source, options)
        corpus = without_repeats(corpus)
        splits = {
            split: Dataset.from_dict(
                {name: [getattr(document, name) for document in documents] for name in FEATURES}, features=FEATURES
            )
            for split, documents in corpus.splits.items()
        }
        notes = corpus.notes
        if self.declaration is not None:
            splits, cut = with_dev(splits, None)
            notes = (*notes, *cut)
        return Loaded(splits, corpus.files, revision=revision, notes=notes)

    def resolve_options(self, options: LmOptions, loaded: Loaded) -> LmOptions:
        return options.model_copy(update={"objective": self.objective})

    def gold(self, examples: Dataset) -> Sequence[Any]:
        return [{"bytes": len(text.encode())} for text in examples["text"][:]]

    def texts(self, examples: Dataset) -> Sequence[str]:
        return examples["text"][:]

    def rows(self, examples: Dataset, tokenizer: Tokenizer, run: RunConfig) -> Encoded:
        texts = examples["text"][:]
        documents = list(encode_ids(tokenizer, texts))
        hidden = [_hidden_bytes(tokenizer, text, ids) for text, ids in zip(texts, documents, strict=True)]
        return pack(documents, run.training.max_length, 1 if self.objective == "causal" else 0, hidden)


def _hidden_bytes(tokenizer: Tokenizer, text: str, ids: Sequence[int]) -> list[int]:
    """The bytes that each token hides: those of an [UNK] and of the spaces before it (after it too at a text's end)."""
    sizes = [0] * len(ids)
    if UNK_ID not in ids:
        return sizes
    ends = [end for _, end in tokenizer.encode(text, add_special_tokens=False).offsets]
    ends[-1] = len(text)
    for place, (start, end) in enumerate(pairwise([0, *ends])):
        if ids[place] == UNK_ID:
            sizes[place] = len(text[start:end].encode())
    return sizes


def _read_local(source: SourceConfig, options: LmOptions) -> Corpus:
    folder = require_data_dir(source, "lm")
    if options.corpus == "text":
        if options.documents == "row":
            raise ConfigError("options.documents: row is a row on the Hub; nearest: blank-line")
        return read_text_corpus(folder, "file" if options.documents == "file" else "blank-line")
    readers = {"squad": read_squad_corpus, "litbank": read_litbank_corpus}
    corpus = join_corpora({name: readers[name](folder) for name in options.corpus.split("+")})
    return Corpus(cut_documents(corpus.splits), corpus.files, corpus.notes)


def _generate(config: MicroworldConfig | None) -> Corpus:
    """Stories of the microworld: a document each, fingerprinted by their text."""
    config = config or MicroworldConfig()
    splits = {
        split: [
            TextDocument(id_, text)
            for id_, text in islice(story_texts(split, config), getattr(config, split) or number)
        ]
        for split, number in STORIES.items()
    }
    files = {
        f"{split}/stories": hashlib.sha256("\0".join(document.text for document in documents).encode()).hexdigest()
        for split, documents in splits.items()
    }
    return Corpus(splits, files)


def _load_hub(source: SourceConfig, options: LmOptions) -> tuple[Corpus, str | None]:
    """The documents of a data set, and its revision."""
    if "train" not in options.hub_splits or options.hub_splits.keys() - {"train", "dev", "test"}:
        found = ", ".join(options.hub_splits) or "none"
        raise ConfigError(f"options.hub_splits: it names train and, if there are, dev and test; found {found}")
    declared = HubDataset(options.hub_repo, options.hub_config, splits=options.hub_splits, reader=_hub_reader(options))
    loaded = load_hub(declared, FEATURES, source.revision)
    splits = {
        split: [TextDocument(*row) for row in zip(rows["id"][:], rows["text"][:], strict=True)]
        for split, rows in loaded.splits.items()
    }
    return Corpus(cut_documents(splits), loaded.files, loaded.notes), loaded.revision


def _hub_reader(options: LmOptions) -> Callable[[Dataset, str, str], Table]:
    """Documents from the rows of a split: every row with text, or the blocks of all rows together."""
    if options.documents == "file":
        raise ConfigError("options.documents: on the Hub a document is a row or a blank-line block; nearest: row")

    def read(rows: Dataset, split: str, where: str) -> Table:
        if options.hub_column not in rows.column_names:
            found = ", ".join(rows.column_names)
            raise DataError(f"no such column; found {found}", path=where, field=options.hub_column)
        texts = [text or "" for text in rows[options.hub_column][:]]
        if options.documents == "blank-line":
            texts = cut_blocks("\n".join(text.removesuffix("\n") for text in texts))
        kept = [(f"{split}-{number}", text.strip()) for number, text in enumerate(texts) if text.strip()]
        return Table({"id": [id_ for id_, _ in kept], "text": [text for _, text in kept]})

    return read
