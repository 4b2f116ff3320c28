"""Reports resample the units that runs recorded, and one stray run keeps no others from being tested."""

from __future__ import annotations

import pandas as pd
import pytest

from atinuke_bench.reports.pairwise import compare_sides
from atinuke_bench.reports.reading.collect import read_frame
from atinuke_bench.reports.statistics.cells import measure
from atinuke_bench.reports.writing.render import write_report

pytestmark = pytest.mark.usefixtures("undrawn")


def _with_units(folder, size):
    """Give a run's examples units of `size`, in order."""
    path = folder / "predictions.parquet"
    rows = pd.read_parquet(path)
    rows["unit"] = [f"p{number // size}" for number in range(len(rows))]
    rows.to_parquet(path)
    return folder


@pytest.fixture(name="store")
def _store(tmp_path, write_run):
    for seed in range(3):
        for core, right in (("atinuke", 0.8), ("transformer", 0.7)):
            edit = {"resampled": {"unit": "premise", "num_units": 100}}
            _with_units(write_run(tmp_path, core, seed=seed, right=right, edit=edit), 3)
    return tmp_path


def _only(store):
    cells, gaps = measure(read_frame([store]))
    (own,) = cells.values()
    return own, gaps


def test_all_runs_of_a_column_draw_its_units_those_without_a_record_too(store, write_run):
    write_run(store, "bilstm", seed=0)
    own, gaps = _only(store)
    assert gaps == []
    assert {str(cell.drawn) for cell in own.values()} == {"by premise (100)"}
    assert {cell.scores.num_units for cell in own.values()} == {100}


def test_without_any_record_examples_are_drawn_and_the_table_says_so(tmp_path, write_run):
    for core in ("atinuke", "transformer"):
        write_run(tmp_path, core)
    own, _ = _only(tmp_path)
    assert {str(cell.drawn) for cell in own.values()} == {"by example (300)"}
    write_report([tmp_path], tmp_path / "out")
    assert "Resampled: snli by example (300)." in (tmp_path / "out" / "report.html").read_text()


def test_a_stray_run_is_left_out_and_the_others_are_tested(store, write_run):
    stray = write_run(store, "aaa", num=40)  # the first that is read
    own, gaps = _only(store)
    assert [gap.where for gap in gaps] == [str(stray)]
    assert "differ from those of 6 other runs" in gaps[0].reason
    known = {name: cell.scores.resampled is not None for name, cell in own.items()}
    assert known == {"aaa-nano": False, "atinuke-nano": True, "transformer-nano": True}
    assert compare_sides("atinuke", "transformer", store).comparisons[0].note == ""


def test_tests_by_seed_use_the_units_too(store):
    found = compare_sides("atinuke", "transformer", store)
    assert found.resampled == "Resampled: snli by premise (100)."
    of_seed = found.by_seed[0]
    assert of_seed["p randomisation"] <= 1
    assert of_seed["p mcnemar"] != of_seed["p mcnemar"]  # it would take the pairs of a premise as independent


def test_too_few_units_have_neither_interval_nor_test(tmp_path, write_run):
    for seed in range(2):
        for core in ("atinuke", "transformer"):
            edit = {"resampled": {"unit": "article", "num_units": 3}}
            _with_units(write_run(tmp_path, core, seed=seed, edit=edit), 100)
    own, gaps = _only(tmp_path)
    assert all(cell.interval[0] != cell.interval[0] for cell in own.values())
    (gap,) = gaps
    assert gap.reason == "its test set has 3 units (article), and an interval needs 8: no interval, no test"
    (one,) = compare_sides("atinuke", "transformer", tmp_path).comparisons
    assert one.verdict == "not tested"
    assert one.note == "not tested: its test set has 3 units (article), and an interval needs 8"
