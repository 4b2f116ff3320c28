"""What the runs show: sentences that say what the tests found, and no more."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from atinuke_bench.reports import read_frame
from atinuke_bench.reports.drawing.names import short_names
from atinuke_bench.reports.report import make_report
from atinuke_bench.reports.sections.statements import Statement, sentence
from atinuke_bench.reports.statistics.spread import Spread
from atinuke_bench.reports.statistics.verdict import Judged, corrected
from atinuke_bench.reports.writing.render import write_report

html5lib = pytest.importorskip("html5lib", reason="html5lib is not installed")


class _Loss(Judged):
    @property
    def higher_is_better(self):
        return False


def _said(value, error, margin=None, *, note="", kind=Judged, unit="points", with_floor=False):
    """The sentence on A, of which one difference from B is known."""
    (one,) = corrected([kind(spread=Spread(value, error, 30.0), p_corrected=np.nan)], None, margin)
    return sentence("a", "a", [Statement.of("t", "a", "b", one, unit, note, with_floor=with_floor)])


@pytest.mark.parametrize(
    ("value", "error", "margin", "said"),
    [
        (3.0, 0.5, None, "a is better than b by 3.00 points [1.98, 4.02] (p <0.0001)."),
        (-3.0, 0.5, None, "a is worse than b by 3.00 points [1.98, 4.02] (p <0.0001)."),
        (0.1, 0.2, None, "a is tied with b (+0.10 points [-0.31, 0.51], p 0.6207; detectable: 0.58)."),
        (0.1, 0.2, 1.0, "a is equal within 1 point to b (+0.10 points [-0.31, 0.51], 90 % interval [-0.24, 0.44])."),
        (0.5, 0.1, 1.0, "a is better than b by 0.50 points [0.30, 0.70] (p <0.0001; less than 1 point)."),
        (-0.6, 0.5, 1.0, "a is neither told apart from nor shown to be equal to b (-0.60 points [-1.62, 0.42], "
         "p 0.2395; detectable: 1.45; b is not worse by 1 point)."),
        (0.6, 1.2, 1.0, "a is neither told apart from nor shown to be equal to b (+0.60 points [-1.85, 3.05], p 0.6207;"
         " detectable: 3.48)."),
    ],
)  # fmt: skip
def test_a_sentence_says_what_the_test_found_and_how_much(value, error, margin, said):
    assert _said(value, error, margin) == said


def test_less_of_a_loss_is_better_by_a_positive_amount():
    assert _said(-3.0, 0.5, kind=_Loss, unit="loss").startswith("a is better than b by 3.00 loss [1.98, 4.02]")


def test_a_difference_without_a_test_has_a_reason_in_place_of_a_verdict():
    said = _said(40.0, np.nan, note="not tested: a test needs two seeds")
    assert said == "a is not tested against b (+40.00 points): a test needs two seeds."


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (30.0, "above the floor b by 30.00"),
        (0.1, "NOT shown to be above the floor b (+0.10"),
        (-9.0, "BELOW the floor b by 9.00"),
    ],
)
def test_the_floor_is_said_to_be_passed_only_where_it_is(value, said):
    assert said in _said(value, 0.5, with_floor=True)


def test_a_statement_seen_from_the_other_side_is_the_same_statement():
    one = Statement("t", "a", "b", "better", 3.0, 2.0, 5.0, 0.01, 1.0, "points", low_90=2.2, high_90=4.8)
    other = one.seen_from("b")
    assert (other.verdict, other.difference, other.low, other.high) == ("worse", -3.0, -5.0, -2.0)
    assert other.seen_from("a") == one


@pytest.fixture(scope="module", name="store")
def _store(tmp_path_factory, write_run):
    """Two cores and the floor: told apart on SNLI, tied on RTE at the floor's score, one seed on cut SST-2; a gap."""
    store = tmp_path_factory.mktemp("store")
    for seed in range(3):
        for core, snli, rte in (("atinuke", 0.9, 0.6), ("transformer", 0.6, 0.6)):
            write_run(store, core, seed=seed, right=snli)
            write_run(store, core, task="glue/rte", seed=seed, right=rte)
    for task in ("snli", "glue/rte"):
        write_run(store, "majority", task=task, right=0.6 if task == "glue/rte" else 0.5)
    for core in ("atinuke", "transformer"):
        write_run(store, core, task="glue/sst2", right=0.9 if core == "atinuke" else 0.5, is_cut=True)
    (write_run(store, "running") / "result.json").unlink()
    return store


