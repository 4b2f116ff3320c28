"""What a report says of how trainings went, and where it marks scores."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from atinuke_bench.reports.writing.formats import to_markdown
from atinuke_bench.reports.writing.latex import to_latex
from atinuke_bench.reports.writing.render import render_html, write_report
from atinuke_bench.step_record import write_steps

EVIL = "<script>alert(1)</script>"


def record_steps(folder, *, ratio):
    """Steps whose core moves by this share of its weights."""
    number = np.arange(1.0, 121)
    columns = {
        "epoch": (number - 1) // 60,
        "step": number,
        "loss": 0.7 * np.exp(-number / 80),
        "learning_rate": 1e-3 * np.minimum(number / 12, 1),
        "gradient_norm": np.ones(120),
        "clipped": np.zeros(120),
        "update_ratio/attention": np.where(number % 8 == 0, ratio, math.nan),
    }
    write_steps(folder / "steps.parquet", columns)


@pytest.fixture(scope="module")
def store(tmp_path_factory, write_run):
    """Three cores of three seeds: one healthy, one with a seed whose rate was too high, one of an older version."""
    store = tmp_path_factory.mktemp("store")
    for seed in range(3):
        record_steps(write_run(store, "atinuke", seed=seed, right=0.9), ratio=0.004)
        record_steps(
            write_run(store, "transformer", seed=seed, right=0.6, label=f"transformer-{EVIL}"),
            ratio=0.2 if seed == 1 else 0.004,
        )
        write_run(store, "bilstm", seed=seed, right=0.5)
    record_steps(damaged := write_run(store, "atinuke", task="srl"), ratio=0.004)
    (damaged / "steps.parquet").write_bytes(b"no parquet")
    return store


@pytest.fixture(scope="module")
def report(store, tmp_path_factory):
    return write_report([store], tmp_path_factory.mktemp("out"))


def table(report, name):
    return next(one for one in report.tables if one.name == name)


def test_a_finding_is_counted_by_seeds(report):
    rows = table(report, "training").data
    (row,) = rows[rows["finding"] == "rate-too-high"].to_dict("records")
    assert (row["core"], row["severity"], row["seeds"], row["of seeds"]) == (f"transformer-{EVIL}", "serious", 1, 3)
    assert row["which"] == "1"
    assert "20 %" in row["what"]
    assert report.notes["training"] == ("1 of 6 trainings have serious findings: rate-too-high (1).",)
    assert any("damaged record of steps" in gap.reason for gap in report.gaps)
    (title,) = [plot.title for plot in report.plots if plot.section == "training"]
    assert title.startswith(f"snli, transformer-{EVIL}: trainings with serious findings in colour, others in grey")


def test_scores_with_a_serious_run_behind_them_are_marked_in_every_format(report):
    headline = table(report, "headline-1")
    assert set(headline.hints.values()) == {f"transformer-{EVIL} on snli: rate-too-high in 1 of 3 seeds"}
    ((row, column),) = list(headline.hints)
    assert headline.shown["core"][row] == f"transformer-{EVIL}"
    assert column.startswith("snli")
    for name in ("cost", "comparisons"):
        assert table(report, name).hints
    (line,) = [line for line in to_markdown(headline).splitlines() if line.startswith("| transformer")]
    assert line.count("⚠") == 1
    assert r"\textbf{!}" in to_latex(headline)
    page = render_html(report)
    assert 'title="transformer-&lt;script&gt;alert(1)&lt;/script&gt; on snli: rate-too-high in 1 of 3 seeds"' in page
    assert EVIL not in page


def test_a_sentence_says_what_is_wrong_behind_a_score_that_it_names(report):
    (said,) = [one for table in report.findings.tables for one in table.tasks if "⚠" in one.text]
    assert said.about.startswith("snli")
    assert said.text.endswith(f". ⚠ transformer-{EVIL} on snli: rate-too-high in 1 of 3 seeds.")


def test_no_score_and_no_verdict_depends_on_it(store, report, tmp_path):
    for path in store.rglob("steps.parquet"):
        path.rename(path.with_suffix(".aside"))
    try:
        plain = write_report([store], tmp_path)
    finally:
        for path in store.rglob("steps.aside"):
            path.rename(path.with_suffix(".parquet"))
    for before, after in zip(plain.findings.tables, report.findings.tables, strict=True):
        assert [one.statements for one in before.tasks] == [one.statements for one in after.tasks]
        assert [one.text for one in before.tasks] == [one.text.partition(" ⚠")[0] for one in after.tasks]
        assert replace(before, tasks=()) == replace(after, tasks=())
    for one in plain.tables:
        assert one.shown.equals(table(report, one.name).shown)
        assert not one.hints
    assert "training" not in [one.name for one in plain.tables], "older runs have no section"
    assert 'id="training"' not in render_html(plain)
    marks = f" ⚠ transformer-{EVIL} on snli: rate-too-high in 1 of 3 seeds."
    said = json.dumps(report.summary()["findings"], ensure_ascii=False)
    assert json.dumps(plain.summary()["findings"], ensure_ascii=False) == said.replace(marks, "")
