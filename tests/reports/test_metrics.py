"""Two metrics share no column, figure or average; and a metric that nobody can pair is never a tie."""

from __future__ import annotations

import json

import pytest

from atinuke_bench.console import comparison_rows
from atinuke_bench.reports import read_frame
from atinuke_bench.reports.pairwise import compare_sides
from atinuke_bench.reports.reading.suites import read_suites
from atinuke_bench.reports.report import make_report
from atinuke_bench.reports.sections.studies import Study, studies_plots
from atinuke_bench.reports.sections.suites import suites_table
from atinuke_bench.reports.sections.transfer import transfer_table, transfers

LM = "lm (causal) on 0a1b2c3d, settings 11112222"


def scored(task, metric, score, *, higher=True, **more):
    """Changes to a run's result: another metric, in a folder of its own."""
    figures = {"score": score, "metric": metric, "higher_is_better": higher, "scores": {"test": {metric: score}}}
    return {"task": task, **figures, **more}


@pytest.fixture
def two_losses(tmp_path, write_run):
    """The task lm by two metrics, and snli."""
    for core, metric, score in (("atinuke", "bits_per_byte", 2.9), ("bilstm", "masked_loss", 5.7)):
        for seed in range(2):
            edit = scored("lm", metric, score + seed / 10, higher=False)
            write_run(tmp_path, core, task="lm", seed=seed, primary_metric=metric, edit=edit)
            write_run(tmp_path, core, seed=seed)
    return tmp_path


@pytest.mark.usefixtures("undrawn")
def test_no_column_holds_two_metrics_and_no_average_a_loss(two_losses):
    made = make_report(read_frame([two_losses]))
    for table in (table for table in made.tables if table.name.startswith("headline")):
        for name in table.shown.columns:
            assert not ("bits_per_byte" in name and "masked_loss" in name)
        scores = table.data[table.data["task"] != "average"]
        assert scores.groupby("task")["metric"].nunique().max() == 1
        averages = table.data[table.data["task"] == "average"].set_index("core")["mean"]
        own = scores[scores["metric"] == "accuracy"].set_index("core")["mean"]
        assert averages.dropna().to_dict() == own.dropna().to_dict()
        assert any("The average leaves out what is no percentage: lm" in note for note in table.notes)
    assert not [one for one in made.comparisons if one.a.metric != one.b.metric]


def test_a_suite_has_a_column_for_each_metric_of_a_task(two_losses):
    folders = sorted(two_losses.glob("lm/*/*"))
    cells = [
        {"key": str(path), "task": "lm", "variant": path.parent.name, "core": path.parent.name, "seed": place % 2,
         "folder": str(path.relative_to(two_losses))}
        for place, path in enumerate(folders)
    ]  # fmt: skip
    (two_losses / "suites").mkdir()
    (two_losses / "suites" / "quick.json").write_text(json.dumps({"name": "quick", "cells": cells}))
    shown = suites_table(read_frame([two_losses]), read_suites([two_losses])[0]).shown.set_index("core")
    assert list(shown.columns) == ["suite", "lm bits_per_byte", "lm masked_loss"]
    assert list(shown.loc["atinuke", ["lm bits_per_byte", "lm masked_loss"]]) == ["2.95", "–"]


def test_studies_of_two_metrics_share_no_figure(tmp_path):
    def study(core, metric):
        entry = {"number": 0, "score": 1.0, "best": 1.0, "trials": 1, "training_flops": 1.0}
        insight = {
            "study": f"lm-{core}", "comparison": "lm", "task": "lm", "core": core, "metric": metric,
            "trials": [{"number": 0, "state": "complete", "score": 1.0}], "history": [entry], "slices": {},
        }  # fmt: skip
        return Study(insight, tmp_path)

    plots, _ = studies_plots([study("atinuke", "bits_per_byte"), study("bilstm", "masked_loss")])
    assert [plot.name for plot in plots] == [
        "study-history-lm-lm-bits-per-byte",
        "study-history-lm-lm-masked-loss",
    ]
    plots, _ = studies_plots([study("bilstm", "masked_loss"), study("transformer", "masked_loss")])
    assert [plot.name for plot in plots] == ["study-history-lm"]


def test_gains_of_two_metrics_are_of_two_targets(tmp_path, write_run):
    for metric, core in (("bits_per_byte", "atinuke"), ("masked_loss", "bilstm")):
        for seed in range(2):
            for before in ("none", LM):
                edit = scored("lm", metric, 3.0, higher=False, identity=f"{core}-{before}-{seed}")
                folder = tmp_path / before.partition(" ")[0]
                write_run(folder, core, task="lm", seed=seed, pretraining=before, primary_metric=metric, edit=edit)
    found = transfers(read_frame([tmp_path]))
    assert len({gain.target for gain in found.gains}) == 2
    table = transfer_table(found).shown
    targets = [name for name in table.columns if name.startswith("lm (")]
    assert len(targets) == 2
    assert (table[targets] != "–").sum(axis=1).eq(1).all()
    # What nobody could pair is marked as such.
    assert table[table["before"] != "scratch"][targets].map(lambda text: text == "–" or text.endswith("?")).all().all()


@pytest.mark.parametrize(
    ("task", "metric", "reason"),
    [("of-a-plug-in", "f1", "no task 'of-a-plug-in'"), ("snli", "exactness", "no metric of task 'snli'")],
)
@pytest.mark.usefixtures("undrawn")
def test_what_nobody_can_pair_is_not_tested_and_no_tie(tmp_path, write_run, task, metric, reason):
    for core, score in (("atinuke", 70.0), ("bilstm", 70.0)):
        for seed in range(3):
            write_run(tmp_path, core, task=task, seed=seed, edit=scored(task, metric, score))
    (one,) = compare_sides("atinuke", "bilstm", tmp_path).comparisons
    record = one.record()
    assert record["verdict"] == "not tested"
    assert record["note"] == "not tested: predictions cannot be paired"
    assert "not tested" in str(next(iter(comparison_rows([record]).columns[-1].cells)))
    made = make_report(read_frame([tmp_path]))
    tables = {table.name: table for table in made.tables}
    assert set(tables["comparisons"].data["verdict"]) == {"not tested"}
    assert set(tables["headline-1"].data["mark"]) == {""}
    assert "≈" not in tables["headline-1"].shown.to_string()
    assert sum(reason in gap.reason for gap in made.gaps) == 6
