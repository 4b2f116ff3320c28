"""Better, equal within a margin, undecided: what is said of a difference, and of a margin that is none."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner

from atinuke_bench.cli import app
from atinuke_bench.errors import ConfigError
from atinuke_bench.reports import read_frame
from atinuke_bench.reports.pairwise import compare_sides
from atinuke_bench.reports.report import make_report
from atinuke_bench.reports.sections.ablation import ablation_table, ablations
from atinuke_bench.reports.statistics.cells import measure
from atinuke_bench.reports.statistics.spread import Spread
from atinuke_bench.reports.statistics.verdict import Judged, corrected, equivalence_p

pytestmark = pytest.mark.usefixtures("undrawn")


def _judge(value, error, margin=1.0, freedom=30.0, **fields):
    (one,) = corrected([Judged(spread=Spread(value, error, freedom), p_corrected=np.nan, **fields)], None, margin)
    return one


def test_tost_is_two_one_sided_t_tests():
    spread = Spread(0.4, 0.35, 12.0)
    lower = stats.t.sf((0.4 + 1) / 0.35, 12)
    upper = stats.t.cdf((0.4 - 1) / 0.35, 12)
    assert equivalence_p(spread, 1.0) == pytest.approx((max(lower, upper), min(lower, upper)))


@pytest.mark.parametrize("value", [-0.62, -0.3, 0.0, 0.45, 0.52, 0.6, 1.4])
def test_a_difference_is_equal_where_its_90_percent_interval_lies_within_the_margin(value):
    one = _judge(value, 0.3, freedom=17.0)
    low, high = stats.t.interval(0.9, 17, loc=value, scale=0.3)
    record = one.margin_record()
    assert (record["low 90"], record["high 90"]) == pytest.approx((low, high))
    assert one.equivalence.is_shown == (low > -1 and high < 1)


@pytest.mark.parametrize(
    ("value", "error", "margin", "finding"),
    [
        (0.1, 0.2, None, "tie (detectable: 0.58)"),
        (0.1, 0.2, 1.0, "equal within 1 point"),
        (0.1, 0.2, 0.5, "equal within 0.5 points"),
        (-0.1, 0.2, 0.2, "undecided (detectable: 0.58)"),
        (0.6, 0.5, 1.0, "undecided (detectable: 1.45; A is not worse by 1 point)"),
        (-0.6, 0.5, 1.0, "undecided (detectable: 1.45; B is not worse by 1 point)"),
        (3.0, 0.5, 1.0, "better"),
        (-3.0, 0.5, 1.0, "worse"),
        (0.5, 0.1, 1.0, "better, by less than 1 point"),
        (-0.5, 0.1, 1.0, "worse, by less than 1 point"),
        (0.0, 0.0, None, "tie (scored alike on every example; detectable: unknown)"),
        (0.0, 0.0, 1.0, "undecided (scored alike on every example; detectable: unknown)"),
        (0.0, 0.0, 20.0, "equal within 20 points"),  # of 31 units so many would hardly hide
        (0.1, np.nan, 1.0, "not tested"),
    ],
)
def test_what_is_said_of_a_difference(value, error, margin, finding):
    assert _judge(value, error, margin).finding == finding


def test_holm_corrects_equivalence_over_the_comparisons_too():
    spreads = [Spread(0.0, error, 30.0) for error in (0.45, 0.55)]
    alone = [equivalence_p(spread, 1.0)[0] for spread in spreads]
    both = corrected([Judged(spread=spread, p_corrected=np.nan) for spread in spreads], None, 1.0)
    assert [one.margin_record()["p equal corrected"] for one in both] == pytest.approx(
        [2 * alone[0], max(2 * alone[0], alone[1])]
    )
    many = corrected([Judged(spread=spread, p_corrected=np.nan) for spread in spreads], 10, 1.0)
    assert many[0].margin_record()["p equal corrected"] == pytest.approx(10 * alone[0])


@pytest.fixture(name="store", scope="module")
def _store(tmp_path_factory, write_run):
    """Cores a and b answer alike, c worse; on RTE each has one seed."""
    store = tmp_path_factory.mktemp("runs")
    for seed in range(4):
        for core, right in (("aaa", 0.8), ("bb", 0.8), ("c", 0.6)):
            write_run(store, core, seed=seed, right=right, num=2000, label=core)
    for core in ("aaa", "bb"):
        write_run(store, core, task="glue/rte", label=core)
    return store


def test_a_report_with_a_margin_calls_equal_what_is(store):
    frame = read_frame([store])
    made = make_report(frame, margin=3.0)
    verdicts = {(one.column.task, one.b.variant): one.verdict for one in made.comparisons}
    assert {verdicts["snli", name] for name in ("aaa", "bb") if ("snli", name) in verdicts} == {"equal"}
    assert verdicts["snli", "c"] == "better"
    assert [verdict for (task, _), verdict in verdicts.items() if task == "glue/rte"] == ["not tested"]
    (comparisons,) = [table for table in made.tables if table.name == "comparisons"]
    assert {"90 % interval", "p equal, corrected"} <= set(comparisons.shown.columns)
    assert any(note.startswith("Margin 3 points") for note in comparisons.notes)
    (headline,) = [table for table in made.tables if table.name == "headline-1"]
    own = headline.shown.set_index("core")["snli test accuracy"]
    assert [own[name].endswith(" =") for name in ("aaa", "bb", "c")] == [True, True, False]
    assert any(note.startswith("= equal: shown to be within 3 points") for note in headline.notes)


def test_without_a_margin_nothing_is_said_of_equality(store):
    made = make_report(read_frame([store]))
    assert {one.verdict for one in made.comparisons} == {"tie", "better", "not tested"}
    summary = made.summary()
    # Systems of the published record are called as they like.
    texts = json.dumps({**summary, "tables": {**summary["tables"], "published": []}}, default=str)
    assert "equal" not in texts
    assert "margin" not in texts.replace('"margin": null', "")


def test_compare_with_a_margin(store):
    found = compare_sides("aaa", "bb", store, margin=3.0)
    snli = next(one for one in found.comparisons if one.column.task == "snli")
    assert snli.verdict == "equal"
    low, high = snli.spread.interval(0.9) or (np.nan, np.nan)
    assert -3 < low < high < 3
    result = CliRunner().invoke(app, ["compare", "aaa", "bb", "--runs", str(store), "--margin", "3"])
    assert result.exit_code == 0, result.output
    assert "equal within 3 points" in result.stdout
    assert "a test over seeds needs two or more seeds" in result.stdout
    assert "Margin 3 points" in result.stdout
    assert "90 % interval" in result.stdout
    record = json.loads(
        CliRunner().invoke(app, ["compare", "aaa", "bb", "--runs", str(store), "--margin", "3", "--json"]).stdout
    )["comparisons"]
    assert {one["margin"] for one in record} == {3.0}
    plain = json.loads(CliRunner().invoke(app, ["compare", "aaa", "bb", "--runs", str(store), "--json"]).stdout)
    assert not {"margin", "p equal", "finding"} & plain["comparisons"][0].keys()


@pytest.mark.parametrize("margin", ["-1", "0", "nan", "inf", "100"])
@pytest.mark.parametrize("command", ["report", "compare"])
def test_a_margin_that_is_none_is_refused(store, tmp_path, command, margin):
    given = [str(store), "--out", str(tmp_path / "out")] if command == "report" else ["aaa", "bb", "--runs", str(store)]
    result = CliRunner().invoke(app, [command, *given, "--margin", margin])
    assert isinstance(result.exception, ConfigError)
    assert str(result.exception) == (
        f"--margin is a number of points above 0 and below 100, such as 1; found {float(margin):g}"
    )
    assert not (tmp_path / "out").exists()


def test_a_margin_that_is_no_number_is_refused(store):
    result = CliRunner().invoke(app, ["compare", "aaa", "bb", "--runs", str(store), "--margin", "much"])
    assert result.exit_code == 2


def test_points_say_nothing_of_what_is_no_percentage(tmp_path, write_run):
    for seed in range(3):
        for core in ("aaa", "bb"):
            write_run(tmp_path, core, seed=seed, label=core, edit={"higher_is_better": False})
    found = compare_sides("aaa", "bb", tmp_path, margin=50.0)
    (one,) = found.comparisons
    assert one.why_no_margin == one.note == "a margin in points is of percentages alone"
    assert one.verdict == "undecided"


def test_two_seeds_are_never_equal_on_one_task(tmp_path, write_run):
    for seed in range(2):
        for core in ("aaa", "bb"):
            write_run(tmp_path, core, seed=seed, num=2000, label=core)
    (one,) = compare_sides("aaa", "bb", tmp_path, margin=50.0).comparisons
    assert (one.verdict, one.note) == ("undecided", "equal on one task needs 3 seeds of each trained core")
    (plain,) = compare_sides("aaa", "bb", tmp_path).comparisons
    assert (plain.verdict, plain.note) == ("tie", "")


def test_a_loss_is_judged_but_never_equal():
    class Loss(Judged):
        higher_is_better = False
        why_no_margin = "a loss"

    (one,) = corrected([Loss(spread=Spread(-0.1, 0.2, 30.0), p_corrected=np.nan)], None, 1.0)
    assert one.verdict == "undecided"
    (one,) = corrected([Loss(spread=Spread(-2.0, 0.2, 30.0), p_corrected=np.nan)], None, 1.0)
    assert one.finding == "better"


def test_an_ablation_has_the_margin_too(tmp_path, write_run):
    config = "core:\n  name: atinuke\n  causal: {}\ntraining:\n  learning_rate: 0.001\n"
    for seed in range(4):
        for causal in ("true", "false"):
            label = "atinuke-nano" if causal == "true" else "atinuke-nano[causal=false]"
            write_run(tmp_path, label=label, seed=seed, num=2000, config=config.format(causal))
    frame = read_frame([tmp_path])
    found = ablations(frame, measure(frame, num_resamples=200)[0], margin=4.0)
    table = ablation_table(frame, found, margin=4.0)
    assert list(table.shown["the change is"]) == ["equal within 4 points"]
    assert any(note.startswith("Margin 4 points") for note in table.notes)
