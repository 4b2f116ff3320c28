"""Official SQuAD files, good and bad, and the repair of misplaced answers."""

import copy
import gzip
import json
from typing import Any

import pytest

from atinuke_bench.errors import DataError
from atinuke_bench.tasks.squad.files import (
    RepairReport,
    read_null_odds,
    read_predictions,
    read_squad,
    references,
    repair_answers,
    squad_from_rows,
    write_null_odds,
    write_predictions,
)
from atinuke_bench.tasks.squad.task import SQUAD_V1, SQUAD_V2

CONTEXT = "Ada\tLovelace  was born in 1815."

GOOD: dict[str, Any] = {
    "version": "1.1",
    "data": [
        {
            "title": "Ada",
            "paragraphs": [
                {
                    "context": CONTEXT,
                    "qas": [
                        {"id": "q1", "question": " When? ", "answers": [{"text": "1815", "answer_start": 26}]},
                        {"id": "q2", "question": "Who?", "answers": [{"text": "Ada\tLovelace", "answer_start": 0}]},
                    ],
                }
            ],
        }
    ],
}


def write(folder, content, name="squad.json"):
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def changed(edit):
    data = copy.deepcopy(GOOD)
    paragraph = data["data"][0]["paragraphs"][0]
    edit(data, paragraph, paragraph["qas"][1])
    return data


def test_columns_keep_the_text_exactly(tmp_path):
    columns = read_squad(write(tmp_path, GOOD), unanswerable=False)
    assert columns == {
        "id": ["q1", "q2"],
        "title": ["Ada", "Ada"],
        "context": [CONTEXT, CONTEXT],
        "question": [" When? ", "Who?"],
        "answers": [
            {"text": ["1815"], "answer_start": [26]},
            {"text": ["Ada\tLovelace"], "answer_start": [0]},
        ],
    }
    assert references(columns) == {"q1": ["1815"], "q2": ["Ada\tLovelace"]}


def test_gzip_reads_the_same(tmp_path):
    plain = write(tmp_path, GOOD)
    packed = tmp_path / "squad.json.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert read_squad(packed, unanswerable=False) == read_squad(plain, unanswerable=False)


def test_plausible_answers_are_not_answers(tmp_path):
    def edit(data, paragraph, question):
        question.update(is_impossible=True, answers=[], plausible_answers=[{"text": "Ada", "answer_start": 0}])

    columns = read_squad(write(tmp_path, changed(edit)), unanswerable=True)
    assert columns["answers"][1] == {"text": [], "answer_start": []}


WHERE = r"article 1 \('Ada'\), paragraph 1, question 2"

