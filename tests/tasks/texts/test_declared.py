"""Tasks of one text or two that a YAML file declares: they train, are scored, and say what is wrong with them."""

from __future__ import annotations

import gzip
import json
import re

import pandas as pd
import pytest

from atinuke_bench import registry
from atinuke_bench.config import find_task
from atinuke_bench.errors import AtinukeBenchError, DataError
from atinuke_bench.metrics.metric import Answers
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.runs.recompute import contradictions
from atinuke_bench.training.execution import Execution
from atinuke_bench.training.predict import load_predictor
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.train import train_and_evaluate

PAIRS = """\
name: pairs
kind: classification
splits: {train: train.jsonl, dev: dev.tsv}
fields: {premise: first, hypothesis: second, label: verdict}
"""
SCORES = "name: likeness\nkind: regression\nsplits: {train: scores.csv}\nfields: {text: a, text2: b, label: score}\n"


def trained(run, folder):
    prepared = prepare(run)
    result = train_and_evaluate(prepared, RunFolder(folder), Execution(show_progress=False))
    return prepared, RunFolder(folder), result


@pytest.mark.parametrize("core", ["bilstm", "atinuke", "transformer", "majority"])
def test_a_csv_of_reviews_runs_with_every_core(own, make_own, tmp_path, core):
    prepared, folder, result = trained(make_own(own / "reviews.yaml", core), tmp_path / "run")
    assert result["task"] == "classification/reviews"
    assert set(result["scores"]) == {"test"}
    assert set(result["scores"]["test"]) == {"accuracy", "macro_f1"}
    rows = pd.read_parquet(folder.predictions)
    right = (rows["prediction"] == rows["gold"]).mean()
    assert result["score"] == pytest.approx(100 * right)
    assert rows["id"][0] == "r0"
    assert prepared.task.model.labels == ("neg", "pos")
    assert contradictions(folder, result) == []


def test_a_csv_of_reviews_runs_with_a_pretrained_core(own, make_own, model_folder, tmp_path):
    run = make_own(own / "reviews.yaml", "pretrained", core__model=str(model_folder("bert")), training__max_length=48)
    _, folder, result = trained(run, tmp_path / "run")
    assert set(result["scores"]["test"]) == {"accuracy", "macro_f1"}
    assert contradictions(folder, result) == []


def test_a_trained_run_answers_where_the_declaration_is_gone(own, make_own, tmp_path):
    _, folder, _ = trained(make_own(own / "reviews.yaml"), tmp_path / "run")
    for path in own.rglob("*.*"):
        if path.is_file() and tmp_path / "run" not in path.parents:
            path.unlink()
    answers = load_predictor(folder).predict([{"text": "a great film"}, {"body": "a great film"}])
    assert [answer.prediction in ("pos", "neg") for answer in answers] == [True, True]
    with pytest.raises(AtinukeBenchError, match=r"text: missing, and so is 'body', .*; nearest: 'txt'"):
        load_predictor(folder).predict([{"txt": "a great film"}])
    with pytest.raises(AtinukeBenchError, match=r"text: missing, and so is 'body', .*; nearest: 'boddy'"):
        load_predictor(folder).predict([{"boddy": "a great film"}])
    with pytest.raises(AtinukeBenchError, match=r"text: missing, and so is 'body', .*; found 'xyzzy'"):
        load_predictor(folder).predict([{"xyzzy": "a great film"}])


