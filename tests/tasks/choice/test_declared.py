"""Multiple choice that a YAML file declares: it trains with every core, is scored, and says what is wrong with it."""

from __future__ import annotations

import csv
import json
import re

import numpy as np
import pandas as pd
import pytest

from atinuke_bench.errors import AtinukeBenchError
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.runs.recompute import contradictions
from atinuke_bench.training.execution import Execution
from atinuke_bench.training.predict import load_predictor
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.train import train_and_evaluate

#: How a record's answer may be given.
FORMS = {
    "text": lambda one: one["options"][one["solution"]],
    "list": lambda one: [one["solution"]],
    "digits": lambda one: str(one["solution"]),
    "letter": lambda one: "ABCD"[one["solution"]],
}


def trained(run, folder):
    prepared = prepare(run)
    result = train_and_evaluate(prepared, RunFolder(folder), Execution(show_progress=False))
    return prepared, RunFolder(folder), result


@pytest.mark.parametrize("core", ["bilstm", "atinuke", "transformer", "majority", "pretrained"])
def test_a_jsonl_runs_with_every_core(own, make_own, model_folder, tmp_path, core):
    changes = {"core.model": str(model_folder("bert"))} if core == "pretrained" else {}
    prepared, folder, result = trained(make_own(own, core, **changes), tmp_path / "run")
    assert result["task"] == "multiple-choice/colours"
    assert set(result["scores"]) == {"test"}
    rows = pd.read_parquet(folder.predictions)
    right = [json.loads(p)["text"] in json.loads(g) for p, g in zip(rows["prediction"], rows["gold"], strict=True)]
    assert result["score"] == pytest.approx(100 * sum(right) / 20)
    assert {int(size): own["num"] for size, own in result["slices"]["test"]["choices"].items()} == {
        size: sum(len(choices) == size for choices in prepared.loaded.splits["test"]["choices"][:])
        for size in (2, 3, 4)
    }
    assert contradictions(folder, result) == []
    if core != "majority":
        questions = [{"context": "a", "question": "b", "choices": list(own)} for own in (["red", "blue", "red"], "ab")]
        answer, other = load_predictor(folder).predict(questions, probabilities=True)
        assert answer.prediction["text"] == ["red", "blue", "red"][answer.prediction["choice"]]
        for one, size in ((answer, 3), (other, 2)):
            assert len(one.probabilities) == size
            assert sum(one.probabilities) == pytest.approx(1)
            assert one.prediction["choice"] == np.argmax(one.probabilities)


def test_the_right_choice_is_learned(own, make_own, tmp_path):
    for split in ("train", "test"):
        path = own.parent / f"{split}.jsonl"
        records = [json.loads(line) for line in path.read_text().splitlines()]
        for record in records:
            record["options"][record["solution"]] = "a warm one"
        path.write_text("\n".join(map(json.dumps, records)))
    _, _, result = trained(make_own(own, training__max_epochs=15, training__learning_rate=5e-3), tmp_path / "run")
    _, _, floor = trained(make_own(own, "majority"), tmp_path / "floor")
    assert (result["score"], floor["score"] < 60) == (100.0, True)


def test_numbers_texts_and_labels_are_one_answer(own, make_own):
    folder, declared = own.parent, own.read_text()
    records = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
    expected = [[record["options"][record["solution"]]] for record in records]
    assert prepare(make_own(own)).loaded.splits["train"]["answers"][:] == expected
    for form, change in FORMS.items():
        for split in ("train", "test"):
            lines = (folder / f"{split}.jsonl").read_text().splitlines()
            changed = [{**record, "solution": change(record)} for record in map(json.loads, lines)]
            (folder / f"{split}-{form}.jsonl").write_text("\n".join(map(json.dumps, changed)))
        own.write_text(declared.replace(".jsonl", f"-{form}.jsonl") + "labels: [A, B, C, D]\n" * (form == "letter"))
        assert prepare(make_own(own)).loaded.splits["train"]["answers"][:] == expected, form


