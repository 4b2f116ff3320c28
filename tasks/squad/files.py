"""SQuAD v1.1 and v2.0: the official JSON, rows of the Hub, predictions and null odds.

Everything becomes the same columns, one entry per question, in file order:

    id, title, context, question    list[str], text exactly as in the file
    answers                         list[{"text": list[str], "answer_start": list[int]}], empty when unanswerable

`answer_start` counts characters (code points) of the context. `plausible_answers` of v2.0 are not answers and are
ignored. Source: the files of Rajpurkar et al. 2016 (v1.1) and Rajpurkar, Jia, Liang 2018 (v2.0).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from datasets import Dataset

from atinuke_bench.config import RunConfig, is_finite_number
from atinuke_bench.data.text import find_copies, read_text, require_file
from atinuke_bench.errors import DataError
from atinuke_bench.files import parse_json
from atinuke_bench.tasks.squad.metric import SquadAnswer
from atinuke_bench.tasks.squad.scores import missing_ids, squad_v1, squad_v2
from atinuke_bench.training.capabilities import OfficialFiles

log = logging.getLogger(__name__)

Columns = dict[str, list[Any]]

COLUMN_NAMES = ("id", "title", "context", "question", "answers")

#: How far (in characters) from its stated start a misplaced answer is looked for.
NEARBY = 64


@dataclass(frozen=True)
class RepairReport:
    """What `repair_answers` did: one id per answer moved or dropped, and per question removed altogether."""

    repaired_ids: tuple[str, ...] = ()
    dropped_ids: tuple[str, ...] = ()
    removed_ids: tuple[str, ...] = ()

    def notes(self) -> tuple[str, ...]:
        """What a run says about its data."""
        notes = []
        if self.repaired_ids:
            notes.append(
                f"{len(self.repaired_ids)} answers were not at their answer_start, which was moved to their text"
            )
        if self.dropped_ids:
            notes.append(
                f"{len(self.dropped_ids)} answers are not at their answer_start and were dropped, "
                f"and with them {len(self.removed_ids)} questions; first: {self.dropped_ids[0]!r}"
            )
        return tuple(notes)


class _Place(NamedTuple):
    """Where in the input a record is, for messages."""

    path: str | Path | None
    field: str

    def fail(self, problem: str) -> DataError:
        return DataError(problem, path=self.path, field=self.field)

    def within(self, part: str) -> _Place:
        return _Place(self.path, f"{self.field}, {part}")


class SquadFiles(OfficialFiles):
    """`predictions.json` and, from answers with odds (v2.0), `null_odds.json` and `best_spans.json`.

    `predictions.json` holds the final answers. `best_spans.json` holds the best span of every question, also of those
    left unanswered: the official script finds the `best_` figures of a result from it and the odds.
    """

    def __init__(self, *, unanswerable: bool) -> None:
        self.unanswerable = unanswerable
        self.score_options = ("null_odds",) if unanswerable else ()

    def write(
        self, folder: Path, split: str, examples: Dataset, predictions: Mapping[str, SquadAnswer], run: RunConfig
    ) -> None:
        write_predictions(folder / "predictions.json", {id_: answer.text for id_, answer in predictions.items()})
        odds = {id_: answer.null_odds for id_, answer in predictions.items() if answer.null_odds is not None}
        if odds:
            write_null_odds(folder / "null_odds.json", odds)
            write_predictions(folder / "best_spans.json", {id_: predictions[id_].best_text for id_ in odds})

    def score(self, gold: Path, predictions: Path, null_odds: Path | None = None) -> dict[str, Any]:
        truth = references(read_squad(gold, unanswerable=self.unanswerable))
        answers = read_predictions(predictions)
        if self.unanswerable:
            return squad_v2(truth, answers, None if null_odds is None else read_null_odds(null_odds))
        if unanswered := missing_ids(truth, answers):
            log.warning(
                "%d of %d questions have no prediction and count as wrong, first %r",
                len(unanswered),
                len(truth),
                unanswered[0],
            )
        return squad_v1(truth, answers)


def require_squad_file(data_dir: str | Path, split: str, version: str) -> Path:
    """The official file of a split (train or dev) of version "1.1" or "2.0" under `data_dir`, plain or `.gz`.

    It is looked for in `squad/v<version>`, `v<version>` and the folder itself. When only the other version's file is
    there, the DataError names the task for it.
    """
    folder, other = Path(data_dir), {"1.1": "2.0", "2.0": "1.1"}[version]
    if found := find_squad_files(folder, split, version):
        return found[0]
    if wrong := find_squad_files(folder, split, other):
        problem = f"no {split}-v{version}.json, but {wrong[0].name}; use task squad-v{other}"
        raise DataError(problem, path=wrong[0].parent)
    return require_file(folder / "squad" / f"v{version}", f"{split}-v{version}.json")


def find_squad_files(data_dir: Path, split: str, version: str) -> list[Path]:
    """The official files of a split of a version, plain or `.gz`, best first."""
    places = (data_dir / "squad" / f"v{version}", data_dir / f"v{version}", data_dir)
    return find_copies(places, [f"{split}-v{version}.json"])


def read_squad(path: str | Path, *, unanswerable: bool, needs_answers: bool = True) -> Columns:
    """The columns (see the module) of an official SQuAD JSON file, plain or gzipped.

    `unanswerable` says whether questions without an answer are part of the task: true for v2.0 (which also reads
    v1.1 files), false for v1.1 (which refuses v2.0 files). Where no question has an answer nor says `is_impossible`,
    they are hidden, which is refused if it `needs_answers`. Raises DataError naming article, paragraph and question.
    """
    data = _load_json(path)
    top = _Place(path, "top level")
    articles = _entries(data, "data", top)
    version = data.get("version")
    if not unanswerable and str(version).lower().lstrip("v").startswith("2"):
        raise top.fail(f"version {version!r} holds unanswerable questions; use task squad-v2.0")
    columns: Columns = {name: [] for name in COLUMN_NAMES}
    seen: dict[str, str] = {}
    for number, article in enumerate(articles, start=1):
        _read_article(article, _Place(path, f"article {number}"), unanswerable, columns, seen)
    if not columns["id"]:
        raise top.fail("no question in any article")
    if needs_answers and not any(
        question["answers"] or question.get("is_impossible")
        for article in articles
        for paragraph in article["paragraphs"]
        for question in paragraph["qas"]
    ):
        raise top.fail("no question has an answer or says is_impossible; nothing can be learned or scored here")
    return columns


def squad_from_rows(rows: Iterable[Mapping[str, Any]], *, unanswerable: bool, name: str = "rows") -> Columns:
    """The same columns from rows of the Hub data sets `rajpurkar/squad` and `rajpurkar/squad_v2`, with the same checks.

    `name` takes the place of a file's path in messages.

    >>> row = {"id": "q1", "title": "T", "context": "In 1999.", "question": "When?",
    ...        "answers": {"text": ["1999"], "answer_start": [3]}}
    >>> squad_from_rows([row], unanswerable=False)["answers"]
    [{'text': ['1999'], 'answer_start': [3]}]
    """
    columns: Columns = {column: [] for column in COLUMN_NAMES}
    seen: dict[str, str] = {}
    for number, row in enumerate(rows, start=1):
        place = _Place(name, f"row {number}")
        question_id, place = _question_id(row, place, seen)
        answers = row.get("answers")
        if not isinstance(answers, Mapping) or {"text", "answer_start"} - answers.keys():
            raise place.fail("answers must hold the lists text and answer_start")
        texts, starts = list(answers["text"]), list(answers["answer_start"])
        if len(texts) != len(starts):
            raise place.fail(f"{len(texts)} answer texts but {len(starts)} answer_start")
        context = _require_text(row, "context", place)
        pairs = [{"text": text, "answer_start": start} for text, start in zip(texts, starts, strict=True)]
        record = (question_id, _title(row, place), context, _require_text(row, "question", place))
        _append(columns, *record, _answers(pairs, context, unanswerable, place))
    return columns


def repair_answers(columns: Columns, *, training: bool) -> tuple[Columns, RepairReport]:
    """Columns whose answers are where `answer_start` says, and a report of what was changed.

    A misplaced answer moves when its exact text starts exactly once within `NEARBY` (64) characters of the stated
    start. Otherwise, in training, it is dropped, and a question that loses all its answers is removed (left in, it
    would count as unanswerable). In evaluation nothing is ever dropped: scores do not use `answer_start`.

    >>> columns = {"id": ["q1"], "title": ["T"], "context": ["In late 1999."], "question": ["When?"],
    ...            "answers": [{"text": ["1999"], "answer_start": [5]}]}
    >>> fixed, report = repair_answers(columns, training=True)
    >>> fixed["answers"], report.repaired_ids
    ([{'text': ['1999'], 'answer_start': [8]}], ('q1',))
    """
    repaired, dropped, removed = [], [], []
    kept: Columns = {name: [] for name in COLUMN_NAMES}
    for question_id, title, context, question, answers in zip(*(columns[name] for name in COLUMN_NAMES), strict=True):
        texts, starts = [], []
        for text, start in zip(answers["text"], answers["answer_start"], strict=True):
            found = start if context.startswith(text, start) else _nearby_start(context, text, start)
            if found is None and training:
                dropped.append(question_id)
                continue
            if found is not None and found != start:
                repaired.append(question_id)
            texts.append(text)
            starts.append(start if found is None else found)
        if answers["text"] and not texts:
            removed.append(question_id)
        else:
            _append(kept, question_id, title, context, question, {"text": texts, "answer_start": starts})
    return kept, RepairReport(tuple(repaired), tuple(dropped), tuple(removed))


def references(columns: Columns) -> dict[str, list[str]]:
    """Each question id with its answer texts, as the metrics take them."""
    return {
        question_id: answers["text"] for question_id, answers in zip(columns["id"], columns["answers"], strict=True)
    }


def read_predictions(path: str | Path) -> dict[str, str]:
    """A predictions file: one JSON object from question id to answer text, "" meaning unanswerable."""
    return _read_mapping(path, "an answer text", lambda value: isinstance(value, str))


def read_null_odds(path: str | Path) -> dict[str, float]:
    """A null_odds.json or na_prob.json file: one JSON object from question id to how likely it is unanswerable.

    Log-odds and probabilities are both accepted; a value that is not a finite number is a DataError.
    """
    return _read_mapping(path, "a finite number", is_finite_number)


def write_predictions(path: str | Path, predictions: Mapping[str, str]) -> None:
    """Write a predictions file that the official scripts accept (ASCII, so that no locale can misread it)."""
    _write_json(path, dict(predictions))


def write_null_odds(path: str | Path, null_odds: Mapping[str, float]) -> None:
    """Write a null_odds.json file that evaluate-v2.0.py accepts; ValueError for odds that are not finite."""
    _write_json(path, {question_id: float(odds) for question_id, odds in null_odds.items()})


def _write_json(path: str | Path, content: dict[str, Any]) -> None:
    Path(path).write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="ascii")


def _load_json(path: str | Path) -> Any:
    try:
        return parse_json(read_text(path))
    except json.JSONDecodeError as error:
        raise DataError(f"not JSON: {error.msg} (column {error.colno})", path=path, line=error.lineno) from error
    except ValueError as error:
        raise DataError(f"not JSON: {error}", path=path) from error


def _read_mapping(path: str | Path, what: str, is_valid: Callable[[object], bool]) -> dict[str, Any]:
    content = _load_json(path)
    if not isinstance(content, dict):
        raise DataError(f"must be one JSON object from question id to {what}, found {_kind(content)}", path=path)
    for question_id, value in content.items():
        if not is_valid(value):
            raise DataError(f"must be {what}, found {value!r:.40}", path=path, field=f"question {question_id!r}")
    return content


def _read_article(article: object, place: _Place, unanswerable: bool, columns: Columns, seen: dict[str, str]) -> None:
    title = ""
    if isinstance(article, dict):
        title = _title(article, place)
        place = _Place(place.path, f"{place.field} ({title!r})")
    for number, paragraph in enumerate(_entries(article, "paragraphs", place), start=1):
        here = place.within(f"paragraph {number}")
        questions = _entries(paragraph, "qas", here)
        context = _require_text(paragraph, "context", here)
        for position, entry in enumerate(questions, start=1):
            question_id, there = _question_id(entry, here.within(f"question {position}"), seen)
            question = _require_text(entry, "question", there)
            given = _entries(entry, "answers", there)
            if entry.get("is_impossible") and not unanswerable:
                raise there.fail("is_impossible is true; use task squad-v2.0")
            if entry.get("is_impossible") and given:
                raise there.fail(f"is_impossible is true but {len(given)} answers are given")
            answers = _answers(given, context, unanswerable, there)
            _append(columns, question_id, title, context, question, answers)


def _append(columns: Columns, *record: object) -> None:
    for name, value in zip(COLUMN_NAMES, record, strict=True):
        columns[name].append(value)


def _question_id(entry: object, place: _Place, seen: dict[str, str]) -> tuple[str, _Place]:
    """The id of a question and its place named by it; refuses an id already in `seen`, and notes it there."""
    if not isinstance(entry, Mapping):
        raise place.fail(f"not SQuAD: a question must be an object, found {_kind(entry)}")
    question_id = entry.get("id")
    if not isinstance(question_id, str) or not question_id:
        found = "it is missing" if question_id is None else f"found {question_id!r:.40}"
        raise place.fail(f"id must be a non-empty string, {found}")
    _whole(question_id, "id", place)
    where = _Place(place.path, f"{place.field} (id {question_id!r})")
    if question_id in seen:
        raise where.fail(f"duplicate id, first at {seen[question_id]}")
    seen[question_id] = place.field
    return question_id, where


def _answers(given: list[Any], context: str, unanswerable: bool, place: _Place) -> dict[str, list[Any]]:
    if not given and not unanswerable:
        raise place.fail("no answer, and squad-v1.1 has no unanswerable questions; use task squad-v2.0")
    texts, starts = [], []
    for number, answer in enumerate(given, start=1):
        here = place.within(f"answer {number}")
        if not isinstance(answer, Mapping):
            raise here.fail(f"not SQuAD: an answer must be an object, found {_kind(answer)}")
        start = answer.get("answer_start")
        if not isinstance(start, int) or isinstance(start, bool):
            raise here.fail(f"answer_start must be an integer, found {start!r:.40}")
        if not 0 <= start < len(context):
            raise here.fail(f"answer_start {start} is out of range; the context has {len(context)} characters")
        texts.append(_require_text(answer, "text", here))
        starts.append(start)
    return {"text": texts, "answer_start": starts}


def _nearby_start(context: str, text: str, start: int) -> int | None:
    """The only start of `text` within NEARBY characters of `start`; None when there is none or more than one."""
    low = max(0, start - NEARBY)
    high = start + NEARBY + len(text)
    first = context.find(text, low, high)
    if first < 0 or context.find(text, first + 1, high) >= 0:
        return None
    return first


def _entries(parent: object, name: str, place: _Place) -> list[Any]:
    if not isinstance(parent, dict):
        raise place.fail(f"not SQuAD: must be an object with {name}, found {_kind(parent)}")
    if not isinstance(parent.get(name), list):
        found = f"found {_kind(parent[name])}" if name in parent else "it is missing"
        raise place.fail(f"not SQuAD: {name} must be a list, {found}")
    return parent[name]


def _title(parent: Mapping[str, Any], place: _Place) -> str:
    title = parent.get("title", "")
    if not isinstance(title, str):
        raise place.fail(f"title must be a string, found {_kind(title)}")
    return _whole(title, "title", place)


def _require_text(parent: Mapping[str, Any], name: str, place: _Place) -> str:
    """A string that is not blank and that a tokenizer can take."""
    value = parent.get(name)
    if not isinstance(value, str):
        raise place.fail(
            f"{name} must be a string, " + (f"found {_kind(value)}" if name in parent else "it is missing")
        )
    if not value.strip():
        raise place.fail(f"{name} is empty")
    return _whole(value, name, place)


def _whole(value: str, name: str, place: _Place) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        # JSON can escape half of a surrogate pair, which no consumer of UTF-8 accepts.
        raise place.fail(f"{name} holds an unpaired surrogate at character {error.start}") from error
    return value


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