def test_pairs_and_scores(own, make_own, tmp_path):
    lines = [{"first": f"a dog number {n}", "second": "it runs", "verdict": n % 3} for n in range(30)]
    (own / "train.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (own / "dev.tsv").write_text("first\tsecond\tverdict\na dog\tit runs\t2\na cat\tit sits\t0\n")
    (own / "pairs.yaml").write_text(PAIRS)
    prepared, _, result = trained(make_own(own / "pairs.yaml"), tmp_path / "pairs")
    assert prepared.task.model.labels == ("0", "1", "2")
    assert result["scores"]["dev"]["accuracy"] in (0, 50, 100)
    (own / "scores.csv").write_text("a,b,score\n" + "".join(f"dog {n},cat {n},{n / 10}\n" for n in range(40)))
    (own / "likeness.yaml").write_text(SCORES)
    prepared, _, result = trained(make_own(own / "likeness.yaml"), tmp_path / "scores")
    assert len(prepared.loaded.splits["dev"]) == 4, "dev is cut from train where nothing else is declared"
    assert any("of train are dev" in note for note in prepared.notes)
    assert set(result["scores"]["dev"]) == {"spearman", "pearson"}


def test_what_is_read_decides_the_identity_and_where_it_lies_does_not(own, make_own, tmp_path):
    file = own / "reviews.yaml"
    first = prepare(make_own(file)).identity
    moved = tmp_path / "moved"
    moved.mkdir()
    for name in ("reviews.yaml", "train", "test.jsonl"):
        (own / name).rename(moved / name)
    packed = moved / "test.jsonl"
    with gzip.open(moved / "test.jsonl.gz", "wb") as out:
        out.write(packed.read_bytes())
    packed.unlink()
    (moved / "reviews.yaml").write_text((moved / "reviews.yaml").read_text().replace("test.jsonl", "test.jsonl.gz"))
    assert prepare(make_own(moved / "reviews.yaml")).identity == first
    with (moved / "reviews.yaml").open("a") as out:
        out.write("metric: macro_f1\n")
    assert prepare(make_own(moved / "reviews.yaml")).identity != first


def test_f1_is_of_the_label_that_is_named():
    metric = registry.load_metric("classification/spam", "f1(spam)")
    gold, predicted = ["spam", "spam", "ham", "ham"], ["spam", "ham", "spam", "ham"]
    measured = metric.measure(Answers(("a", "b", "c", "d"), predicted, gold))
    assert measured.figures == {"f1(spam)": 50.0, "accuracy": 50.0}


def test_macro_f1_of_resamples_is_that_of_the_examples_drawn():
    metric = registry.declared_metric("classification", "macro_f1")
    gold, predicted = list("aabbcca"), list("abbbcaa")
    sample = metric.measure(Answers(tuple(map(str, range(7))), predicted, gold)).sample
    weights = [[1] * 7, [2, 0, 1, 1, 0, 0, 3], [0, 0, 0, 0, 1, 1, 0]]
    drawn = [[n for n, times in enumerate(row) for _ in range(times)] for row in weights]
    for value, rows in zip(sample.values(pd.DataFrame(weights).to_numpy(float)), drawn, strict=True):
        own = Answers(tuple(map(str, rows)), [predicted[n] for n in rows], [gold[n] for n in rows])
        assert value == pytest.approx(metric.measure(own).figures["macro_f1"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("label: stars", "label: star"), r"train/a.csv:2: star: no such field; nearest: 'stars'"),
        (("text: body", "txt: body"), r"fields.txt: this kind of task has no such field; nearest: 'text'"),
        (("train/*.csv", "trian/*.csv"), r"splits.train: no file is named so; found 'trian/\*.csv'"),
        (("test: test.jsonl", "test: test.json"), r"no file is named so; found 'test.json'; nearest: 'test.jsonl'"),
        (("test: test.jsonl", "test: train/a.csv"), r"a file is of one split; it is of train and of test"),
        (("kind: classification", "kind: clasification"), r"kind 'clasification'; nearest: 'classification'"),
        (("kind: classification", "kind: classification\nmetric: spearman"), r"no metric of kind classification"),
        (("kind: classification", "kind: classification\nmetric: f1"), r"metric f1 is of one label.*macro_f1"),
        (("kind: classification", "kind: classification\nlabels: [yes, no]"), r"quote it"),
        (("kind: classification", "kind: classification\nlabels: [good, neg]"), r"a label is one of those listed; fo"),
        (("kind: classification", "kind: regression"), r"train/a.csv:2: stars: a score is a number; found '(pos|neg)'"),
        (("name: reviews", "name: ../reviews"), r"a task's name has at most 64 letters"),
        (("name: reviews", "name: reviews\nname: again"), r"line 2: the key 'name' is given twice"),
        (("id: key", "id: stars"), r"an id is of one example"),
    ],
)
def test_a_mistake_is_told_in_one_line_with_its_place(own, make_own, change, message):
    file = own / "reviews.yaml"
    assert change[0] in file.read_text()
    file.write_text(file.read_text().replace(*change))
    with pytest.raises(AtinukeBenchError) as caught:
        prepare(make_own(file))
    assert re.search(message, str(caught.value)), str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("field", ["key", "body", "stars"])
