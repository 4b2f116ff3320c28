"""What a first declaration says of data files: kind, fields, splits; and that it can be read."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys

import pandas as pd
import pytest
import yaml

from atinuke_bench.config import find_task, read_declaration
from atinuke_bench.data.first_declaration import write_first
from atinuke_bench.data.survey import survey_file
from atinuke_bench.errors import ConfigError, DataError
from atinuke_bench.registry import load_task

PAIRS = [{"premise": f"a {n}", "hypothesis": "b c", "gold_label": "yn"[n % 2], "pairID": n} for n in range(9)]
SCORES = [{"sentence1": f"a {n}", "sentence2": "b", "score": n / 3} for n in range(9)]
TAGGED = [{"tokens": ["Ada", "runs"], "ner_tags": ["B-PER", "O"]} for _ in range(4)]
CHOICES = [{"question": f"where is {n}?", "choices": ["here", "there"], "answer": n % 2} for n in range(4)]


def lines(records):
    return "".join(json.dumps(record) + "\n" for record in records)


@pytest.mark.parametrize(
    ("records", "kind", "fields"),
    [
        (
            PAIRS,
            "classification",
            {"premise": "premise", "hypothesis": "hypothesis", "label": "gold_label", "id": "pairID"},
        ),
        (SCORES, "regression", {"sentence1": "sentence1", "sentence2": "sentence2", "label": "score"}),
        (TAGGED, "tagging", {"words": "tokens", "tags": "ner_tags"}),
        (CHOICES, "multiple-choice", {"question": "question", "choices": "choices", "answer": "answer"}),
    ],
)
def test_kind_and_fields_are_guessed_from_records(tmp_path, records, kind, fields):
    (tmp_path / "a.jsonl").write_text(lines(records))
    found = survey_file(tmp_path / "a.jsonl")
    assert (found.kind, found.fields) == (kind, fields)
    assert any(reason.startswith(f"kind {kind}") for reason in found.reasons)


def test_every_table_is_looked_at(tmp_path):
    frame = pd.DataFrame({"body": [f"text number {n}" for n in range(8)], "y": [n % 2 for n in range(8)]})
    frame.to_parquet(tmp_path / "a.parquet")
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_csv(tmp_path / "a.tsv", index=False, sep="\t")
    frame.to_json(tmp_path / "a.json", orient="records")
    with gzip.open(tmp_path / "a.csv.gz", "wt") as file:
        file.write((tmp_path / "a.csv").read_text())
    for name in ("a.parquet", "a.csv", "a.tsv", "a.json", "a.csv.gz"):
        found = survey_file(tmp_path / name)
        assert (found.kind, found.fields) == ("classification", {"text": "body", "label": "y"}), name


def test_columns_without_a_header_have_numbers(tmp_path):
    (tmp_path / "a.tsv").write_text("".join(f"{n % 2}\tthis is text number {n}\n" for n in range(9)))
    assert survey_file(tmp_path / "a.tsv").fields == {"text": 1, "label": 0}


def test_columns_of_words_and_squad(tmp_path):
    (tmp_path / "a.conll").write_text("-DOCSTART- X O\n\nAda N B-PER\nruns V O\n\nBen N B-PER\n")
    assert survey_file(tmp_path / "a.conll").fields == {"words": 0, "tags": 2}
    (tmp_path / "a.json").write_text(json.dumps({"version": "1.1", "data": [{"title": "t", "paragraphs": []}]}))
    assert survey_file(tmp_path / "a.json").kind == "span"


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (
            ("r_train.csv", "r-dev.csv", "r_test.csv.gz"),
            {"train": "r_train.csv", "dev": "r-dev.csv", "test": "r_test.csv.gz"},
        ),
        (("train.csv", "validation.csv"), {"train": "train.csv", "dev": "validation.csv"}),
        (("train.csv", "other-test.csv"), {"train": "train.csv"}),
        (("reviews.csv", "test.csv"), {"train": "reviews.csv"}),
    ],
)
def test_splits_are_files_that_are_named_alike(tmp_path, names, splits):
    for name in names:
        text = "body,y\na b c,1\nd e,0\n"
        (tmp_path / name).write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    assert survey_file(tmp_path / names[0]).splits == splits


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "n\n1\n2\n", "a column of texts is needed"),
        ("a.xlsx", "x", "a data file is a table"),
        ("a.csv", "a,b\n1\n", "every row has as many columns as the first"),
    ],
)
def test_a_file_that_no_kind_reads_is_refused(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=message):
        survey_file(tmp_path / name)


def test_what_is_written_can_be_read_and_is_not_replaced(tmp_path):
    data = tmp_path / "data: #1" / "train.jsonl"
    data.parent.mkdir()
    odd = [{"a: b": f"a text {n}", "no": ["yes", "off"][n % 2]} for n in range(9)]
    data.write_text(lines(odd))
    out = tmp_path / "tasks" / "odd.yaml"
    write_first(survey_file(data), data, out)
    task, declaration = find_task(str(out))
    assert declaration is not None
    assert (declaration.fields, task) == ({"text": "a: b", "label": "no"}, "classification/data-1")
    assert load_task(task, declaration).metric.name == "accuracy"
    assert (out.parent / yaml.safe_load(out.read_text())["folder"]).resolve() == data.parent
    before = out.read_text()
    with pytest.raises(ConfigError, match="--force replaces it"):
        write_first(survey_file(data), data, out)
    assert out.read_text() == before
    write_first(survey_file(data), data, out, replace=True)


def test_the_metrics_of_the_kind_are_named(tmp_path):
    (tmp_path / "a.jsonl").write_text(lines(SCORES))
    write_first(survey_file(tmp_path / "a.jsonl"), tmp_path / "a.jsonl", tmp_path / "a.yaml")
    assert "# metric: spearman  # or pearson" in (tmp_path / "a.yaml").read_text()


def test_new_and_check_from_the_command_line(own, cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (own / "mine_train.jsonl").write_text(lines({"t": f"the film {n} ☃", "y": "pn"[n % 2]} for n in range(20)))
    (own / "mine_test.jsonl").write_text(lines([{"t": "THE film 1 ☃", "y": "p"}, {"t": "zebra", "y": "n"}]))
    made = cli("task", "new", own / "mine_train.jsonl")
    assert made.status == 0, made.err
    assert "mine.yaml: classification/mine" in made.out
    checked = json.loads(cli("task", "check", "mine.yaml", "--json").out)
    assert checked["splits"]["train"]["labels"] == {"p": 10, "n": 10}
    assert checked["overlap"]["splits"]["test"] == {"shared": 1, "examples": 2}
    assert checked["splits"]["test"]["unknown_percent"] > 0
    assert checked["examples"][0]["rows"][0].startswith("[CLS] the film 0")
    shown = cli("task", "check", "mine.yaml").out
    assert "train: p 10, n 10" in shown
    assert "1 of 2 of test" in shown
    refused = cli("task", "new", own / "mine_train.jsonl")
    assert (refused.status, refused.err.count("\n")) == (2, 1)
    assert "nearest: 'mine_test.jsonl'" in cli("task", "new", own / "mine_tests.jsonl").err


def test_a_data_set_on_the_hub(hub, hub_environment, tmp_path):

    frame = pd.DataFrame({"body": [f"text number {n}" for n in range(8)], "label": [n % 2 for n in range(8)]})
    files = {f"data/{split}-00000-of-00001.parquet": frame.to_parquet(None) for split in ("train", "validation")}
    commit = hub.publish("someone/reviews", files)
    command = [sys.executable, "-m", "atinuke_bench", "task", "new", "someone/reviews", "--out", "hub.yaml"]
    environment = hub_environment(hub.endpoint, tmp_path)
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    declaration = read_declaration(tmp_path / "hub.yaml")
    assert (declaration.hub, declaration.revision) == ("someone/reviews", commit)
    assert declaration.splits == {"train": ["train"], "dev": ["validation"]}
    assert declaration.fields == {"text": "body", "label": "label"}