BAD = {
    "version 2": (
        lambda data, paragraph, question: data.update(version="v2.0"),
        r"top level: version 'v2.0' holds unanswerable questions; use task squad-v2\.0",
    ),
    "impossible": (
        lambda data, paragraph, question: question.update(is_impossible=True, answers=[]),
        WHERE + r" \(id 'q2'\): is_impossible is true; use task squad-v2\.0",
    ),
    "no answers": (
        lambda data, paragraph, question: question.update(answers=[]),
        WHERE + r" \(id 'q2'\): no answer, .* use task squad-v2\.0",
    ),
    "missing id": (
        lambda data, paragraph, question: question.pop("id"),
        WHERE + ": id must be a non-empty string, it is missing",
    ),
    "numeric id": (
        lambda data, paragraph, question: question.update(id=7),
        WHERE + ": id must be a non-empty string, found 7",
    ),
    "duplicate id": (
        lambda data, paragraph, question: question.update(id="q1"),
        WHERE + r" \(id 'q1'\): duplicate id, first at article 1 \('Ada'\), paragraph 1, question 1",
    ),
    "start past the end": (
        lambda data, paragraph, question: question["answers"][0].update(answer_start=31),
        WHERE + r" \(id 'q2'\), answer 1: answer_start 31 is out of range; the context has 31 characters",
    ),
    "negative start": (
        lambda data, paragraph, question: question["answers"][0].update(answer_start=-1),
        r"answer_start -1 is out of range",
    ),
    "start not a number": (
        lambda data, paragraph, question: question["answers"][0].update(answer_start="0"),
        r"answer_start must be an integer, found '0'",
    ),
    "answer not an object": (
        lambda data, paragraph, question: question.update(answers=["Ada"]),
        r"answer 1: not SQuAD: an answer must be an object, found a string",
    ),
    "empty answer": (
        lambda data, paragraph, question: question["answers"][0].update(text=""),
        r"answer 1: text is empty",
    ),
    "empty context": (
        lambda data, paragraph, question: paragraph.update(context=" \n"),
        r"article 1 \('Ada'\), paragraph 1: context is empty",
    ),
    "empty question": (
        lambda data, paragraph, question: question.update(question=""),
        WHERE + r" \(id 'q2'\): question is empty",
    ),
    "missing question": (
        lambda data, paragraph, question: question.pop("question"),
        r"question must be a string, it is missing",
    ),
    "half a surrogate pair": (
        lambda data, paragraph, question: question.update(question="Who \ud83d?"),
        r"question holds an unpaired surrogate at character 4",
    ),
    "half a surrogate pair in an id": (
        lambda data, paragraph, question: question.update(id="q\ud83d"),
        r"question 2: id holds an unpaired surrogate at character 1",
    ),
    "half a surrogate pair in a title": (
        lambda data, paragraph, question: data["data"][0].update(title="\udc00"),
        r"article 1: title holds an unpaired surrogate at character 0",
    ),
    "no qas": (
        lambda data, paragraph, question: paragraph.pop("qas"),
        r"paragraph 1: not SQuAD: qas must be a list, it is missing",
    ),
    "question not an object": (
        lambda data, paragraph, question: paragraph.update(qas=[None]),
        r"question 1: not SQuAD: a question must be an object, found null",
    ),
    "article not an object": (
        lambda data, paragraph, question: data.update(data=[[]]),
        r"article 1: not SQuAD: must be an object with paragraphs, found a list",
    ),
    "no article": (lambda data, paragraph, question: data.update(data=[]), r"top level: no question in any article"),
    "title": (
        lambda data, paragraph, question: data["data"][0].update(title=3),
        r"article 1: title must be a string, found a number",
    ),
}


@pytest.mark.parametrize(("edit", "message"), BAD.values(), ids=BAD)
def test_bad_input_names_its_place(tmp_path, edit, message):
    path = write(tmp_path, changed(edit))
    with pytest.raises(DataError, match=message) as caught:
        read_squad(path, unanswerable=False)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"squad\.json:1: not JSON"),
        ("[]", r"top level: not SQuAD: must be an object with data, found a list"),
        ('{"rows": []}', r"data must be a list, it is missing"),
        ("[" * 100_000, r"nested too deeply"),
    ],
)
def test_json_that_is_not_squad(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read_squad(write(tmp_path, text), unanswerable=True)


def test_impossible_with_answers_is_a_contradiction(tmp_path):
    path = write(tmp_path, changed(lambda data, paragraph, question: question.update(is_impossible=True)))
    with pytest.raises(DataError, match="is_impossible is true but 1 answers are given"):
        read_squad(path, unanswerable=True)


def test_hub_rows_give_the_same_columns(tmp_path):
    columns = read_squad(write(tmp_path, GOOD), unanswerable=False)
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    assert squad_from_rows(rows, unanswerable=False) == columns


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"id": ""}, "hub: row 1: id must be a non-empty string"),
        ({"answers": []}, r"row 1 \(id 'q'\): answers must hold the lists text and answer_start"),
        ({"answers": {"text": ["Ada"], "answer_start": []}}, "1 answer texts but 0 answer_start"),
        ({"answers": {"text": [], "answer_start": []}}, r"use task squad-v2\.0"),
    ],
)
def test_bad_hub_rows(edit, message):
    row: dict[str, Any] = {"id": "q", "title": "", "context": CONTEXT, "question": "Who?"}
    row["answers"] = {"text": ["Ada"], "answer_start": [0]}
    with pytest.raises(DataError, match=message):
        squad_from_rows([row | edit], unanswerable=False, name="hub")