def test_a_csv_with_a_column_a_choice(tmp_path, make_own):
    pairs = ([[f"cat {n}", "down", "up", "", "0"], [f"dog {n}", "off", "in", "on", "2"]] for n in range(12))
    rows = [row for pair in pairs for row in pair]
    with (tmp_path / "own.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["start", "a", "b", "c", "right"], *rows])
    (tmp_path / "own.yaml").write_text(
        "name: ends\nkind: multiple-choice\nsplits: {train: own.csv}\n"
        "fields: {context: start, choices: [a, b, c], answer: right}\n"
    )
    prepared = prepare(make_own(tmp_path / "own.yaml"))
    train = prepared.loaded.splits["train"]
    assert sorted({(*choices,) for choices in train["choices"][:]}) == [("down", "up"), ("off", "in", "on")]
    assert {(*answers,) for answers in train["answers"][:]} <= {("down",), ("on",)}
    assert set(train["context"][:]).isdisjoint(prepared.loaded.splits["dev"]["context"][:]), "a context is on one side"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"solution": 7}, r"test.jsonl:1: solution: an answer is a number from 0 to [123]; found 7"),
        ({"solution": "rde"}, r"test.jsonl:1: solution: an answer is one of the example's choices, or its number"),
        ({"solution": True}, r"solution: an answer is a number from 0 or the text of a choice; found True"),
        ({"options": ["red"]}, r"test.jsonl:1: options: an example has two choices or more; found 1"),
        ({"options": "red"}, r"test.jsonl:1: options: must be a list of texts, or several columns.*; found 'red'"),
        ({"options": ["red", 1]}, r"test.jsonl:1: options: must be a list of texts.*; found \['red', 1\]"),
        ({"story": "", "asked": ""}, r"test.jsonl:1: an example has a text; found none in context and question"),
        ({"story": None}, r"test.jsonl:1: story: must be a text; found nothing"),
        ({"opts": []}, r"test.jsonl:1: options: no such field; nearest: 'opts'"),
    ],
)
def test_a_mistake_is_told_in_one_line_with_its_place(own, make_own, change, message):
    path = own.parent / "test.jsonl"
    first, *rest = path.read_text().splitlines()
    record = {**json.loads(first), **change}
    if "opts" in change:
        del record["options"]
    path.write_text("\n".join([json.dumps(record), *rest]))
    with pytest.raises(AtinukeBenchError) as caught:
        prepare(make_own(own))
    assert re.search(message, str(caught.value)), str(caught.value)
    assert "\n" not in str(caught.value)


def test_texts_that_may_be_numbers_are_refused_where_both_differ(tmp_path, make_own):
    lines = [json.dumps({"question": "1 + 0", "choices": ["1", "0"], "answer": "1"})] * 9
    (tmp_path / "sums.jsonl").write_text("\n".join(lines))
    (tmp_path / "sums.yaml").write_text(
        "name: sums\nkind: multiple-choice\nsplits: {train: sums.jsonl}\nfields: {question: question}\n"
    )
    with pytest.raises(AtinukeBenchError, match=r"sums.jsonl:1: answer: .*means two choices; nearest: `labels`"):
        prepare(make_own(tmp_path / "sums.yaml"))
    (tmp_path / "sums.jsonl").write_text("\n".join(lines).replace('"answer": "1"', '"answer": 1'))
    assert prepare(make_own(tmp_path / "sums.yaml")).loaded.splits["train"]["answers"][0] == ["0"]


def test_a_metric_of_another_kind_and_an_unknown_reader_are_refused(own, make_own):
    text = own.read_text()
    for line, message in (
        ("metric: spearman", r"no metric of kind multiple-choice 'spearman'"),
        ("reader: superglue/copaa", r"no reader 'superglue/copaa'; nearest: 'superglue/copa'"),
    ):
        own.write_text(f"{text}{line}\n")
        with pytest.raises(AtinukeBenchError, match=message):
            prepare(make_own(own))


def test_from_the_command_line(own, cli, tmp_path):
    small = ("--set", "training.max_epochs=1", "--set", "tokenizer.vocab_size=200", "--set", "training.max_length=32")
    store = tmp_path / "store"
    ran = cli("run", "--task", own, "--core", "bilstm", "--preset", "nano", *small, "--out", store)
    assert ran.status == 0, ran.err
    assert "multiple-choice/colours" in ran.out
    assert cli("verify", store).status == 0
    assert cli("report", store, "--out", tmp_path / "report").status == 0
    asked = tmp_path / "asked.jsonl"
    asked.write_text(json.dumps({"context": "It was red .", "question": "what ?", "choices": ["red", "blue"]}) + "\n")
    answered = cli("predict", next(store.rglob("result.json")).parent, "--input", asked, "--jsonl")
    assert answered.status == 0, answered.err
    assert json.loads(answered.out)["prediction"]["text"] in ("red", "blue")
