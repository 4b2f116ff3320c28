"""What a verdict is corrected over is declared, and does not depend on the floor or on other tables."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from atinuke_bench.cli import app
from atinuke_bench.errors import ConfigError, UnknownNameError
from atinuke_bench.reports import read_frame
from atinuke_bench.reports.report import make_report

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture(name="store")
def _store(tmp_path, write_run):
    """Three cores close together on SNLI, of three seeds each."""
    for seed in range(3):
        for core, right in (("atinuke", 0.72), ("bilstm", 0.7), ("transformer", 0.5)):
            write_run(tmp_path / "runs", core, seed=seed, right=right)
    return tmp_path / "runs"


def _verdicts(store, reference=None):
    made = make_report(read_frame([store]), reference=reference)
    return {(one.a.variant, one.b.variant): one for one in made.comparisons if one.column.task == "snli"}


def _notes(made, name):
    return " ".join(next(table for table in made.tables if table.name == name).notes)


def test_neither_the_floor_nor_another_table_changes_a_verdict(store, write_run):
    before = _verdicts(store)
    write_run(store, "majority", right=0.9)
    for seed in range(2):
        for core in ("atinuke", "bilstm"):
            write_run(store, core, task="glue/rte", seed=seed, is_cut=True)
    after = _verdicts(store)
    for pair, one in before.items():
        assert after[pair].p_corrected == one.p_corrected
    # The floor has the highest mean here: what is best among cores is still told, and not that it beats the floor.
    made = make_report(read_frame([store]))
    assert after["atinuke-nano", "majority-nano"].verdict == "worse"
    assert "3 tests (Holm): all pairs of trained cores" in _notes(made, "headline-1")
    assert "1 test (Holm)" in _notes(made, "headline-2")
    assert "outside of these" in _notes(made, "comparisons")


def test_a_declared_reference_has_fewer_tests(store):
    every, declared = _verdicts(store), _verdicts(store, "transformer")
    assert set(declared) == {("atinuke-nano", "transformer-nano"), ("bilstm-nano", "transformer-nano")}
    p_values = sorted(one.spread.p_value for one in declared.values())
    assert max(one.p_corrected for one in declared.values()) == pytest.approx(max(2 * p_values[0], p_values[1]))
    pair = "atinuke-nano", "transformer-nano"
    assert every[pair].p_corrected >= declared[pair].p_corrected
    made = make_report(read_frame([store]), reference="transformer")
    assert "2 tests (Holm): every other trained core against transformer" in _notes(made, "headline-1")
    shown = next(table for table in made.tables if table.name == "headline-1").data
    marks = shown[shown["task"] == "snli"].set_index("core")["mark"].to_dict()
    assert marks == {"atinuke-nano": "better", "bilstm-nano": "better", "transformer-nano": ""}


def test_beside_a_tie_is_what_the_runs_could_have_shown(store):
    made = make_report(read_frame([store]))
    tables = {table.name: table for table in made.tables}
    (tie,) = (one for one in made.comparisons if one.verdict == "tie")
    detectable = f"{tie.record()['minimum detectable difference']:.2f}"
    assert f"tie (detectable: {detectable})" in tables["comparisons"].shown["verdict"].tolist()
    assert any(text.endswith(f"≈ {detectable}") for text in tables["headline-1"].shown["snli test accuracy"])


def test_a_reference_is_one_core_that_is_there(store, write_run):
    with pytest.raises(UnknownNameError, match="nearest: 'transformer'"):
        make_report(read_frame([store]), reference="transfomer")
    write_run(store, "transformer", label="transformer-base")
    with pytest.raises(ConfigError, match="--reference is one core; 'transformer' names several on snli"):
        make_report(read_frame([store]), reference="transformer")


def test_the_commands_say_what_is_corrected_and_where_a_verdict_is_from(store, tmp_path):
    arguments = ["report", str(store), "--out", str(tmp_path / "out"), "--reference", "bilstm", "--json"]
    record = json.loads(CliRunner().invoke(app, arguments, catch_exceptions=False).stdout)
    assert {row["b"] for row in record["tables"]["comparisons"]} == {"bilstm-nano"}
    compare = ["compare", "atinuke", "bilstm", "--runs", str(store)]
    shown = " ".join(CliRunner().invoke(app, compare, catch_exceptions=False).stdout.split())
    assert "corrected over 1 test (Holm): A against B on each task" in shown
    assert "No verdict is from this table" in shown
    assert "tie (detectable:" in shown
    found = json.loads(CliRunner().invoke(app, [*compare, "--json"], catch_exceptions=False).stdout)
    assert found["comparisons"][0]["verdict"] == "tie"
    assert np.isfinite(found["comparisons"][0]["minimum detectable difference"])
    assert "Holm" in found["note"]
