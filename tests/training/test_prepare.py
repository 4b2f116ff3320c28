"""Which examples a run learns from, and what it says of them."""

from __future__ import annotations

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
