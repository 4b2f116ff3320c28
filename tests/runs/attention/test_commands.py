"""The command `heads`: what it prints and keeps, what reports make of it, and what it says in one line."""

from __future__ import annotations

import json

import pytest

from atinuke_bench.attention_file import attention_file, read_attention
from atinuke_bench.errors import RunFolderError
from atinuke_bench.reports.reading.collect import read_frame
from atinuke_bench.reports.report import make_report
from atinuke_bench.reports.writing.render import render_html
from atinuke_bench.runs.verify import verify


def test_looks_once_and_keeps_what_it_found(cli, run):
    before = run.result.read_bytes()
    first = cli("heads", run.path, "--json")
    assert first.status == 0, first.err
    (record,) = json.loads(first.out)
    assert record == {"folder": str(run.path), **read_attention(attention_file(run, "test"))}
    assert [(head["layer"], head["head"]) for head in record["heads"]] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert {one["slice"] for one in record["slices"]} == {"gold label"}
    assert run.result.read_bytes() == before
    assert not verify(run).problems
    again = cli("heads", run.path)
    assert "it was there" in again.err
    assert "4 heads matter" in again.out
    assert "random orders" in again.out
    other = cli("heads", run.path, "--on", "dev", "--limit", 10)
    assert other.status == 0
    assert read_attention(attention_file(run, "dev"))["num_examples"] == 10


def test_reports_show_what_was_found_and_name_what_is_damaged(cli, run, store):
    frame = read_frame([store])
    plain = make_report(frame)
    assert not [table for table in plain.tables if table.section == "attention"]
    cli("heads", run.path)
    report = make_report(read_frame([store]))
    tables = {table.name: table for table in report.tables if table.section == "attention"}
    assert list(tables) == ["attention-heads-summary", "attention-heads", "attention-patterns", "attention-slices"]
    assert len(tables["attention-heads"].data) == 4
    assert tables["attention-heads"].data["layer"].tolist().count(1) == 2
    plots = [plot for plot in report.plots if plot.section == "attention"]
    assert [plot.name.rpartition("-snli")[0] for plot in plots] == ["attention-heads", "attention-pruning"]
    assert 'id="attention"' in render_html(report)

    path = attention_file(run, "test")
    path.write_text(path.read_text().replace('"num_units": ', '"num_units": 1'))
    with pytest.raises(RunFolderError, match="checksum"):
        read_attention(path)
    damaged = make_report(read_frame([store]))
    assert [gap.where for gap in damaged.gaps] == [str(path)]
    assert not [table for table in damaged.tables if table.section == "attention"]
    assert not verify(run).problems
    assert "it was there" not in cli("heads", run.path).err, "what is damaged is made again"


def test_says_in_one_line_what_cannot_be_looked_at(cli, run, store):
    cases = {
        (run.path, "--on", "tset"): "nearest: 'test'",
        (run.path, "--on", "train"): "no labelled split 'train'",
        (store / "snli" / "bilstm",): "has no attention heads",
        (store / "snli" / "majority",): "the floor has no attention heads",
    }
    for arguments, told in cases.items():
        found = cli("heads", *arguments)
        assert found.status == 2
        assert told in found.err
        assert len(found.err.strip().splitlines()) == 1
    run.result.unlink()
    assert "not a finished run" in cli("heads", run.path).err
    both = cli("heads", store)
    assert both.status == 2


def test_a_record_can_go_elsewhere(cli, run, tmp_path):
    found = cli("heads", run.path, "--out", tmp_path / "out", "--orders", 1)
    assert found.status == 0, found.err
    (path,) = (tmp_path / "out").glob("*.json")
    assert read_attention(path)["curve"]["num_orders"] == 1
    assert not attention_file(run, "test").exists()
