"""Where predicates and their arguments come from, and how they become rows of a core."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset, Features, List, Value
from tokenizers import Tokenizer

from atinuke_bench.config import Declaration, RunConfig, SourceConfig
from atinuke_bench.data.bio import BioTags, LabelledSpan
from atinuke_bench.data.declared import declared_files, meaning_of, with_dev
from atinuke_bench.data.features import Encoded, Ragged
from atinuke_bench.data.sources import Loaded
from atinuke_bench.data.tokenizer import PAD_ID, encode_words, special_tokens, unique_texts
from atinuke_bench.errors import DataError
from atinuke_bench.microworld import load_microworld
from atinuke_bench.tasks.srl.files import ENDINGS, CorpusFile, best_columns, find_corpus, pair_files, read_located
from atinuke_bench.tasks.srl.model import SrlOptions
from atinuke_bench.tasks.srl.rows import Question, Row
from atinuke_bench.training.task import TaskData, options_of

log = logging.getLogger(__name__)

FEATURES = Features(
    {
        "id": Value("string"),
        "sentence": Value("string"),
        "document": Value("string"),  # empty where only the file is known
        "words": List(Value("string")),
        "lemma": Value("string"),
        "predicate": Value("int32"),
        "starts": List(Value("int32")),
        "ends": List(Value("int32")),
        "roles": List(Value("string")),
    }
)


#: The world's rows name their text in the id of the sentence alone.
WORLD_FEATURES = Features({name: feature for name, feature in FEATURES.items() if name != "document"})


@dataclass(frozen=True)
class SrlData(TaskData):
    """An example is one predicate of one sentence; the examples of a sentence follow one another."""

    declaration: Declaration | None = None

    @property
    def example_columns(self) -> tuple[str, ...]:
        return ("words", "predicate")

    def load(self, source: SourceConfig, options: SrlOptions) -> Loaded:
        if self.declaration is None and source.kind == "microworld":
            return _with_documents(load_microworld("srl", WORLD_FEATURES, source))
        own = self.declaration
        found = find_corpus(source) if own is None else declared_files(own, source, ENDINGS, best_columns)
        splits = {
            split: read_split(split, pair_files(files), verbs_only=options.verbs_only)
            for split, files in found.splits.items()
        }
        if own is None:
            return Loaded(splits, found.fingerprints(), notes=found.notes(), absent=found.absent)
        splits, notes = with_dev(splits, "sentence")
        return Loaded(splits, found.fingerprints() | meaning_of(own), notes=(*found.notes(), *notes))

    def resolve_options(self, options: SrlOptions, loaded: Loaded) -> SrlOptions:
        if options.roles:
            return options
        roles = {role for row in loaded.splits["train"]["roles"][:] for role in row}
        return options.model_copy(update={"roles": tuple(sorted(roles))})

    def labelled(self, examples: Dataset) -> Dataset:
        """All predicates where any has an argument: without one, a predicate of an annotated split is right as it is.

        Files whose arguments are hidden may still mark each predicate as its own `V`.
        """
        roles = (role for row in examples["roles"] for role in row)
        return examples if any(role.removeprefix("C-") != "V" for role in roles) else examples.select(())

    def gold(self, examples: Dataset) -> list[list[LabelledSpan]]:
        return spans_of(examples)

    def texts(self, examples: Dataset) -> Sequence[str]:
        return list(unique_texts([[" ".join(words) for words in examples["words"][:]]]))

    def rows(self, examples: Dataset, tokenizer: Tokenizer, run: RunConfig) -> Encoded:
        options = options_of(run, SrlOptions)
        tags, centred = BioTags(options.roles), options.predicate_feature == "indicator"
        groups = _sentences(examples)
        sentences = examples.select([group[0] for group in groups])["words"][:]
        pieces = encode_words(tokenizer, (word for words in sentences for word in words))
        specials, predicates, spans = special_tokens(tokenizer), examples["predicate"][:], spans_of(examples)
        rows: list[Row] = []
        example_index = []
        for words, group in zip(sentences, groups, strict=True):
            own = slice(group[0], group[-1] + 1)
            question = Question([pieces[word] for word in words], predicates[own], spans[own])
            found = question.rows(tags, run.training.max_length, specials, centred=centred)
            rows += found
            example_index += [group[0]] * len(found)
        log.info(
            "%d predicates of %d sentences make %d rows; %d arguments are not wholly in the row of their predicate",
            len(examples),
            len(groups),
            len(rows),
            sum(row.num_cut for row in rows),
        )
        return Encoded(
            {
                "input_ids": Ragged.from_rows((row.input_ids for row in rows), padding=PAD_ID),
                "word": Ragged.from_rows((row.word for row in rows), padding=-1),
                "predicates": Ragged.from_rows((row.predicates for row in rows), padding=-1),
                "tags": Ragged.from_rows(row.tags for row in rows),
            },
            np.array(example_index, dtype=np.int64),
            {"first_word": np.array([row.first_word for row in rows], dtype=np.int64)},
            {"asked": Ragged.from_rows(row.asked for row in rows)},
        )


def read_split(split: str, files: list[CorpusFile], *, verbs_only: bool) -> Dataset:
    """The examples of a split, one a predicate; DataError for a document that occurs twice or a split without any."""
    columns: dict[str, list[Any]] = {name: [] for name in FEATURES}
    seen: dict[str, Path] = {}
    for located in read_located(files, verbs_only=verbs_only):
        key = located.sentence_id(split)
        if key in seen:
            raise DataError(f"document {located.document!r} is in {seen[key]} too", path=located.path)
        seen[key] = located.path
        for predicate in located.sentence.predicates:
            row = {
                "id": located.example_id(split, predicate),
                "sentence": key,
                "document": located.unit,
                "words": located.sentence.words,
                "lemma": predicate.lemma,
                "predicate": predicate.index,
                "starts": [span.start for span in predicate.arguments],
                "ends": [span.end for span in predicate.arguments],
                "roles": [span.role for span in predicate.arguments],
            }
            for name, value in row.items():
                columns[name].append(value)
    if not columns["id"]:
        raise DataError(f"no predicate in split {split!r}", path=files[0].path)
    return Dataset.from_dict(columns, features=FEATURES)


def spans_of(examples: Dataset) -> list[list[LabelledSpan]]:
    """The gold arguments of each example: (first word, last word, role)."""
    columns = (examples[name][:] for name in ("starts", "ends", "roles"))
    return [list(zip(*row, strict=True)) for row in zip(*columns, strict=True)]


def _with_documents(loaded: Loaded) -> Loaded:
    """The world's examples with the text of each: stories, and sentences about one cast."""
    splits = {}
    for split, examples in loaded.splits.items():
        columns = {name: examples[name][:] for name in WORLD_FEATURES}
        documents = [sentence.rpartition("-")[0] for sentence in columns["sentence"]]
        splits[split] = Dataset.from_dict({**columns, "document": documents}, features=FEATURES)
    return replace(loaded, splits=splits)


def _sentences(examples: Dataset) -> list[list[int]]:
    """Row numbers of the examples of each sentence."""
    numbered = groupby(enumerate(examples["sentence"][:]), key=lambda pair: pair[1])
    return [[row for row, _ in group] for _, group in numbered]
