"""Tables as LaTeX: which figures are bold, what is aligned how, what goes on elsewhere."""

from __future__ import annotations

import re

import pandas as pd

from atinuke_bench.reports.reading.collect import read_frame
from atinuke_bench.reports.report import make_report
from atinuke_bench.reports.sections.headline import MARKS, REFERENCE_MARKS
from atinuke_bench.reports.sections.table import Table
from atinuke_bench.reports.writing.latex import document, escape_tex, to_latex


def table(shown, **more):
    return Table("a-name", "A title", shown, shown, **more)


def test_the_best_mean_is_bold_and_what_ties_with_it_is_marked(tmp_path, write_run, monkeypatch):
    monkeypatch.setattr("atinuke_bench.reports.report.draw", lambda *_: ([], []))
    for seed in range(3):
        for core, right in (("worst", 0.3), ("nearly", 0.7), ("best", 0.71)):
            write_run(tmp_path, core, seed=seed, right=right + seed / 100)
    made = make_report(read_frame([tmp_path]))
    headline = next(one for one in made.tables if one.name == "headline-1")
    rows = {row.split()[0]: row for row in to_latex(headline).splitlines() if row.endswith("\\\\")}
    assert r"\textbf{72.00} {[}" in rows["best-nano"]
    assert r"$\approx$" in rows["best-nano"]
    assert r"$\approx$" in rows["nearly-nano"]
    for other in ("nearly-nano", "worst-nano"):
        assert "textbf" not in rows[other]
    assert r"$\approx$" not in rows["worst-nano"]


def test_a_lower_mean_is_best_where_lower_is_better(tmp_path, write_run, monkeypatch):
    monkeypatch.setattr("atinuke_bench.reports.report.draw", lambda *_: ([], []))
    for core, right in (("low", 0.3), ("high", 0.7)):
        write_run(tmp_path, core, right=right, edit={"higher_is_better": False})
    (headline, *_) = make_report(read_frame([tmp_path])).tables
    assert [headline.shown["core"][row] for row, _ in headline.best] == ["low-nano"]


def test_figures_are_right_aligned_and_names_left():
    shown = pd.DataFrame(
        {"core": ["a", "b"], "p": ["<0.0001", "–"], "score": ["85.2 [84, 86] n=3 ▲", "-1.5"], "note": ["", "x"]}
    )
    assert r"\begin{tabular}{@{}lrrl@{}}" in to_latex(table(shown))


def test_every_mark_has_a_sign():
    shown = escape_tex("".join((*MARKS.values(), *REFERENCE_MARKS.values(), "≤≥±")))
    assert "U+" not in shown
    assert shown.count(r"$\blacktriangledown$") == 1


def test_letters_that_stop_pdflatex_are_named():
    assert escape_tex("ąđ«é") == r"\texttt{U+0105}\texttt{U+0111}\texttt{U+00AB}é"


def test_a_wide_table_is_set_in_bands_that_repeat_the_names():
    shown = pd.DataFrame({"core": ["first"], **{f"task {n}": ["85.20 [84.10, 86.30] n=5 ▲"] for n in range(6)}})
    text = to_latex(table(shown))
    assert text.count(r"\toprule") == 3
    assert text.count("first & ") == 3
    assert [text.count(f"task {n}") for n in range(6)] == [1] * 6
    assert text.count(r"\begin{table}") == text.count(r"\label{tab:a-name}") == 1


def test_a_long_table_goes_on_in_another_under_the_same_number():
    shown = pd.DataFrame({"core": [f"core{n}" for n in range(120)], "score": ["1.00"] * 120})
    text = to_latex(table(shown, notes=("A note with 5 %.",)))
    assert text.count(r"\begin{table}") == 3
    assert text.count(r"\addtocounter{table}{-1}") == 2
    assert text.count(r"A note with 5 \%.") == 1
    assert re.findall(r"^core(\d+) &", text, flags=re.MULTILINE) == [str(n) for n in range(120)]


def test_a_table_without_columns_is_still_one():
    assert r"\begin{tabular}{@{}l@{}}" in to_latex(table(pd.DataFrame()))


def test_the_document_names_every_table():
    assert r"\input{cost.tex}" in document(["cost"])
