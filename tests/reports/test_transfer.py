"""Transfer: what is compared with what, on runs whose gains are known; and comparison across protocols."""

from __future__ import annotations

import pytest

from atinuke_bench.config import Pretraining
from atinuke_bench.errors import ConfigError
from atinuke_bench.reports import read_frame
from atinuke_bench.reports.pairwise import compare_sides
from atinuke_bench.reports.reading.across import across
from atinuke_bench.reports.report import make_report
from atinuke_bench.reports.sections.transfer import transfer_plots, transfer_table, transfers

LM = "lm (causal) on 0a1b2c3d, settings 11112222"
SNLI = "snli on 99887766, settings 33334444"
OWN = "none; tokenizer of lm on 0a1b2c3d"


@pytest.fixture
def store(tmp_path, write_run):
    def add(name, task, right, pretraining):
        for seed in range(3):
            own = {"identity": f"{name}-{seed}"}
            write_run(tmp_path / name, task=task, seed=seed, right=right, pretraining=pretraining, edit=own)

    add("a", "glue/rte", 0.5, "none")
    add("b", "glue/rte", 0.6, OWN)
    add("c", "glue/rte", 0.9, LM)
    add("d", "glue/rte", 0.3, SNLI)
    add("e", "snli", 0.7, "none")
    add("f", "snli", 0.7, LM)
    write_run(tmp_path / "g", "bilstm", task="snli", pretraining=SNLI)  # nothing to compare it with
    write_run(tmp_path / "h", "majority", task="snli", pretraining="none")
    return tmp_path


def test_each_source_is_compared_with_scratch_and_its_own_tokenizer_where_there_is_one(store):
    found = transfers(read_frame([store]))
    by_pair = {(gain.source.label, gain.target): gain.comparison for gain in found.gains}
    assert set(by_pair) == {(LM, "glue/rte"), (SNLI, "glue/rte"), (LM, "snli")}
    gain = by_pair[LM, "glue/rte"]
    assert gain.spread.value == pytest.approx(30.0, abs=1.0)  # 0.9 against the 0.6 with the same tokenizer
    assert gain.verdict == "better"
    assert by_pair[SNLI, "glue/rte"].spread.value == pytest.approx(-20.0, abs=1.0)
    assert by_pair[SNLI, "glue/rte"].verdict == "worse"
    assert by_pair[LM, "snli"].verdict == "tie"


def test_the_correction_counts_every_cell_of_the_matrix(store):
    found = transfers(read_frame([store]))
    gain = max(found.gains, key=lambda one: one.comparison.spread.p_value)
    assert gain.comparison.p_corrected >= gain.comparison.spread.p_value
    smallest = min(found.gains, key=lambda one: one.comparison.spread.p_value).comparison
    assert smallest.p_corrected == pytest.approx(min(1.0, 3 * smallest.spread.p_value))


def test_table_and_heat_map(store):
    found = transfers(read_frame([store]))
    table = transfer_table(found)
    assert list(table.shown["before"]) == ["scratch", LM, SNLI]
    rows = table.shown.set_index("before")
    assert rows.loc[SNLI, "snli"] == "–"
    assert str(rows.loc[LM, "glue/rte"]).endswith("▲")
    assert str(rows.loc[SNLI, "glue/rte"]).endswith("▼")
    assert rows.loc[LM, "snli"] == "70.00 (+0.00)"
    assert len(table.data) == 3
    (plot,) = transfer_plots(found)
    assert "glue/rte" in plot.svg
    assert "after lm (causal)" in plot.svg


@pytest.mark.parametrize("label", [LM, SNLI, OWN, f"{LM}, causal changed, after {OWN}", "org/model", "none"])
def test_a_record_and_the_label_of_an_older_result_are_one_column(tmp_path, write_run, label):
    record = Pretraining.read(label)
    assert record.label == label
    assert Pretraining.read(record.to_stored()) == record
    write_run(tmp_path, seed=0, pretraining=label)
    write_run(tmp_path, seed=1, pretraining=record.to_stored())
    frame = read_frame([tmp_path])
    assert frame.runs["column"].nunique() == 1
    assert frame.pretraining == {label: record}


def test_a_lower_loss_is_a_gain(tmp_path, write_run):
    for seed in range(3):
        for name, right, pretraining in (("a", 0.8, "none"), ("b", 0.5, SNLI)):
            edit = {"higher_is_better": False, "identity": f"{name}-{seed}"}
            write_run(tmp_path / name, seed=seed, right=right, pretraining=pretraining, edit=edit)
    (gain,) = transfers(read_frame([tmp_path])).gains
    assert gain.comparison.spread.value < 0
    assert gain.comparison.verdict == "better"
    assert "▲" in transfer_table(transfers(read_frame([tmp_path]))).shown["snli"][1]


def test_a_report_shows_it_where_there_is_something_to_show(tmp_path, write_run):
    for seed in range(2):
        write_run(tmp_path, seed=seed, num=40)
    assert transfers(read_frame([tmp_path])).gains == ()
    for seed in range(2):
        write_run(tmp_path / "b", seed=seed, num=40, pretraining=SNLI, edit={"identity": f"b-{seed}"})
    made = make_report(read_frame([tmp_path]))
    assert "transfer" in {table.name for table in made.tables}
    assert "transfer-atinuke-nano" in {plot.name for plot in made.plots}


def test_sides_of_differing_pretraining_are_compared_only_when_asked(store):
    sides = str(store / "c"), str(store / "b")
    with pytest.raises(ConfigError, match="A and B differ in pretraining; --across pretraining"):
        compare_sides(*sides, store)
    (one,) = compare_sides(*sides, store, ["pretraining"]).comparisons
    assert one.spread.value == pytest.approx(30.0, abs=1.0)
    assert one.a.variant == f"atinuke-nano {{pretraining: {LM}}}"
    with pytest.raises(ConfigError, match=r"no field 'pretrainin'.*nearest: 'pretraining'"):
        compare_sides(*sides, store, ["pretrainin"])


def test_what_else_differs_keeps_columns_apart(store, write_run):
    write_run(store / "i", task="glue/rte", pretraining=LM, train_size=50, edit={"identity": "i"})
    frame = across(read_frame([store]), ["pretraining"])
    of_rte = frame.runs[frame.runs["task"] == "glue/rte"]
    assert of_rte["column"].nunique() == 2
    assert all("pretraining" not in frame.protocols[column] for column in of_rte["column"])
