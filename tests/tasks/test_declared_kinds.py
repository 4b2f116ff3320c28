"""Tasks of the kinds span, coref, srl and lm that a YAML file declares: they train, answer, and are reported."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import torch

from atinuke_bench.errors import AtinukeBenchError, ConfigError
from atinuke_bench.registry import load_task
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.runs.recompute import contradictions
from atinuke_bench.training.execution import Execution
from atinuke_bench.training.predict import load_predictor
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.train import train_and_evaluate

#: What is asked of a trained run of each task.
ASKED: dict[str, dict[str, Any]] = {
    "squad": {"question": "Where was Ada born?", "context": "In 1815, Ada was born in London."},
    "table": {"question": "Where was Ada born?", "context": "In 1815, Ada was born in London."},
    "coref": {"sentences": ["Then Ada painted her house ."]},
    "srl": {"words": "Then Ada painted her house .", "predicate": 2},
    "lm": {"text": "Ada was born in London."},
}
METRICS = {"squad": "f1", "table": "f1", "coref": "conll_f1", "srl": "f1"}
TRAINED = ("bilstm", "atinuke", "transformer")


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def trained(run, folder):
    prepared = prepare(run)
    result = train_and_evaluate(prepared, RunFolder(folder), Execution(show_progress=False))
    assert contradictions(RunFolder(folder), result) == []
    return prepared, result


@pytest.mark.parametrize("core", [*TRAINED, "majority", "pretrained"])
@pytest.mark.parametrize("task", ["squad", "table", "coref", "srl"])
def test_own_files_run_with_every_core(own_files, make_declared, model_folder, tmp_path, task, core):
    own = {"core.model": str(model_folder("bert"))} if core == "pretrained" else {}
    prepared, result = trained(make_declared(own_files / f"{task}.yaml", core, **own), tmp_path / "run")
    assert result["task"] == prepared.task.name == f"{prepared.run.declaration.kind}/{task}"
    assert set(result["scores"]) == {"test"}
    assert result["metric"] == METRICS[task]
    assert result["score"] == result["scores"]["test"][METRICS[task]]
    if core in TRAINED:
        (answer,) = load_predictor(RunFolder(tmp_path / "run")).predict([ASKED[task]])
        assert answer.prediction is not None


@pytest.mark.parametrize(
    ("file", "built_in"), [("squad", "squad-v2.0"), ("coref", "coref"), ("srl", "srl"), ("lm", "lm")]
)
def test_a_family_whose_numbers_changed_has_changed_for_own_files_too(own_files, make_declared, file, built_in):
    run = make_declared(own_files / f"{file}.yaml", "bilstm")
    assert load_task(run.task, run.declaration).result_version == load_task(built_in).result_version
    raised = run.declaration.model_copy(update={"result_version": 2})
    assert load_task(run.task, raised).result_version == load_task(built_in).result_version + 1


@pytest.mark.parametrize("core", [*TRAINED, "majority"])
def test_own_text_runs_with_every_core_that_takes_its_tokenizer(own_files, make_declared, tmp_path, core):
    prepared, result = trained(make_declared(own_files / "lm.yaml", core), tmp_path / "run")
    assert result["metric"] == ("masked_loss" if core in ("bilstm", "transformer") else "bits_per_byte")
    assert len(prepared.loaded.splits["test"]) == len(set((own_files / "test.txt").read_text().split("\n\n")))
    if core != "majority":
        (answer,) = load_predictor(RunFolder(tmp_path / "run")).predict([ASKED["lm"]])
        assert answer.prediction["tokens"] > 0


def test_train_says_whether_questions_may_have_no_answer(own_files, make_declared, tmp_path):
    prepared, result = trained(make_declared(own_files / "squad.yaml"), tmp_path / "v2")
    assert prepared.run.options["unanswerable"] is True
    assert {"exact", "f1", "HasAns_f1", "NoAns_f1", "best_f1"} <= set(result["scores"]["test"])
    prepared, result = trained(make_declared(own_files / "table.yaml"), tmp_path / "v1")
    assert prepared.run.options["unanswerable"] is False
    assert set(result["scores"]["test"]) == {"exact_match", "f1"}
    asked = prepare(make_declared(own_files / "table.yaml", **{"options.unanswerable": True}))
    assert asked.protocol()["task"] == "span/table"
    assert asked.identity != prepared.identity
    with pytest.raises(AtinukeBenchError, match=r"train.json:4: a question without an answer, and options.unanswerab"):
        prepare(make_declared(own_files / "squad.yaml", **{"options.unanswerable": False}))


def test_answers_are_texts_lists_or_squads_objects(own_files, make_declared):
    context = "Ada met Ada in Rome."
    rows = [
        {"q": "Who?", "c": context, "a": "Ada"},
        {"q": "Who?", "c": context, "a": ["Rome", "Ada"]},
        {"q": "Who?", "c": context, "a": [{"text": "Ada", "answer_start": 8}]},
        {"q": "Who?", "c": context, "a": {"text": ["Ada"], "answer_start": [8]}},
        {"q": "Who?", "c": context, "a": ["Ada"], "answer_start": [8]},
        {"q": "Who?", "c": context, "a": None},
        {"q": "Who?", "c": context, "a": "Bea"},
    ]
    (own_files / "own.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (own_files / "own.yaml").write_text(
        "name: own\nkind: span\nsplits: {train: own.jsonl, test: test.json}\n"
        "fields: {question: q, context: c, answers: a}\n"
    )
    prepared = prepare(make_declared(own_files / "own.yaml"))
    found = [(answers["text"], answers["answer_start"]) for answers in prepared.loaded.splits["train"]["answers"]]
    assert found == [(["Ada"], [0]), (["Rome", "Ada"], [15, 0]), *([(["Ada"], [8])] * 3), ([], [])]
    assert any("1 answers are not at their answer_start and were dropped" in note for note in prepared.notes)
    assert len(prepared.loaded.splits["test"]) == 6, "SQuAD's JSON has its own names of fields"


def test_hidden_answers_are_predicted_on_request_and_not_scored(own_files, make_declared):
    (own_files / "hidden.csv").write_text("asked,text\nWho?,Ada came.\n")
    text = (own_files / "table.yaml").read_text().replace("test: test.csv", "dev: test.csv, test: hidden.csv")
    (own_files / "table.yaml").write_text(text.replace("answers: answer", "").replace("id: key, ", ""))
    prepared = prepare(make_declared(own_files / "table.yaml"))
    assert list(prepared.evaluation_splits) == ["dev"]
    assert any(note.startswith("test: has no labels; not predicted") for note in prepared.notes)


@pytest.mark.parametrize("task", ["squad", "coref", "srl", "lm"])
def test_dev_is_cut_from_train_where_nothing_else_is_evaluated(own_files, make_declared, tmp_path, task):
    file = own_files / f"{task}.yaml"
    file.write_text(re.sub(r", test: [^}]*", "", file.read_text()))
    prepared, result = trained(make_declared(file), tmp_path / "run")
    assert set(result["scores"]) == {"dev"}
    assert any("of train are dev" in note for note in prepared.notes)
    group = prepared.task.group_column
    if group is not None:
        train, dev = (set(prepared.loaded.splits[split][group][:]) for split in ("train", "dev"))
        assert train.isdisjoint(dev)


def test_props_with_their_words_and_text_in_tables(own_files, make_declared, tmp_path):
    for split in ("train", "test"):
        words, props = ("".join(lines) for lines in zip(*([f"{w}\n", f"{p}\n"] for w, p in _columns(8)), strict=True))
        (own_files / f"{split}.words").write_text(words)
        (own_files / f"{split}.props").write_text(props)
    (own_files / "props.yaml").write_text(
        "name: props\nkind: srl\nsplits: {train: [train.words, train.props], test: [test.words, test.props]}\n"
    )
    prepared, _ = trained(make_declared(own_files / "props.yaml"), tmp_path / "props")
    assert list(prepared.run.options["roles"]) == ["A0", "V"]
    rows = "".join(json.dumps({"body": f"Ada saw {number} ships."}) + "\n" for number in range(12))
    (own_files / "text.jsonl").write_text(rows)
    (own_files / "texts.yaml").write_text("name: t\nkind: lm\nsplits: {train: text.jsonl}\nfields: {text: body}\n")
    prepared, _ = trained(make_declared(own_files / "texts.yaml", "majority"), tmp_path / "texts")
    assert {split: len(rows) for split, rows in prepared.loaded.splits.items()} == {"train": 11, "dev": 1}


def _columns(number):
    for place in range(number):
        yield from ((f"Ada{place}", "-\t(A0*)"), ("runs", "run\t(V*)"), ("", ""))


def test_a_named_metric_is_of_an_objective(own_files, make_declared):
    with (own_files / "lm.yaml").open("a") as file:
        file.write("metric: bits_per_byte\n")
    assert prepare(make_declared(own_files / "lm.yaml", "atinuke")).task.metric.name == "bits_per_byte"
    with pytest.raises(ConfigError, match=r"metric: bits_per_byte is of objective causal; .* or metric: masked_loss"):
        prepare(make_declared(own_files / "lm.yaml", "bilstm"))


@pytest.mark.parametrize(
    ("task", "change", "message"),
    [
        ("table", ("context: text", "context: txt"), r"train.csv:2: txt: no such field; nearest: 'text'"),
        (
            "table",
            ("context: text", "contxt: text"),
            r"fields.contxt: this kind of task has no such field; nearest: ",
        ),
        ("table", ("answers: answer", "answers: answr"), r"train.csv:2: answr: no such field; nearest: 'answer'"),
        (
            "table",
            ("id: key", "id: answer"),
            r"train.csv:\d+: an id is of one example; '\w+' is in .*train.csv:\d+ too",
        ),
        ("table", ("test: test.csv", "test: tset.csv"), r"splits.test: no file is named so; found 'tset.csv'; nearest"),
        ("table", ("kind: span", "kind: span\nmetric: accuracy"), r"no metric of kind span 'accuracy'; .*f1"),
        ("table", ("kind: span", "kind: span\nlabels: [a, b]"), r"labels: a task of kind span has none"),
        ("table", ("kind: span", "kind: span\nwhere: {key: q99}"), r"where.key: no row has this value; found q0, q1"),
        ("squad", ("test: test.json", "test: train.csv"), r"train.csv:2: question: no such field"),
        ("coref", ("kind: coref", "kind: coref\nfields: {text: a}"), r"fields: a task of kind coref has none"),
        ("coref", ("kind: coref", "kind: coref\nmetric: f1"), r"no metric of kind coref 'f1'; .*conll_f1"),
        ("coref", ("test: test", "test: ."), r"a file is of one split; it is of train and of test"),
        ("coref", ("test: test", "test: tests"), r"splits.test: no file is named so; found 'tests'; nearest: 'test"),
        ("coref", ("train: train,", "train: '*.json',"), r"test.json:1: token line without '#begin document'"),
        (
            "srl",
            ("test: test/*_conll", "test: nothing"),
            r"no file in it ends in _conll or .words or .props; found 'noth",
        ),
        ("srl", ("test: test/*_conll", "test: test.txt"), r"test.txt:1: token line without '#begin document'"),
        ("srl", ("splits: {train", "hub: a/b\nsplits: {train"), r"kind srl is read from files; found hub: a/b"),
        ("lm", ("test: test.txt", "test: blank.txt"), r"blank.txt: file is empty"),
        ("lm", ("kind: lm", "kind: lm\nmetric: perplexity"), r"no metric of kind lm 'perplexity'; .*bits_per_byte"),
    ],
)
def test_a_mistake_is_told_in_one_line_with_its_place(own_files, make_declared, task, change, message):
    (own_files / "nothing").mkdir()
    (own_files / "blank.txt").write_text(" \n\n")
    file = own_files / f"{task}.yaml"
    assert change[0] in file.read_text()
    file.write_text(file.read_text().replace(*change))
    with pytest.raises(AtinukeBenchError) as caught:
        prepare(make_declared(file))
    assert re.search(message, str(caught.value)), str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("q0,Where?,Ada was here.,Ada", r"train.csv:26: an id is of one example; 'q0' is in .*train.csv:2 too"),
        ("q99,,Ada was here.,Ada", r"train.csv:26: asked: is empty"),
        (f"q99,Who?,{'Ada ' * 2_500_000},Ada", r"train.csv:26: cannot be read as a table \(field larger than"),
        ("q99,Who?,Ada was here.,", r"test.csv:8: a question without an answer, and no question of train is so"),
    ],
)
def test_a_broken_row_is_told_with_its_line(own_files, make_declared, row, message):
    split = "test" if row.endswith(",") else "train"
    table = own_files / f"{split}.csv"
    table.write_text(table.read_text() + row + "\n")
    with pytest.raises(AtinukeBenchError) as caught:
        prepare(make_declared(own_files / "table.yaml"))
    assert re.search(message, str(caught.value)), str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("answer", "found"), [(7, "7"), ([True], "True"), ([{"txt": "Ada"}], "None"), ({}, "lists text")]
)
def test_an_answer_of_another_type_is_refused(own_files, make_declared, answer, found):
    row = {"question": "Who?", "context": "Ada came.", "answers": answer}
    (own_files / "own.jsonl").write_text(json.dumps(row))
    (own_files / "own.yaml").write_text("name: own\nkind: span\nsplits: {train: own.jsonl, test: test.json}\n")
    with pytest.raises(AtinukeBenchError, match=rf"own.jsonl:1: answers: .*{found}"):
        prepare(make_declared(own_files / "own.yaml"))


def test_a_document_of_two_files_of_a_split_is_refused(own_files, make_declared):
    one = own_files / "train" / "stories.v4_gold_conll"
    (own_files / "train" / "again.v4_gold_conll").write_text(one.read_text())
    for task in ("coref", "srl"):
        with pytest.raises(
            AtinukeBenchError, match=r"stories.v4_gold_conll.*nw/train0.* is in .*again.v4_gold_conll.* too"
        ):
            prepare(make_declared(own_files / f"{task}.yaml"))


def test_from_the_command_line_to_a_report(own_files, cli, tmp_path):
    small = ("--set", "training.max_epochs=1", "--set", "tokenizer.vocab_size=150", "--preset", "nano")
    store = tmp_path / "store"
    for task in ("squad", "coref", "srl", "lm"):
        for core in ("bilstm", "majority"):
            ran = cli("run", "--task", own_files / f"{task}.yaml", "--core", core, *small, "--out", store)
            assert ran.status == 0, ran.err
    assert cli("verify", store).status == 0
    assert cli("report", store, "--out", tmp_path / "report").status == 0
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    for task in ("span/squad", "coref/coref", "srl/srl", "lm/lm"):
        assert task in page