@pytest.fixture(scope="module", name="written")
def _written(store, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    return write_report([store], out), out


def test_the_page_opens_with_what_the_runs_show(written):
    made, out = written
    page = html5lib.parse((out / "report.html").read_text(encoding="utf-8"), namespaceHTMLElements=False)
    first = next(page.iter("section"))
    assert first.attrib["id"] == "findings"
    text = re.sub(r"\s+", " ", "".join(first.itertext()))
    assert "Something is missing, see 1 gap" in text
    assert "Cut, own or generated data: no score here may be set beside published ones." in text
    ids = {element.attrib["id"] for element in page.iter() if "id" in element.attrib}
    links = [link.attrib["href"] for link in first.iter("a")]
    assert "#table-comparisons" in links
    assert {link.removeprefix("#") for link in links} <= ids
    assert any(plot.section == "findings" for plot in made.plots)
    markdown = (out / "findings.md").read_text(encoding="utf-8")
    assert markdown.startswith("# What the runs show")
    for link in re.findall(r"\(tables/(.*?)\)", markdown):
        assert (out / "tables" / link).exists()


def test_every_verdict_of_a_sentence_is_that_of_its_test(written):
    made, _ = written
    verdicts = {(one.column.task, one.a.variant, one.b.variant): one for one in made.comparisons}
    found = [one for table in made.findings.tables for task in table.tasks for one in task.statements]
    alone = [one for one in found if one.task != "average"]
    assert {(one.task, one.a, one.b) for one in alone} == set(verdicts)
    for one in alone:
        test = verdicts[one.task, one.a, one.b]
        assert (one.verdict, one.p_corrected) == (test.verdict, pytest.approx(test.p_corrected, nan_ok=True))
    assert {one.verdict for one in alone} == {"better", "tie", "not tested"}


def test_one_seed_and_a_floor_that_is_not_passed_give_no_verdict(written):
    made, _ = written
    texts = {one.about: one.text for table in made.findings.tables for one in (*table.overview, *table.tasks)}
    assert "not tested against" in texts["glue/sst2"]
    assert not re.search("better|worse|tied|equal", texts["glue/sst2"].partition(":")[0])
    assert "NOT shown to be above the floor majority-nano" in texts["glue/rte"]
    assert texts["floor"] == (
        "The best core is above the floor on 1 of the 2 tasks that have one; "
        "it is NOT shown to be on glue/rte: nothing there shows that it learned."
    )
    assert texts["2 tasks"].startswith("Of 2 tasks, ")


def test_a_reference_is_what_every_sentence_is_about(store):
    made = make_report(read_frame([store]), reference="transformer", margin=1.0)
    (texts,) = [{one.about: one.text for one in (*table.overview, *table.tasks)}
                for table in made.findings.tables if table.table == "headline-1"]  # fmt: skip
    assert texts["snli"].startswith("transformer-nano (60.00) is worse than atinuke-nano by 30.00 points [")
    assert "atinuke-nano is better on 1" in texts["2 tasks"]
    assert json.dumps(made.summary(), default=str)


def test_a_frame_without_scores_has_no_sentence(tmp_path, write_run):
    (write_run(tmp_path) / "result.json").unlink()
    assert make_report(read_frame([tmp_path])).findings.tables == ()


def test_short_names_are_told_apart():
    names = [f"atinuke-micro[dropout=0.{n},positions=rotary,causal=true]" for n in range(1, 5)]
    alike = ["a" * 30 + "b" * n + "c" * 30 for n in (1, 2)]
    found = short_names([*names, *alike, "bilstm"])
    assert len(set(found.values())) == len(found)
    assert found[names[0]] == "atinuke-micro[dropout=0.1,…]"
    assert found["bilstm"] == "bilstm"
    assert found[alike[0]] == alike[0]
