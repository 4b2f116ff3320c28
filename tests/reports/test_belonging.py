"""Runs belong to the study or suite that they are of: trials to their study alone, names as a suite chose them."""

from __future__ import annotations

import json

import pytest

from atinuke_bench.reports import read_frame
from atinuke_bench.reports.pairwise import compare_sides
from atinuke_bench.reports.writing.render import write_report

pytestmark = pytest.mark.usefixtures("undrawn")


def _config(dropout):
    return f"core:\n  name: atinuke\n  dropout: {dropout}\ntraining:\n  learning_rate: 0.001\n"


def _record(store, path, record):
    (store / path).parent.mkdir(parents=True, exist_ok=True)
    (store / path).write_text(json.dumps(record))


def _suite(store, name, variants):
    """A suite of the runs of `variants`: name -> folders."""
    cells = [
        {"key": f"{variant}{seed}", "task": "snli", "variant": variant, "core": "atinuke", "seed": seed,
         "folder": str(folder.relative_to(store))}
        for variant, folders in variants.items() for seed, folder in enumerate(folders)
    ]  # fmt: skip
    _record(store, f"suites/{name}.json", {"name": name, "cells": cells})


@pytest.fixture(name="store")
def _store(tmp_path, write_run):
    """Two cores of two seeds; a study with two complete trials, a pruned, a failed and a torn one, and two rivals."""
    store = tmp_path / "runs"
    for seed in range(2):
        write_run(store, "atinuke", seed=seed, right=0.8, config=_config(0))
        write_run(store, "bilstm", seed=seed, right=0.6)
    trials = [write_run(store, seed=9, right=0.99, config=_config("0." + "1" * n)) for n in range(1, 6)]
    for folder, reason in ((trials[2], "pruned"), (trials[3], "diverged")):
        (folder / "result.json").unlink()
        (folder / "failure.json").write_text(json.dumps({"class": reason, "message": "stopped"}))
    (trials[4] / "result.json").write_text("{")
    rivals = [write_run(store, seed=20 + n, right=0.99, config=_config("0.1111111")) for n in range(2)]
    insight = {
        "schema": 1, "study": "tune", "task": "snli", "core": "atinuke", "metric": "accuracy", "best": 0,
        "higher_is_better": True, "history": [], "slices": {}, "pareto": [],
        "trials": [{"number": n, "state": "complete" if n < 2 else "failed", "score": 50.0 if n < 2 else None,
                    "params": {}, "folder": str(folder.relative_to(store)), "parameters": 1000}
                   for n, folder in enumerate(trials)],
    }  # fmt: skip
    _record(store, "studies/tune/insight.json", insight)
    figures = {"mean": 99.0, "deviation": None, "count": 2}
    best = {"number": 0, "score_in_study": 50.0, "selection": figures, "evaluated": figures}
    # `sweep best` records folders from where it ran; the store has moved since.
    folders = [str("elsewhere/runs" / folder.relative_to(store)) for folder in rivals]
    _record(store, "studies/tune/best.json", {"trials": [{**best, "folders": folders}]})
    return store


@pytest.mark.parametrize("place", [".", "snli", "snli/atinuke"])
def test_trials_and_rivals_are_in_their_studys_section_alone(store, tmp_path, place):
    made = write_report([store / place], tmp_path / "out")
    assert set(made.frame.runs["seed"]) == {0, 1}
    assert set(made.frame.runs["variant"]) <= {"atinuke-nano", "bilstm-nano"}
    assert made.frame.num_trials == 4
    # A pruned or failed trial is what the study says of it; a torn file is a loss.
    assert [gap.reason.partition(":")[0] for gap in made.gaps] == ["damaged result"]
    tables = {table.name: table.data for table in made.tables}
    assert set(tables["headline-1"]["core"]) == set(made.frame.runs["variant"])
    assert tables["best-trials"]["selection"].tolist() == [99.0]
    assert tables["studies"]["trials"].tolist() == [5]


def test_all_runs_of_a_trial_are_its_studys(store, write_run):
    second = write_run(store, seed=10, right=0.99, config=_config("0.2"))
    assert 10 in set(read_frame([store]).runs["seed"])
    place = store / "studies/tune/insight.json"
    insight = json.loads(place.read_text())
    parts = [insight["trials"][0]["folder"], str(second.relative_to(store))]
    insight["trials"][0]["parts"] = [{"part": f"part {n}", "folder": folder} for n, folder in enumerate(parts)]
    place.write_text(json.dumps(insight))
    assert set(read_frame([store]).runs["seed"]) == {0, 1}


def test_cores_are_compared_beside_a_sweep(store):
    (found,) = compare_sides("atinuke", "bilstm", store).comparisons
    assert (found.a.num_seeds, found.b.num_seeds) == (2, 2)


def test_a_trial_that_a_suite_has_too_or_that_is_named_itself_is_shown(store):
    trial = min(folder for folder in (store / "snli/atinuke").iterdir() if "-9-" in folder.name)
    assert read_frame([trial]).runs["seed"].tolist() == [9]
    _suite(store, "quick", {"small": [trial]})
    frame = read_frame([store])
    assert sorted(frame.runs.loc[frame.runs["variant"] == "small", "folder"]) == [str(trial)]
    assert frame.num_trials == 3


def test_a_pruned_run_is_no_gap_before_its_study_has_written_what_it_learned(store):
    (store / "studies/tune/insight.json").unlink()
    reasons = [gap.reason for gap in read_frame([store]).gaps]
    assert sorted(reason.partition(":")[0] for reason in reasons) == ["damaged result", "failed (diverged)"]


def test_a_damaged_record_of_the_best_trials_is_a_gap(store, tmp_path):
    _record(store, "studies/tune/best.json", {"trials": [{"number": 0}]})
    gaps = write_report([store], tmp_path / "out").gaps
    assert any("damaged record of the best trials: " in gap.reason for gap in gaps)


# --- names ------------------------------------------------------------------------------------------------------------


def test_a_suites_names_are_used_everywhere(tmp_path, write_run):
    store = tmp_path / "runs"
    runs = {dropout: [write_run(store, seed=seed, right=0.8 - 2 * dropout, config=_config(dropout))
                      for seed in range(2)] for dropout in (0.0, 0.15)}  # fmt: skip
    write_run(store, seed=2, config=_config(0.15))
    _suite(store, "quick", {"plain": runs[0.0], "dropped": runs[0.15]})
    # One more seed of what a suite has named is the same core.
    assert read_frame([store]).runs["variant"].value_counts().to_dict() == {"plain": 2, "dropped": 3}
    made = write_report([store], tmp_path / "out")
    for table in made.tables:
        if "core" in table.shown:
            assert set(table.shown["core"]) <= {"plain", "dropped"}, table.name
    (found,) = compare_sides("plain", "dropped", store).comparisons
    assert (found.a.variant, found.b.variant) == ("plain", "dropped")


def test_names_on_which_suites_disagree(tmp_path, write_run):
    store = tmp_path / "runs"
    small, large, both = (
        write_run(store, label=f"atinuke-{size}", config=_config(n / 10))
        for n, size in enumerate(("nano", "base", "micro"))
    )
    _suite(store, "quick", {"atinuke": [small], "one": [both]})
    _suite(store, "full", {"atinuke": [large], "other": [both]})
    assert set(read_frame([store]).runs["variant"]) == {"atinuke (quick)", "atinuke (full)", "atinuke-micro"}
