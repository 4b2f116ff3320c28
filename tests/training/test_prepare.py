"""Which examples a run learns from, and what it says of them."""

from __future__ import annotations

from atinuke_bench.registry import load_task
from atinuke_bench.runs import cells
from atinuke_bench.runs.grid import Cell
from atinuke_bench.training import prepare as module
from atinuke_bench.training.prepare import prepare


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
        (tmp_path / f"{split}.txt").write_text("one line of my own\n\nand another\n\nand a third\n")
    assert prepare(make_run("lm", source__data_dir=tmp_path)).protocol()["is_cut"] is True


def test_words_that_are_cut_are_part_of_the_key_of_a_suites_cell(make_run, monkeypatch):
    cell = Cell("a", make_run("snli"))
    before = cells._key(cell, {"snli": 1}, "data")
    monkeypatch.setattr(cells, "CUT_WORDS_VERSION", 99)
    assert cells._key(cell, {"snli": 1}, "data") != before