def test_half_a_character_is_refused_in_any_field(own, make_own, field):
    lines = (own / "test.jsonl").read_text().splitlines()
    lines[1] = json.dumps({**json.loads(lines[1]), field: "\ud83d"})
    (own / "test.jsonl").write_text("\n".join(lines))
    with pytest.raises(DataError, match=rf"test\.jsonl:2: {field}: holds an unpaired surrogate at character 0$"):
        prepare(make_own(own / "reviews.yaml"))


@pytest.mark.parametrize("pattern", [f"train/{'a' * 300}.csv", f"train/{'a' * 300}*.csv/b", f"{'a' * 300}/*"])
def test_a_name_that_no_file_can_have_is_refused_shortly(own, make_own, pattern):
    file = own / "reviews.yaml"
    file.write_text(file.read_text().replace("train/*.csv", pattern))
    with pytest.raises(AtinukeBenchError, match=r"no file (is named so|can be looked for)") as caught:
        prepare(make_own(file))
    assert len(str(caught.value)) < 300


def test_labels_of_test_that_train_lacks_are_refused(own, make_own):
    with (own / "test.jsonl").open("a") as file:
        file.write(json.dumps({"key": "x", "body": "so so", "stars": "neu"}) + "\n")
    with pytest.raises(AtinukeBenchError, match=r"test.jsonl:21: stars: a label is one that train has; found 'neu'"):
        prepare(make_own(own / "reviews.yaml"))


def test_a_file_that_is_not_there_and_a_name_that_is_taken(own):
    with pytest.raises(AtinukeBenchError, match=r"review.yaml: no such file; nearest: 'reviews.yaml'"):
        find_task(str(own / "review.yaml"))


def test_from_the_command_line(own, cli, tmp_path):
    small = ("--set", "training.max_epochs=1", "--set", "tokenizer.vocab_size=200")
    store = tmp_path / "store"
    ran = cli("run", "--task", own / "reviews.yaml", "--core", "bilstm", "--preset", "nano", *small, "--out", store)
    assert ran.status == 0, ran.err
    assert "classification/reviews" in ran.out
    assert cli("verify", store).status == 0
    assert cli("report", store, "--out", tmp_path / "report").status == 0


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_minus_one_is_a_label_and_a_score_of_the_users(own, make_own, kind):
    (own / "train.jsonl").write_text("".join(json.dumps({"t": f"a {n}", "y": n % 3 - 1}) + "\n" for n in range(30)))
    (own / "test.jsonl").write_text('{"t": "a", "y": -1}\n{"t": "b", "y": 1}\n')
    splits = "splits: {train: train.jsonl, test: test.jsonl}\nfields: {text: t, label: y}\n"
    (own / "x.yaml").write_text(f"name: x\nkind: {kind}\n{splits}")
    prepared = prepare(make_own(own / "x.yaml"))
    labelled = {name: prepared.task.data.labelled(rows) for name, rows in prepared.loaded.splits.items()}
    assert {name: len(rows) for name, rows in labelled.items()} == {"train": 30, "test": 2}


def test_a_test_set_of_minus_ones_has_no_labels(own, make_own):
    lines = (own / "test.jsonl").read_text().splitlines()
    (own / "test.jsonl").write_text("".join(json.dumps({**json.loads(line), "stars": -1}) + "\n" for line in lines))
    with pytest.raises(AtinukeBenchError, match="test has no labels"):
        prepare(make_own(own / "reviews.yaml"))


def test_a_score_is_a_number_of_json_too(own, make_own):
    (own / "s.jsonl").write_text("".join(json.dumps({"a": f"dog {n}", "s": n / 8}) + "\n" for n in range(20)))
    (own / "s.yaml").write_text("name: s\nkind: regression\nsplits: {train: s.jsonl}\nfields: {text: a, label: s}\n")
    assert max(prepare(make_own(own / "s.yaml")).loaded.splits["train"]["label"]) == 19 / 8
