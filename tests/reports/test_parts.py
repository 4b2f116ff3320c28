"""Ablation, studies, slices and seed-wise tests: each on runs whose answer is known."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest

from atinuke_bench.reports import read_frame
from atinuke_bench.reports.drawing.plots import slice_figure
from atinuke_bench.reports.drawing.style import looks
from atinuke_bench.reports.pairwise import compare_sides
from atinuke_bench.reports.reading.studies import read_studies
from atinuke_bench.reports.sections import figures
from atinuke_bench.reports.sections.ablation import ablation_table, ablations
from atinuke_bench.reports.sections.figures import slice_tables
from atinuke_bench.reports.sections.headline import blocks_of, headline
from atinuke_bench.reports.sections.studies import studies_table
from atinuke_bench.reports.statistics.cells import measure
from atinuke_bench.reports.statistics.comparison import Family
from atinuke_bench.reports.writing.render import render_html, write_report


def _config(hidden_size=64, causal="true", positions="layerwise"):
    core = f"  name: atinuke\n  hidden_size: {hidden_size}\n  causal: {causal}\n  positions: {positions}\n"
    return f"core:\n{core}training:\n  learning_rate: 0.001\n"


def _edit(folder, **changes):
    path = folder / "result.json"
    result = json.loads(path.read_text())
    for name, value in changes.items():
        result[name] = {**result[name], **value} if isinstance(value, dict) else value
    path.write_text(json.dumps(result))
    return folder


# --- ablation ---------------------------------------------------------------------------------------------------------


@pytest.fixture(name="ablated")
def _ablated(tmp_path, write_run):
    for seed in range(3):
        write_run(tmp_path, label="atinuke-nano", seed=seed, right=0.6, config=_config())
        write_run(tmp_path, label="atinuke-nano[causal=false]", seed=seed, right=0.9, config=_config(causal="false"))
        write_run(
            tmp_path, label="atinuke-nano[positions=none]", seed=seed, right=0.6, config=_config(positions="none")
        )
        # Another size and another learning rate are no ablation of it.
        write_run(tmp_path, label="atinuke-micro", seed=seed, right=0.8, config=_config(128))
    write_run(tmp_path, label="atinuke-nano", config=_config().replace("0.001", "0.01"))
    return read_frame([tmp_path])


def test_an_ablation_is_the_change_from_the_variant_nearest_to_all_others(ablated):
    cells, _ = measure(ablated, num_resamples=200)
    found = ablations(ablated, cells)
    assert {one.comparison.b.variant for one in found} == {"atinuke-nano {learning_rate=0.001}"}
    by_change = {one.change: one.comparison for one in found}
    assert set(by_change) == {"causal: true → false", "positions: layerwise → none"}
    assert by_change["causal: true → false"].spread.value == pytest.approx(30, abs=0.5)
    assert by_change["causal: true → false"].verdict == "better"
    assert by_change["positions: layerwise → none"].verdict == "tie"
    # Holm over the two of them: the larger p stays, the smaller doubles.
    p_values = sorted(one.spread.p_value for one in by_change.values())
    assert by_change["causal: true → false"].p_corrected == pytest.approx(min(1, 2 * p_values[0]))
    assert ablation_table(ablated, found).data["score_b"].tolist() == pytest.approx([60, 60], abs=0.5)


@pytest.mark.parametrize("names", [("plain", "b"), ("p", "a-long-name")])
def test_of_two_variants_the_one_nearest_to_its_preset_is_the_reference(tmp_path, write_run, names):
    labels = dict(zip(names, ("atinuke-nano", "atinuke-nano[causal=false]"), strict=True))
    for seed in range(2):
        for label, config in zip(labels.values(), (_config(), _config(causal="false")), strict=True):
            write_run(tmp_path, label=label, seed=seed, config=config)
    frame = read_frame([tmp_path])
    frame.runs["variant"] = frame.runs["label"].map({label: name for name, label in labels.items()})
    (found,) = ablations(frame, measure(frame, num_resamples=50)[0])
    assert found.comparison.b.variant == names[0]


def test_text_that_a_core_could_not_read_is_said_under_its_table(tmp_path, write_run):
    for label, percent in (("atinuke-nano", 84.0), ("bilstm-nano", 5.0)):
        write_run(tmp_path, label=label, edit={"unknown_percent": {"test": percent, "dev": 99.0}})
    write_run(tmp_path, label="earlier-nano")
    frame = read_frame([tmp_path])
    cells, _ = measure(frame, num_resamples=50)
    (table,) = headline(frame, cells, [(block, Family((), 0)) for block in blocks_of(frame)])
    (note,) = [note for note in table.notes if "[UNK]" in note]
    assert note.startswith("snli: over 5 % of the tokens are [UNK]")
    assert "atinuke-nano 84.0 %" in note
    assert "bilstm" not in note


# --- studies ----------------------------------------------------------------------------------------------------------


def _trial(number, score, folder=None, state="complete"):
    params = {"core.dropout": 0.1 * number, "core.causal": bool(number % 2)}
    return {
        "number": number, "state": state, "score": score, "params": params, "config": params, "folder": folder,
        "training_flops": 1e9 * (number + 1), "parameters": 1000 * (number + 1), "epochs": [[0, score]], "seconds": 1.0,
    }  # fmt: skip


def _insight(name="tune <script>", folder=None):
    trials = [_trial(0, 50.0, folder), _trial(1, 60.0), _trial(2, 55.0), _trial(3, None, state="failed")]
    ended = [trial for trial in trials if trial["score"] is not None]
    history = [
        {"number": n, "score": trial["score"], "best": max(t["score"] for t in ended[: n + 1]), "trials": n + 1,
         "seconds": n + 1.0, "training_flops": 1e9 * (n + 1)}
        for n, trial in enumerate(ended)
    ]  # fmt: skip
    return {
        "schema": 1, "study": name, "comparison": None, "task": "snli", "core": "atinuke", "preset": "nano",
        "metric": "accuracy", "higher_is_better": True, "objectives": [{"name": "score", "direction": "maximize"}],
        "sampler": "tpe", "seed": 0, "spent": {"trials": 4, "seconds": 3.0, "training_flops": 6e9},
        "parameters": {"core.dropout": {"kind": "float", "low": 0, "high": 0.5}}, "trials": trials, "best": 1,
        "history": history, "importance": {"method": "fanova", "values": {"core.dropout": 0.9, "core.causal": 0.1}},
        "importance_note": None, "pareto": [{"number": 0, "score": 50.0, "cost": 1000}],
        "slices": {path: [[t["params"][path], t["score"]] for t in ended] for path in trials[0]["params"]},
    }  # fmt: skip


@pytest.fixture(name="studied")
def _studied(tmp_path, write_run):
    store = tmp_path / "runs"
    trial = write_run(store, "atinuke", seed=7, right=0.99)
    for seed in range(2):
        write_run(store, "bilstm", seed=seed)
    for name, text in (
        ("tune", json.dumps(_insight(folder=str(trial.relative_to(store))))),
        ("torn", '{"schema": 1, "st'),
        ("old", json.dumps({"schema": 0})),
    ):
        folder = store / "studies" / name
        folder.mkdir(parents=True)
        (folder / "insight.json").write_text(text)
    return store


def test_a_study_stands_in_its_own_section_and_its_trials_in_no_table_of_scores(studied, tmp_path):
    made = write_report([studied], tmp_path / "out")
    assert {plot.name.rpartition("-")[0] for plot in made.plots if plot.section == "studies"} == {
        "study-history-tune",
        "study-importance-tune",
        "study-slices-tune",
        "study-pareto-tune",
    }
    drawn = {plot.name: plot.svg for plot in made.plots}
    for name, told in (
        ("study-history-tune-script", "tune &lt;script&gt;, trial 1: 60.00"),
        ("study-slices-tune-script", "core.dropout=0.2: 55.00"),
        ("study-slices-tune-script", "core.causal=true: 60.00"),
        ("study-pareto-tune-script", "trial 0: 50.00 at 1k"),
    ):
        assert f"<title>{told}</title>" in drawn[name]
    page = render_html(made)
    assert "1 runs are trials of studies" in page
    assert len(re.findall(r"<script", page, re.IGNORECASE)) == 1
    tables = {table.name: table.data for table in made.tables}
    assert set(tables["headline-1"]["core"]) == {"bilstm-nano"}
    assert tables["importance"]["importance"].tolist() == [0.9, 0.1]
    damaged = [gap.reason for gap in made.gaps]
    assert len([reason for reason in damaged if reason.startswith("damaged study")]) == 2


def test_the_table_of_studies_counts_what_became_of_trials(studied):
    studies, gaps = read_studies([studied])
    (row,) = studies_table(studies).data.to_dict("records")
    assert (row["trials"], row["complete"], row["failed"], row["best score"]) == (4, 3, 1, 60.0)
    assert len(gaps) == 2


# --- suites -----------------------------------------------------------------------------------------------------------


def test_a_half_done_suite_shows_what_is_missing(tmp_path, write_run):
    store = tmp_path / "runs"
    done = [write_run(store, "atinuke", seed=seed, right=right) for seed, right in ((0, 0.6), (1, 0.7))]
    folders = {("atinuke", seed): str(path.relative_to(store)) for seed, path in enumerate(done)}
    cells = [
        {"key": f"{core}{seed}", "task": "snli", "variant": core, "core": core, "seed": seed,
         "folder": folders.get((core, seed))}
        for core in ("atinuke", "bilstm") for seed in range(3)
    ]  # fmt: skip
    cells.append({**cells[0], "variant": "of an earlier grid", "in_grid": False})
    (store / "suites").mkdir()
    (store / "suites" / "quick.json").write_text(json.dumps({"name": "quick", "cells": cells}))
    (store / "suites" / "torn.json").write_text("[")
    made = write_report([store], tmp_path / "out")
    table = next(table for table in made.tables if table.name == "suites")
    shown = table.shown.set_index("core")["snli"].to_dict()
    assert shown == {"atinuke": "65.00 (2 of 3)", "bilstm": "– (0 of 3)"}
    missing = [gap.where for gap in made.gaps if gap.reason == "not started"]
    assert missing == [f"suite quick: snli {core} seed {seed}" for core, seed in
                       (("atinuke", 2), ("bilstm", 0), ("bilstm", 1), ("bilstm", 2))]  # fmt: skip
    assert any("damaged record of a suite" in gap.reason for gap in made.gaps)


# --- slices and figures -----------------------------------------------------------------------------------------------


def test_distances_are_drawn_as_curves_in_their_order_and_labels_as_bars(tmp_path, write_run):
    by_distance = {label: {"f1": 90.0 - n, "num": 10} for n, label in enumerate(("3-6", "0", "7+", "1-2"))}
    many = {f"AM-{n}": {"f1": 50.0, "num": n} for n in range(20)}
    folder = write_run(tmp_path)
    _edit(folder, slices={"test": {"distance": by_distance, "role": many, "kind": {"a": {"f1": 1.0, "num": 2}}}})
    frame = read_frame([tmp_path])
    cells, _ = measure(frame, num_resamples=50)
    ((column, own),) = cells.items()
    distance, role, kind = slice_tables(frame, column, list(own.values()))
    look = looks(["atinuke-nano"])
    curve = slice_figure(distance, look).svg
    places = [curve.index(f">{label} n=10<") for label in ("0", "1-2", "3-6", "7+")]
    assert places == sorted(places)
    # The fourteen most frequent roles, and the title says so.
    assert set(role.mean.index) == {f"AM-{n}" for n in range(6, 20)}
    assert "the 14 most frequent of 20 labels" in slice_figure(role, look).title
    assert "of 1 labels" not in slice_figure(kind, look).title


def test_what_figures_leave_out_is_said(tmp_path, write_run, monkeypatch):
    monkeypatch.setattr(figures, "MOST_COLUMNS", 1)
    monkeypatch.setattr(figures, "MOST_VARIANTS", 2)
    for core in ("atinuke", "bilstm", "transformer"):
        write_run(tmp_path, core, num=20)
    write_run(tmp_path, task="glue/rte", num=20)
    frame = read_frame([tmp_path])
    cells, _ = measure(frame, num_resamples=20)
    drawn, notes = figures.draw(frame, cells, figures.looks_of(frame, cells))
    assert notes[0].endswith("Not drawn: glue/rte.")
    assert notes[1].startswith("snli: figures show 2 of 3 cores")
    assert all("snli" in plot.title for plot in drawn)


def test_looks_differ_past_the_last_colour():
    found = looks([f"core{number}" for number in range(20)])
    assert len(set(found.values())) == 20


# --- seed by seed -----------------------------------------------------------------------------------------------------


def test_compare_shows_each_seed_with_mcnemar_and_the_hierarchical_interval(tmp_path, write_run):
    for seed in range(2):
        write_run(tmp_path, "atinuke", seed=seed, right=0.9)
        write_run(tmp_path, "bilstm", seed=seed, right=0.6)
    records = compare_sides("atinuke", "bilstm", tmp_path).by_seed
    assert [record["seed"] for record in records] == [0, 1, "all"]
    for record in records[:2]:
        assert record["difference"] == pytest.approx(30, abs=0.5)
        assert max(record[f"p {name}"] for name in ("mcnemar", "randomisation", "bootstrap")) < 0.01
    assert records[2]["low"] < 30 < records[2]["high"]
    assert np.isnan(records[2]["p mcnemar"])


def test_mcnemar_is_left_out_where_the_metric_is_no_share_of_right_answers(tmp_path, write_run):
    for core in ("atinuke", "bilstm"):
        folder = write_run(tmp_path, core, task="glue/mrpc")
        rows = pd.read_parquet(folder / "predictions.parquet")
        right = ((rows["gold"] == "1") & (rows["prediction"] == "1")).sum()
        f1 = 200 * right / ((rows["gold"] == "1").sum() + (rows["prediction"] == "1").sum())
        _edit(folder, metric="f1", score=f1)
    (record, _) = compare_sides("atinuke", "bilstm", tmp_path).by_seed
    assert np.isnan(record["p mcnemar"])
    assert np.isfinite(record["p randomisation"])
