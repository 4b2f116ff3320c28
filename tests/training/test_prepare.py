"""Which examples a run learns from, and what it says of them."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import pytest

from atinuke_bench.config import SourceConfig
from atinuke_bench.data.sources import Loaded
from atinuke_bench.data.table import UNLABELLED
from atinuke_bench.errors import ConfigError, DataError
from atinuke_bench.registry import load_task
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.runs import cells
from atinuke_bench.runs.grid import Cell
from atinuke_bench.training import prepare as module
from atinuke_bench.training.execution import Execution
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.train import train_and_evaluate


def test_a_run_says_how_many_examples_it_has(make_run):
    prepared = prepare(make_run("snli"))
    train, selection = len(prepared.train_examples), len(prepared.selection_examples)
    assert prepared.sizes() == f"{train} examples to learn from, {selection} of train to select on"
    assert " of dev to select on" in prepare(make_run("snli", training__select_on="dev")).sizes()


def test_what_groups_forbid_is_said(make_run):
    limited = prepare(make_run("snli", training__held_out_limit=1))
    assert len(limited.selection_examples) == 1


def test_a_limit_takes_examples_from_all_over_the_split(make_run):
    whole = prepare(make_run("snli", training__select_on="dev")).train_examples["id"][:]
    few = prepare(make_run("snli", training__select_on="dev", training__train_limit=6)).train_examples["id"][:]
    assert set(few) < set(whole)
    assert few != whole[:6]


def test_another_rule_for_choosing_examples_gives_runs_another_name(make_run, monkeypatch):
    chosen, all_of_it = (
        prepare(make_run("snli", **options)).identity for options in ({}, {"training__select_on": "dev"})
    )
    monkeypatch.setattr(module, "CUT_VERSION", 99)
    assert prepare(make_run("snli")).identity != chosen
    assert prepare(make_run("snli", training__select_on="dev")).identity == all_of_it


def test_data_of_no_release_is_the_users_own():
    squad, lm, coref = (load_task(name) for name in ("squad-v1.1", "lm", "coref"))
    assert squad.is_official({"train": 87_599, "dev": 10_570})
    assert squad.is_official({"dev": 10_570})
    assert not squad.is_official({"train": 87_599, "dev": 10_570, "test": 9_000})
    assert not coref.is_official({"train": 2_802, "test_brown": 300})
    assert not lm.is_official({"train": 10, "dev": 2, "test": 2})


def test_files_of_a_task_without_releases_are_not_called_official(make_run, tmp_path):
    for split in ("train", "dev", "test"):
        (tmp_path / f"{split}.txt").write_text(f"one line of my own {split}\n\nand another {split}\n\nand a third\n")
    assert prepare(make_run("lm", source__data_dir=tmp_path)).protocol()["is_cut"] is True


def test_a_train_split_that_is_held_out_whole_is_refused(make_run, tmp_path):
    for split in ("train", "dev", "test"):
        (tmp_path / f"{split}.txt").write_text("one line of my own\n\nand another\n")
    with pytest.raises(DataError, match="split to train on; found no train; train: 2 documents that occur elsewhere"):
        prepare(make_run("lm", source__data_dir=tmp_path))


def test_words_that_are_cut_are_part_of_the_key_of_a_suites_cell(make_run, monkeypatch):
    cell = Cell("a", make_run("snli"))
    before = cells._key(cell, {"snli": 1}, "data")
    monkeypatch.setattr(cells, "CUT_WORDS_VERSION", 99)
    assert cells._key(cell, {"snli": 1}, "data") != before


@pytest.fixture
def snli_folder(official, tmp_path):
    """`snli_folder(hide, remove)`: SNLI with the labels of some splits hidden and some splits missing."""

    def make(hide=(), remove=(), label=None):
        folder = tmp_path / "data"
        shutil.copytree(official / "snli", folder / "snli")
        for split in remove:
            (folder / f"snli/snli_1.0_{split}.jsonl").unlink()
        for split in hide:
            path = folder / f"snli/snli_1.0_{split}.jsonl"
            records = [{**json.loads(line), "gold_label": label} for line in path.read_text().splitlines()]
            path.write_text("".join(json.dumps(record) + "\n" for record in records))
        return SourceConfig(data_dir=folder)

    return make


@pytest.fixture
def carry_out(tmp_path):
    """`carry_out(run, **asked)`: the folder and the result of a run; `asked` is of `prepare`."""

    def make(run, **asked):
        folder = RunFolder(tmp_path / "run")
        return folder, train_and_evaluate(prepare(run, **asked), folder, Execution())

    return make


@pytest.mark.parametrize("select_on", ["held-out", "dev"])
@pytest.mark.parametrize("core", ["atinuke", "majority"])
def test_data_with_nothing_to_report_on_is_refused_and_the_file_named(make_run, snli_folder, core, select_on):
    run = make_run("snli", core, training__select_on=select_on)
    alone = run.model_copy(update={"source": snli_folder(remove=("dev", "test"))})
    with pytest.raises(
        DataError, match=r"labels to report on; found no dev, looked for snli_1\.0_dev\.jsonl.*snli_1\.0_test\.jsonl"
    ):
        prepare(alone)


def test_hidden_labels_leave_nothing_to_report_on(make_run, snli_folder):
    run = make_run("snli").model_copy(update={"source": snli_folder(hide=("test",), remove=("dev",))})
    with pytest.raises(DataError, match=r"found no dev, .*; test has no labels \(snli_1\.0_test\.jsonl\)"):
        prepare(run)


@pytest.mark.parametrize("changes", [{"hide": ("dev",)}, {"remove": ("dev",)}])
def test_selecting_on_a_dev_split_without_labels_is_refused(make_run, snli_folder, changes):
    source = snli_folder(**changes)
    run = make_run("snli", training__select_on="dev").model_copy(update={"source": source})
    with pytest.raises(ConfigError, match=r"training\.select_on: dev needs .*snli_1\.0_dev\.jsonl.*nearest: held-out"):
        prepare(run)
    assert len(prepare(make_run("snli").model_copy(update={"source": source})).selection_examples)


@pytest.mark.parametrize(
    ("hidden", "error", "problem"),
    [
        (("dev",), ConfigError, r"training\.select_on: dev needs a dev split with labels; dev has no labels"),
        (
            ("dev", "test"),
            DataError,
            r"^snli: a run needs a split with labels .* dev has no labels; test has no labels",
        ),
    ],
)
def test_the_hubs_splits_without_labels_are_refused_alike(make_run, monkeypatch, hidden, error, problem):
    splits = dict(prepare(make_run("snli")).loaded.splits)
    for split in hidden:
        labels = [UNLABELLED] * len(splits[split])
        splits[split] = splits[split].remove_columns("label").add_column("label", labels).cast(splits["train"].features)
    monkeypatch.setattr("atinuke_bench.tasks.snli.data.load_hub", lambda *_: Loaded(splits, {"a.parquet": "0"}))
    run = make_run("snli", training__select_on="dev").model_copy(update={"source": SourceConfig(kind="hub")})
    with pytest.raises(error, match=problem):
        prepare(run)


@pytest.mark.parametrize("core", ["atinuke", "majority"])
def test_what_was_read_and_left_is_said_once_on_screen_and_in_the_log(make_run, snli_folder, tmp_path, capfd, core):
    source = snli_folder()
    shutil.copy(source.data_dir / "snli/snli_1.0_dev.jsonl", source.data_dir)
    run = make_run("snli", core, training__max_epochs=1).model_copy(update={"source": source})
    folder = RunFolder(tmp_path / "run")
    train_and_evaluate(prepare(run), folder, Execution())
    screen = capfd.readouterr().err
    for said in (screen, folder.log.read_text()):
        assert said.count("snli: dev: 1 pairs have no consensus label ('-')") == 1
        assert said.count("; dev: snli/snli_1.0_dev.jsonl; test:") == 1
        assert said.count(": snli_1.0_dev.jsonl (snli/snli_1.0_dev.jsonl is read)") == 1


@pytest.mark.parametrize("label", [None, "-1", "hidden"])
def test_a_split_without_labels_is_predicted_and_said_not_to_be_scored(make_run, snli_folder, carry_out, label):
    run = make_run("snli", "majority").model_copy(update={"source": snli_folder(hide=("test",), label=label)})
    folder, _ = carry_out(run)
    assert set(pd.read_parquet(folder.predictions)["split"]) == {"dev"}
    assert "snli: test: has no labels; not predicted, not scored" in folder.log.read_text()
    folder, result = carry_out(run, predicts_unlabelled=True)
    assert (result["split"], set(result["scores"])) == ("dev", {"dev"})
    rows = pd.read_parquet(folder.predictions).query("split == 'test'")
    assert len(rows) == result["protocol"]["split_sizes"]["test"] > 0
    assert rows[["gold", "score"]].isna().all(axis=None)
    assert "snli: test: has no labels; predicted, not scored" in folder.log.read_text()
    assert "test: has no labels; predicted, not scored" in json.loads(folder.manifest.read_text())["data"]["notes"]
