"""Questions of a declared task: SQuAD's JSON, or tables of a question, a text and its answers in each row.

An answer is a text; where it starts may be given, and is looked for otherwise. A question without an answer is
unanswerable, but where no question of a split has one: there they are hidden.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from datasets import Dataset

from atinuke_bench.config import Declaration, SourceConfig
from atinuke_bench.data.declared import Row, Rows, read_declared, with_dev
from atinuke_bench.data.records import Fields, Numbered, read_table
from atinuke_bench.data.sources import Loaded
from atinuke_bench.data.text import read_text
from atinuke_bench.errors import DataError
from atinuke_bench.tasks.squad.data import FEATURES, SquadData
from atinuke_bench.tasks.squad.files import COLUMN_NAMES, read_squad, repair_answers
from atinuke_bench.tasks.squad.model import SquadOptions

#: What a declaration may name; `unit` is what questions share that depend on each other, the text when not given.
FIELDS = ("question", "context", "answers", "answer", "starts", "answer_start", "start", "id", "title", "unit")


class SpanOptions(SquadOptions):
    """Windows, features and decoding, and whether questions may have no answer: as in train when not given."""

    unanswerable: bool | None = None


@dataclass(frozen=True)
class SpanData(SquadData):
    """The questions of a declared task, of version "1.1" once train is known to have no unanswerable ones."""

    options_class: type[SquadOptions] = SpanOptions
    declaration: Declaration | None = None

    def load(self, source: SourceConfig, options: SpanOptions) -> Loaded:
        assert self.declaration is not None, "a declared task has a declaration"
        fields, own = Fields(self.declaration.fields, FIELDS), Fields({}, FIELDS)

        def make(record: dict[Any, Any]) -> Row:
            return _question(record, own if tuple(record) == COLUMN_NAMES else fields)

        reader = partial(read_questions, header=fields.has_header, quotes=self.declaration.quotes)
        read = read_declared(self.declaration, source, make, read=reader)
        allowed = options.unanswerable
        if allowed is None:
            allowed = (
                any(not row["answers"]["text"] for row in read.splits["train"].rows) if "train" in read.splits else True
            )
        for split, rows in read.splits.items():
            _require_answers(split, rows, allowed)
        splits, notes = {}, []
        for split, rows in read.splits.items():
            columns = {name: [row[name] for row in rows.rows] for name in COLUMN_NAMES}
            columns, report = repair_answers(columns, training=split == "train")
            splits[split] = Dataset.from_dict(columns, features=FEATURES)
            notes += [f"{split}: {note}" for note in report.notes()]
        splits, cut = with_dev(splits, "title")
        return read.loaded(splits, (*notes, *cut))

    def resolve_options(self, options: SpanOptions, loaded: Loaded) -> SpanOptions:
        if options.unanswerable is not None:
            return options
        unanswerable = any(not answers["text"] for answers in loaded.splits["train"]["answers"])
        return options.model_copy(update={"unanswerable": unanswerable})

    def labelled(self, examples: Dataset) -> Dataset:
        """All questions where any has an answer: without one, a question of an annotated split is right as it is."""
        return examples if any(answers["text"] for answers in examples["answers"]) else examples.select(())


def read_questions(path: Path, *, header: bool, quotes: bool) -> Iterator[Numbered]:
    """The questions of SQuAD's JSON by number, else the rows of a table."""
    if path.name.removesuffix(".gz").endswith(".json") and read_text(path).lstrip().startswith("{"):
        columns = read_squad(path, unanswerable=True, needs_answers=False)
        rows = zip(*(columns[name] for name in COLUMN_NAMES), strict=True)
        yield from enumerate((dict(zip(COLUMN_NAMES, row, strict=True)) for row in rows), start=1)
    else:
        yield from read_table(path, header=header, quotes=quotes)


def _question(record: Mapping[Any, Any], fields: Fields) -> Row:
    """An example of a row; DataError with the field."""
    record = dict(record)
    question, context = (fields.text(record, name) for name in ("question", "context"))
    for name, text in (("question", question), ("context", context)):
        if not text.strip():
            raise DataError("is empty", field=str(fields.named.get(name, name)))
    unit = next((name for name in ("unit", "title") if fields.has(record, name)), None)
    row: Row = {
        "title": (fields.label(record, unit) or context) if unit else context,
        "context": context,
        "question": question,
        "answers": _answers(record, fields, context),
    }
    return {"id": fields.label(record, "id") or "", **row} if fields.has(record, "id") else row


def _answers(record: dict[Any, Any], fields: Fields, context: str) -> dict[str, list[Any]]:
    """The answers of a row: a text or several, alone or as SQuAD's objects; DataError with the field."""
    name = next((name for name in ("answers", "answer") if fields.has(record, name)), None)
    if name is None:
        return {"text": [], "answer_start": []}
    column, given = str(fields.named.get(name, name)), fields.value(record, name)
    if isinstance(given, Mapping):  # lists of texts and of starts, as on the Hub
        given = [{"text": text, "answer_start": start} for text, start in _pairs(given, column)]
    texts, starts = [], []
    places = _starts(record, fields)
    listed = given if isinstance(given, list) else [given] if given not in (None, "") else []
    for number, answer in enumerate(listed):
        text = answer.get("text") if isinstance(answer, Mapping) else answer
        if not isinstance(text, str) or not text.strip():
            raise DataError(f"an answer is a text; found {text!r:.60}", field=column)
        start = answer.get("answer_start") if isinstance(answer, Mapping) else places[number : number + 1] or None
        start = start[0] if isinstance(start, list) else start
        if start is None:
            start = max(context.find(text), 0)
        if not isinstance(start, int) or isinstance(start, bool) or not 0 <= start < len(context):
            problem = f"an answer starts at a character of its text, 0 to {len(context) - 1}; found {start!r:.40}"
            raise DataError(problem, field=column)
        texts.append(text)
        starts.append(start)
    return {"text": texts, "answer_start": starts}


def _pairs(given: Mapping[str, Any], column: str) -> list[tuple[Any, Any]]:
    texts, starts = given.get("text"), given.get("answer_start")
    if isinstance(texts, list) and isinstance(starts, list) and len(texts) == len(starts):
        return list(zip(texts, starts, strict=True))
    raise DataError("answers are a text, a list of texts, or lists text and answer_start of one length", field=column)


def _starts(record: dict[Any, Any], fields: Fields) -> list[Any]:
    """Where the answers of a row start, as far as it says so; tables of text have numbers as text."""
    name = next((name for name in ("starts", "answer_start", "start") if fields.has(record, name)), None)
    given = None if name is None else fields.value(record, name)
    listed = given if isinstance(given, list) else [] if given in (None, "") else [given]
    return [int(start) if isinstance(start, str) and start.isdecimal() else start for start in listed]


def _require_answers(split: str, rows: Rows, allowed: bool) -> None:
    """DataError where a question has no answer though there are to be none such, or train has no answer at all."""
    empty = next((number for number, row in enumerate(rows.rows) if not row["answers"]["text"]), None)
    has_any = any(row["answers"]["text"] for row in rows.rows)
    if split == "train" and not has_any:
        raise rows.refuse(0, "no question of train has an answer; `fields` says how the data calls `answers`")
    if empty is not None and has_any and not allowed:
        hint = "options.unanswerable is false" if split == "train" else "no question of train is so"
        raise rows.refuse(empty, f"a question without an answer, and {hint}; nearest: options.unanswerable=true")