def columns_of(context, *answers):
    texts, starts = zip(*answers, strict=True)
    answer = {"text": list(texts), "answer_start": list(starts)}
    return {"id": ["q"], "title": [""], "context": [context], "question": ["?"], "answers": [answer]}


def test_repair_moves_an_answer_to_its_only_occurrence_nearby():
    fixed, report = repair_answers(columns_of("x" * 10 + "Ada" + "x" * 90 + "Ada", ("Ada", 12)), training=True)
    assert fixed["answers"] == [{"text": ["Ada"], "answer_start": [10]}]
    assert report == RepairReport(repaired_ids=("q",))
    assert report.notes() == ("1 answers were not at their answer_start, which was moved to their text",)


@pytest.mark.parametrize("context", ["Ada and Ada.", "x" * 80 + "Ada", "nobody here"])
def test_an_answer_that_stays_misplaced_leaves_training_only(context):
    columns = columns_of(context, ("Ada", 2))
    fixed, report = repair_answers(columns, training=True)
    assert fixed["id"] == []
    assert report == RepairReport(dropped_ids=("q",), removed_ids=("q",))
    assert repair_answers(columns, training=False) == (columns, RepairReport())


def test_a_question_keeps_the_answers_that_fit():
    fixed, report = repair_answers(columns_of("Ada Lovelace", ("Bob", 0), ("Ada", 0)), training=True)
    assert fixed["answers"] == [{"text": ["Ada"], "answer_start": [0]}]
    assert report == RepairReport(dropped_ids=("q",))
    assert "1 answers are not at their answer_start and were dropped, and with them 0 questions" in report.notes()[0]


def test_unanswerable_questions_stay_in_training():
    columns = columns_of("Ada", ("Ada", 0)) | {"answers": [{"text": [], "answer_start": []}]}
    assert repair_answers(columns, training=True) == (columns, RepairReport())


def test_predictions_and_odds_come_back_as_written(tmp_path):
    predictions = {"q1": 'a "quoted" \u00e9\n\U0001f469', "q2": ""}
    write_predictions(tmp_path / "predictions.json", predictions)
    assert read_predictions(tmp_path / "predictions.json") == predictions
    assert json.loads((tmp_path / "predictions.json").read_text(encoding="ascii")) == predictions
    write_null_odds(tmp_path / "null_odds.json", {"q1": -1.25, "q2": 1})
    assert read_null_odds(tmp_path / "null_odds.json") == {"q1": -1.25, "q2": 1.0}
    with pytest.raises(ValueError, match="JSON compliant"):
        write_null_odds(tmp_path / "null_odds.json", {"q1": float("nan")})


@pytest.mark.parametrize(
    ("read", "content", "message"),
    [
        (read_predictions, [], "must be one JSON object from question id to an answer text, found a list"),
        (read_predictions, {"q1": None}, "question 'q1': must be an answer text, found None"),
        (read_null_odds, {"q1": "0.5"}, "question 'q1': must be a finite number, found '0.5'"),
        (read_null_odds, {"q1": float("nan")}, "NaN is no number in JSON"),
        (read_null_odds, {"q1": 10**400}, "a number of 401 digits"),
        (read_null_odds, {"q1": -(10**309)}, "a number of 311 digits"),
        (read_null_odds, {"q1": True}, "question 'q1': must be a finite number, found True"),
    ],
)
def test_bad_predictions_and_odds(tmp_path, read, content, message):
    with pytest.raises(DataError, match=message):
        read(write(tmp_path, content))


def test_a_question_without_prediction_is_named_in_v2_and_wrong_in_v1(squad, tmp_path, caplog):
    (tmp_path / "none.json").write_text("{}")
    for version in ("1.1", "2.0"):
        gold = squad / f"squad/v{version}/dev-v{version}.json"
        if version == "2.0":
            with pytest.raises(DataError, match="24 of 24 questions have no prediction, first 'dev-0-0-0'"):
                SQUAD_V2.require("files").score(gold, tmp_path / "none.json")
        else:
            assert SQUAD_V1.require("files").score(gold, tmp_path / "none.json") == {"exact_match": 0.0, "f1": 0.0}
            assert "24 of 24 questions have no prediction" in caplog.text
