"""`score` of a declared task: a table of its fields against a file of ids and labels."""

from __future__ import annotations

import json

import pytest

from atinuke_bench.config import find_task
from atinuke_bench.errors import DataError
from atinuke_bench.registry import load_task

GOLD = "body,stars\nfine,pos\nbad,neg\nso,neg\nunknown,\n"
DECLARED = "name: r\nkind: classification\nsplits: {train: gold.csv}\nfields: {text: body, label: stars}\n"


@pytest.fixture
def score(tmp_path):
    """`score(predictions, name=…, declared=…, gold=…)`: the figures of a predictions file."""

    def call(predictions, name="answers.jsonl", declared=DECLARED, gold=GOLD):
        for file, text in (("task.yaml", declared), ("gold.csv", gold), (name, predictions)):
            (tmp_path / file).write_text(text)
        task = load_task(*find_task(str(tmp_path / "task.yaml")))
        return task.files.score(tmp_path / "gold.csv", tmp_path / name)

    return call


def lines(answers, field="label"):
    return "".join(json.dumps({"id": key, field: answer}) + "\n" for key, answer in answers)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("answers.jsonl", lines([(0, "pos"), (1, "pos"), (2, "neg")])),
        ("answers.jsonl", lines([("test-2", "neg"), ("test-1", "pos"), ("test-0", "pos")], "prediction")),
        ("answers.tsv", "0\tpos\n1\tpos\n2\tneg\n3\tneg\n"),
        ("answers.csv", "label,id\npos,0\npos,1\nneg,2\n"),
    ],
)
def test_answers_are_joined_by_number(score, name, text):
    figures = score(text, name)
    assert figures["total"] == 3
    assert figures["accuracy"] == pytest.approx(200 / 3)


def test_answers_are_joined_by_the_declared_id(score):
    declared = DECLARED.replace("label: stars}", "label: stars, id: key}")
    gold = "key,body,stars\na-1,x,pos\nb-1,y,neg\n"
    assert score(lines([("b-1", "neg"), ("a-1", "pos")]), declared=declared, gold=gold)["accuracy"] == 100


def test_scores_may_be_negative(score):
    declared = DECLARED.replace("classification", "regression")
    gold = "body,stars\na,-1\nb,0.5\nc,2\n"
    figures = score("0\t-3\n1\t0\n2\t1\n", "answers.tsv", declared, gold)
    assert figures["total"] == 3
    assert figures["spearman"] == pytest.approx(100)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (lines([(0, "pos"), (1, "neg")]), "without one: '2'"),
        (lines([(0, "pos"), (1, "neg"), (2, "neg"), (7, "neg")]), "unknown: '7'"),
        (lines([(0, "pos"), (0, "neg")]), "answers.jsonl:2: an id is of one example; found '0' twice"),
        (lines([(0, None)]), "answers.jsonl:1: every example needs an answer"),
        (json.dumps({"id": 1, "answer": "pos"}), "answers.jsonl:1: an answer has id and label; found id, answer"),
        (lines([(0, [1])]), r"answers.jsonl:1: label: a label is a text or a whole number; found \[1\]"),
    ],
)
def test_a_mistake_is_told_with_its_line(score, text, message):
    with pytest.raises(DataError, match=message):
        score(text)


def test_a_listed_label_is_required(score):
    with pytest.raises(DataError, match=r"jsonl:1: a label is one of those listed; found 'poz'; nearest: 'pos'"):
        score(lines([(0, "poz")]), declared=DECLARED + "labels: [neg, pos]\n")


def test_from_the_command_line(own, cli, tmp_path):
    (tmp_path / "answers.tsv").write_text("".join(f"r{number}\tpos\n" for number in range(20)))
    arguments = ("--gold", own / "test.jsonl", "--predictions", tmp_path / "answers.tsv")
    said = cli("score", own / "reviews.yaml", *arguments, "--json")
    gold = [json.loads(line)["stars"] for line in (own / "test.jsonl").read_text().splitlines()]
    assert json.loads(said.out)["accuracy"] == pytest.approx(100 * gold.count("pos") / 20)
    assert "nearest: 'reviews.yaml'" in cli("score", own / "reviws.yaml", *arguments).err
