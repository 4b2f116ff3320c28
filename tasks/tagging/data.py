"""Where tagged sentences come from, and how they become rows of a core."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset, Features, List, Value
from tokenizers import Tokenizer

from atinuke_bench.config import Declaration, RunConfig, SourceConfig
from atinuke_bench.data.declared import Row, Rows, read_declared, with_dev
from atinuke_bench.data.features import Encoded, Ragged
from atinuke_bench.data.inputs import as_words
from atinuke_bench.data.records import Fields, Numbered, read_table
from atinuke_bench.data.sources import Loaded
from atinuke_bench.data.tokenizer import PAD_ID, encode_words, special_tokens, unique_texts
from atinuke_bench.errors import ConfigError, DataError, nearest
from atinuke_bench.tasks.tagging.columns import Columns, read_columns
from atinuke_bench.tasks.tagging.metric import SEQEVAL_F1
from atinuke_bench.tasks.tagging.model import TaggingOptions, tagset_of
from atinuke_bench.tasks.tagging.rows import rows_of
from atinuke_bench.tasks.tagging.schemes import PLAIN, is_chunk_tag
from atinuke_bench.tasks.tagging.tagset import IGNORED, TagSet
from atinuke_bench.training.task import TaskData

log = logging.getLogger(__name__)

FEATURES = Features(
    {
        "id": Value("string"),
        "document": Value("string"),  # empty where the file tells none apart
        "group": Value("string"),  # the document, or else the sentence
        "words": List(Value("string")),
        "tags": List(Value("string")),  # none where they are hidden
        "seen": List(Value("bool")),  # whether the train split has the word
    }
)
#: What a column has where a word's tag is not given.
_HIDDEN = frozenset({"_", "", None})
_TABLES = (".json", ".jsonl", ".parquet", ".csv")


@dataclass(frozen=True)
class TaggingData(TaskData):
    """An example is one sentence."""

    declaration: Declaration

    @property
    def example_columns(self) -> tuple[str, ...]:
        return ("words",)

    @property
    def columns(self) -> Columns:
        """Where files of CoNLL columns have words and tags."""
        words, tags = (self._column(field) for field in ("words", "tags"))
        return Columns(words, tags)

    def _column(self, field: str) -> str | int | None:
        column = self.declaration.fields.get(field)
        if isinstance(column, list):
            raise ConfigError(f"fields.{field}: is one column; found several")
        return column

    def load(self, source: SourceConfig, options: TaggingOptions) -> Loaded:
        fields = Fields(self.declaration.fields, ("words", "tags", "document", "id"))
        read = read_declared(self.declaration, source, lambda record: self._row(fields, record), read=self._records)
        train = read.splits.get("train") or next(iter(read.splits.values()))
        tagset = self._tagset(options, train)
        notes = [note for split, rows in read.splits.items() for note in _unknown_tags(split, rows, tagset)]
        words = {word for row in train.rows for word in row["words"]}
        splits, note = with_dev({split: _dataset(rows, words) for split, rows in read.splits.items()}, "group")
        return read.loaded(splits, (*notes, *note))

    def resolve_options(self, options: TaggingOptions, loaded: Loaded) -> TaggingOptions:
        tagset = self._complete(options, loaded.splits["train"]["tags"][:])
        return options.model_copy(update={"scheme": tagset.scheme, "labels": tagset.labels})

    def labelled(self, examples: Dataset) -> Dataset:
        known = np.array([len(tags) > 0 for tags in examples["tags"][:]], dtype=bool)
        return examples if known.all() else examples.select(np.flatnonzero(known))

    def gold(self, examples: Dataset) -> Sequence[list[str]]:
        return examples["tags"][:]

    def texts(self, examples: Dataset) -> Sequence[str]:
        return list(unique_texts([[" ".join(words) for words in examples["words"][:]]]))

    def rows(self, examples: Dataset, tokenizer: Tokenizer, run: RunConfig) -> Encoded:
        sentences, tags = examples["words"][:], examples["tags"][:]
        pieces = encode_words(tokenizer, (word for words in sentences for word in words))
        specials = special_tokens(tokenizer)
        targets = iter(tagset_of(run).encode(tags).tolist())
        rows, example_index = [], []
        for number, (words, own) in enumerate(zip(sentences, tags, strict=True)):
            learned = [next(targets) for _ in own] or [IGNORED] * len(words)
            found = rows_of([pieces[word] for word in words], learned, run.training.max_length, specials)
            rows += found
            example_index += [number] * len(found)
        log.info("%d sentences make %d rows", len(examples), len(rows))
        places = {
            "first_word": [row.first_word for row in rows],
            "own_begin": [row.own[0] for row in rows],
            "own_end": [row.own[1] for row in rows],
        }
        return Encoded(
            {
                "input_ids": Ragged.from_rows((row.input_ids for row in rows), padding=PAD_ID),
                "word": Ragged.from_rows((row.word for row in rows), padding=-1),
                "targets": Ragged.from_rows((row.targets for row in rows), padding=IGNORED),
            },
            np.array(example_index, dtype=np.int64),
            {name: np.array(column, dtype=np.int64) for name, column in places.items()},
        )

    def _records(self, path: Path) -> Iterator[Numbered]:
        is_table = path.name.removesuffix(".gz").lower().endswith(_TABLES)
        return read_table(path) if is_table else read_columns(path, self.columns)

    def _row(self, fields: Fields, record: dict[Any, Any]) -> Row:
        """A sentence as a file has it; DataError."""
        if "lines" in record:
            words, tags, document = record["words"], record["tags"], record["document"]
        else:
            words = as_words(fields.value(record, "words"), str(fields.named.get("words", "words")))
            tags = fields.value(record, "tags") if fields.has(record, "tags") else None
            document = fields.label(record, "document") if "document" in fields.named else None
        row: Row = {"words": words, "tags": self._tags(tags, str(fields.named.get("tags", "tags")))}
        if row["tags"] and len(row["tags"]) != len(words):
            raise DataError(f"each word has one tag; found {len(row['tags'])} for {len(words)} words", field="tags")
        if "id" in fields.named:
            row["id"] = fields.label(record, "id") or ""
        return {**row, "document": document or "", "lines": record.get("lines", ())}

    def _tags(self, value: Any, field: str) -> list[str]:
        """The tags of a sentence as texts; none where all are hidden."""
        tags = value.split() if isinstance(value, str) else value
        if tags is None or (isinstance(tags, list) and all(tag in _HIDDEN for tag in tags)):
            return []
        labels = self.declaration.labels
        if isinstance(tags, list) and labels and all(type(tag) is int and 0 <= tag < len(labels) for tag in tags):
            return [labels[int(tag)] for tag in tags]
        if not isinstance(tags, list) or not all(isinstance(tag, str) and tag for tag in tags):
            rule = "tags are a list of texts, or one text with spaces; numbers are those of `labels`, from 0"
            raise DataError(f"{rule}; found {str(value)[:60]!r}", field=field)
        return tags

    def _complete(self, options: TaggingOptions, tags: Sequence[Sequence[str]]) -> TagSet:
        """The tags of a run: what its options and the declaration name, and else what the train split has."""
        found = TagSet.of(tags)
        scheme = options.scheme or found.scheme
        if scheme == PLAIN != found.scheme:
            found = TagSet(PLAIN, tuple(sorted({tag for own in tags for tag in own})))
        listed = options.labels or TagSet.listed(scheme, self.declaration.labels or ())
        return TagSet(scheme, listed or found.labels)

    def _tagset(self, options: TaggingOptions, train: Rows) -> TagSet:
        """As `_complete`; DataError where F1 of chunks is asked for and a tag names none."""
        tagset = self._complete(options, [row["tags"] for row in train.rows])
        if self.declaration.metric == SEQEVAL_F1.name and (tagset.is_plain or not tagset.labels):
            for number, row in enumerate(train.rows):
                for place, tag in enumerate(row["tags"]):
                    if not is_chunk_tag(tag):
                        problem = f"metric {SEQEVAL_F1.name} needs tags such as 'B-PER', 'I-PER' and 'O'; found {tag!r}"
                        raise _error_at(train, number, place, f"{problem}; nearest: metric accuracy")
            problem = "needs tags of one scheme (IOB1, IOB2, BIOES, BILOU or BMES) that name chunks; found none"
            raise train.refuse(0, f"metric {SEQEVAL_F1.name} {problem}", "tags")
        return tagset


def _unknown_tags(split: str, rows: Rows, tagset: TagSet) -> Iterator[str]:
    """A note of tags that cannot be given since train lacks them; DataError for a type of chunk, or a chunk's tag."""
    unknown: Counter[str] = Counter()
    for number, row in enumerate(rows.rows):
        for place, tag in enumerate(row["tags"]):
            if tagset.has(tag):
                continue
            if not tagset.is_plain:
                near = nearest(tag.partition("-")[2], tagset.labels)
                hint = f"nearest: {near!r}" if near else f"it has {', '.join(tagset.labels)[:200]}"
                problem = f"a tag is 'O' or of a type that train has, or that `labels` lists; found {tag!r:.60}; {hint}"
                raise _error_at(rows, number, place, problem)
            unknown[tag] += 1
    if unknown:
        tags = ", ".join(tag for tag, _ in unknown.most_common(5))
        yield f"{split}: {unknown.total():,} words have one of {len(unknown):,} tags that train lacks ({tags})"


def _error_at(rows: Rows, number: int, place: int, problem: str) -> DataError:
    """The error of one word."""
    path, line = rows.places[number]
    lines = rows.rows[number]["lines"]
    return DataError(problem, path=path, line=lines[place] if lines else line, field="tags")


def _dataset(rows: Rows, words: set[str]) -> Dataset:
    columns: dict[str, list[Any]] = {
        name: [row[name] for row in rows.rows] for name in FEATURES if name not in ("group", "seen")
    }
    columns["group"] = [row["document"] or row["id"] for row in rows.rows]
    columns["seen"] = [[word in words for word in row["words"]] for row in rows.rows]
    return Dataset.from_dict({name: columns[name] for name in FEATURES}, features=FEATURES)
