"""What train shares with evaluated splits: counted for every task, dropped on request, and said."""

from __future__ import annotations

import json

import numpy as np
import pytest
from datasets import Dataset

from atinuke_bench.config import SourceConfig, TrainingConfig, make_run_config
from atinuke_bench.files import read_json
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.training.execution import Execution
from atinuke_bench.training.overlap import example_keys, find_overlap
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.train import train_and_evaluate


def pairs(*rows):
    return Dataset.from_dict(
        {"id": [str(n) for n in range(len(rows))], "a": [a for a, _ in rows], "b": [b for _, b in rows]}
    )


def test_texts_are_the_same_but_for_whitespace_and_case():
    train = pairs(("A dog", "runs"), ("a  DOG\n", " Runs"), ("a dog", "sits"), ("runs", "a dog"), ("Straße", "x"))
    found = find_overlap(
        train, {"dev": pairs(("a dog", "runs"), ("cat", "x")), "test": pairs(("STRASSE", "X"))}, ("a", "b")
    )
    assert found.in_train.tolist() == [True, True, False, False, True]
    assert found.record() == {
        "train": 3,
        "splits": {"dev": {"shared": 1, "examples": 2}, "test": {"shared": 1, "examples": 1}},
        "within_train": {"repeats": 1, "examples": 5},
    }
    assert (
        found.note()
        == "overlap: of the examples that are evaluated, train has 1 of 2 of dev (50.0%), 1 of 1 of test (100.0%)"
    )


def test_where_a_text_ends_counts():
    assert len(set(example_keys(pairs(("a b", "c"), ("a", "b c")), ("a", "b")).tolist())) == 2


def test_all_texts_but_the_id_count_where_no_column_is_named():
    words = Dataset.from_dict({"id": ["1", "2", "3"], "words": [["a", "b"], ["A", "b"], ["b", "a"]], "n": [1, 2, 3]})
    first, second, third = example_keys(words, ())
    assert first == second != third
    assert len(example_keys(words.select([]), ())) == 0


def test_the_answer_is_that_of_every_pair_of_examples():
    draw = np.random.default_rng(0)
    rows = [[("x" * int(n), "y" * int(m)) for n, m in draw.integers(0, 6, (40, 2))] for _ in range(3)]
    train, dev, test = (pairs(*part) for part in rows)
    found = find_overlap(train, {"dev": dev, "test": test}, ("a", "b"))
    assert found.in_train.tolist() == [row in rows[1] + rows[2] for row in rows[0]]
    assert found.splits["test"] == (sum(row in rows[0] for row in rows[2]), 40)


@pytest.fixture
def shared(own, make_own):
    """A run on reviews of which test has two of train's, one in other letters."""
    train = (own / "train" / "a.csv").read_text().splitlines()[1:3]
    with (own / "test.jsonl").open("a") as file:
        for number, line in enumerate(train):
            key, body, label = line.split(",")
            text = body.upper() if number else body
            file.write(json.dumps({"key": f"again-{key}", "body": text, "stars": label}) + "\n")
    return lambda **overrides: make_own(own / "reviews.yaml", "majority", **overrides)


def test_it_is_counted_and_said_without_changing_what_a_run_is(shared, tmp_path):
    prepared = prepare(shared())
    folder = RunFolder(tmp_path / "run")
    result = train_and_evaluate(prepared, folder, Execution(show_progress=False))
    assert prepare(shared(training__drop_overlap=False)).identity == prepared.identity
    assert "drop_overlap" not in result["protocol"]
    assert "drop_overlap" not in json.dumps(prepared.run.determinants())
    manifest = read_json(folder.manifest)["data"]
    num = manifest["overlap"]["splits"]["test"]["shared"]
    assert num >= 2
    assert any(note.startswith("overlap:") and f"{num} of 22 of test" in note for note in manifest["notes"])
    assert "--drop-overlap leaves" in folder.log.read_text()


def test_what_is_dropped_is_neither_learned_nor_selected_on(shared, tmp_path):
    kept, dropped = prepare(shared()), prepare(shared(training__drop_overlap=True))
    assert kept.identity != dropped.identity
    num = int(kept.overlap.in_train.sum())
    sizes = [len(one.train_examples) + len(one.selection_examples) for one in (kept, dropped)]
    assert sizes == [60, 60 - num]
    tested = {" ".join(text.casefold().split()) for text in dropped.evaluation_splits["test"]["sentence1"]}
    for part in (dropped.train_examples, dropped.selection_examples):
        assert not tested & set(part["sentence1"])
    assert dropped.protocol()["drop_overlap"] is True
    assert dropped.protocol()["is_cut"] is True
    assert f"{num} examples of train are left out" in dropped.notes[-1]


def test_features_of_both_are_kept_apart(shared):
    kept, dropped = prepare(shared()), prepare(shared(training__drop_overlap=True))
    assert len(dropped.encode("train", dropped.train_examples)) == len(dropped.train_examples)
    assert len(kept.encode("train", kept.train_examples)) == len(kept.train_examples)


def test_unset_and_false_are_one_config():
    assert TrainingConfig(drop_overlap=False) == TrainingConfig()


@pytest.mark.parametrize("task", ["squad-v1.1", "coref", "srl", "lm", "snli", "glue/cola"])
def test_every_family_tells_its_examples_apart(task):
    source = SourceConfig.model_validate({"kind": "microworld", "microworld": {"train": 40, "dev": 10, "test": 10}})
    prepared = prepare(make_run_config(task, "majority" if task != "lm" else "bilstm", preset="nano", source=source))
    columns = prepared.task.data.example_columns
    assert columns
    rows = prepared.loaded.splits["train"]
    assert len(set(example_keys(rows, columns).tolist())) > len(rows) / 2
    assert prepared.overlap.record()["splits"].keys() <= set(prepared.task.splits.evaluated)
