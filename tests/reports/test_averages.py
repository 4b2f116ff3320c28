"""Averages over tasks, their ranks and differences: by other programs, by hand, and on simulated suites."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from atinuke_bench.config import Pretraining
from atinuke_bench.reports import read_frame
from atinuke_bench.reports.report import make_report
from atinuke_bench.reports.statistics.averages import (
    average_of,
    differences,
    interquartile,
    num_tests_of,
    on_these_tasks,
    performance_profile,
    signed_rank,
    without_each,
)
from atinuke_bench.reports.statistics.cells import measure
from atinuke_bench.reports.statistics.panel import Panel, panel_of
from atinuke_bench.reports.statistics.ranks import Ranking, rank
from atinuke_bench.reports.statistics.spread import Scores, difference
from atinuke_bench.reports.writing.render import write_report

# --- the same scores in rliable 1.2.0 and autorank 1.3.0, whose answers are written down here -------------------------


def _runs(core):
    """Scores of a core, three seeds by six tasks."""
    seed, task = np.meshgrid(np.arange(3), np.arange(6), indexing="ij")
    return np.round(40 + 8 * task + 3 * core * np.cos(task + core) + 2 * np.sin(7 * seed + 3 * task + core), 3)


@pytest.mark.parametrize(
    ("core", "iqm", "of_five_tasks"),
    [
        (0, 59.90839999999999, 55.77044444444445),
        (1, 58.4209, 53.39922222222222),
        (2, 59.3919, 52.924888888888894),
        (3, 63.4439, 57.92777777777778),
    ],
)
def test_the_interquartile_mean_is_that_of_rliable(core, iqm, of_five_tasks):
    assert interquartile(_runs(core).ravel()) == pytest.approx(iqm, abs=1e-6)
    assert interquartile(_runs(core)[:, :5].ravel()) == pytest.approx(of_five_tasks, abs=1e-6)


@pytest.mark.parametrize(
    ("core", "shares"), [(0, [15 / 18, 0.5, 3 / 18]), (1, [14 / 18, 0.5, 3 / 18]), (3, [12 / 18, 0.5, 6 / 18])]
)
def test_the_performance_profile_is_that_of_rliable(core, shares):
    found = performance_profile(_runs(core), np.array([45.0, 60.0, 75.0]))
    assert found.tolist() == pytest.approx(shares, abs=1e-6)


def test_ranks_and_friedmans_test_are_those_of_autorank():
    means = np.stack([np.round(_runs(core).mean(axis=0), 6) for core in range(4)], axis=1)
    means[:2] = [[50, 50, 60, 40], [70, 70, 70, 60]]  # ties
    found = rank(means)
    assert found.mean_ranks.tolist() == pytest.approx([2.75, 2.75, 1.8333333333333333, 2.6666666666666665], abs=1e-6)
    assert found.p == pytest.approx(0.5038689920210273, abs=1e-6)
    # autorank takes the quantile from an approximation that is right to 2e-5; SciPy computes it.
    assert found.critical_difference == pytest.approx(1.9148311793516495, rel=2e-5)


def test_the_critical_difference_is_that_of_the_paper():
    # Demšar 2006, section 3.2.4: 4 classifiers on 14 data sets, q = 2.569.
    found = rank(np.random.default_rng(0).normal(size=(14, 4)))
    assert found.critical_difference == pytest.approx(2.569 * np.sqrt(4 * 5 / (6 * 14)), abs=1e-3)


def test_bars_join_neighbours_that_are_not_told_apart():
    ranking = Ranking(np.array([1.0, 3.5, 1.5, 2.6, 4.9]), 0.001, 1.2, 10)
    assert ranking.ties() == [(0, 2), (2, 3), (3, 1)]
    # Where Friedman's test finds nothing, no pair is told apart.
    assert Ranking(ranking.mean_ranks, 0.2, 1.2, 10).ties() == [(0, 2, 3, 1, 4)]


@pytest.mark.parametrize(("num_rows", "is_told_apart"), [(5, False), (6, True)])
def test_five_wins_of_five_are_no_significant_rank(num_rows, is_told_apart):
    found = rank(np.array([[2.0, 1.0]] * num_rows))
    assert found.p == pytest.approx(2 * 0.5**num_rows)
    assert found.are_told_apart(0, 1) == is_told_apart
    assert rank(np.ones((num_rows, 2))).p == 1.0


# --- by hand ----------------------------------------------------------------------------------------------------------


def _scores(means, deviation=0.0, num_units=400, seed=0):
    """Scores of three seeds around each mean, and resamples that vary by `deviation`, alike for all seeds."""
    generator = np.random.default_rng(seed)
    found = []
    for mean in means:
        observed = mean + np.array([-1.0, 0.0, 1.0])
        drawn = generator.normal(size=(4000, 1))
        found.append(Scores(observed, observed + deviation * (drawn - drawn.mean()) / drawn.std(), num_units))
    return tuple(found)


def _panel(scores, families=("squad", "snli", "glue", "glue"), overlap=None, **fields):
    tasks = tuple(f"{family} {place}" for place, family in enumerate(families))
    return Panel(tasks, tuple(families), scores, np.eye(len(families)) if overlap is None else overlap, **fields)


def test_the_average_weighs_families_alike_and_adds_variances():
    panel = _panel({"a": _scores([80, 70, 60, 40], 2.0)})
    found = average_of(panel, "a")
    weights = np.array([2, 2, 1, 1]) / 6
    assert found.here.value == pytest.approx((80 + 70 + 50) / 3)
    # Of each task: the units' variance 4, and of three seeds with variance 1 a third of it.
    assert found.here.error**2 == pytest.approx((weights**2).sum() * (4 + 1 / 3), rel=0.01)
    # Families are drawn: Student's t over their means.
    low, high = stats.t.interval(0.95, 2, loc=200 / 3, scale=stats.sem([80, 70, 50]))
    assert found.elsewhere.interval() == pytest.approx((low, high))


def test_tasks_that_share_units_are_no_independent_evidence():
    scores = {"a": _scores([80, 70, 60, 40], 2.0)}
    overlap = np.eye(4)
    overlap[2, 3] = overlap[3, 2] = 0.5
    variances = [on_these_tasks(_panel(scores, overlap=own), [("a", 1.0)]).error ** 2 for own in (None, overlap)]
    assert variances[1] - variances[0] == pytest.approx(2 * 0.5 * (1 / 6) ** 2 * 2.0**2, rel=0.01)


def test_where_seeds_are_shared_the_average_of_a_seed_is_the_observation():
    scores = {"a": _scores([80, 70, 60, 40])}
    seeds = {"a": ((0, 1, 2),) * 4}
    alone, shared = (
        on_these_tasks(_panel(scores, shares_seeds=own, seeds=seeds), [("a", 1.0)]) for own in (False, True)
    )
    assert shared.error**2 == pytest.approx(1 / 3)  # -1, 0 and 1 in all tasks
    assert alone.error**2 == pytest.approx((4 + 4 + 1 + 1) / 36 / 3)
    assert shared.freedom == pytest.approx(2)
    assert alone.freedom > 5
    two = {"a": tuple(Scores(own.observed[:2], own.resampled[:, :2], 400) for own in scores["a"])}
    assert np.isnan(on_these_tasks(_panel(two, shares_seeds=True), [("a", 1.0)]).error)
    assert average_of(_panel(scores, shares_seeds=True, seeds=seeds), "a").elsewhere.interval() is None
    other = {"a": ((0, 1, 2), (0, 1, 2), (0, 1, 2), (3, 4, 5))}
    assert np.isnan(on_these_tasks(_panel(scores, shares_seeds=True, seeds=other), [("a", 1.0)]).error)


def test_one_task_is_judged_as_its_column_is():
    generator = np.random.default_rng(1)
    sides = []
    for _ in range(2):
        observed = generator.normal(70, 1, size=8)
        sides.append(Scores(observed, observed + generator.normal(0, 0.5, size=(500, 8)), 300))
    one = on_these_tasks(_panel({"a": (sides[0],), "b": (sides[1],)}, ("snli",)), [("a", 1.0), ("b", -1.0)])
    column = difference(*sides)
    assert (one.value, one.error) == pytest.approx((column.value, column.error))


def test_the_verdict_on_all_tasks_but_one():
    panel = _panel({"a": _scores([90, 70, 60, 60], 0.1), "b": _scores([80, 70, 60, 60], 0.1, seed=1)})
    (one,) = found = differences(panel)
    assert (one.a, one.b, one.verdict) == ("a", "b", "better")
    left = without_each(panel, found, num_tests_of(panel, None))
    assert {task: own[0].verdict for task, own in left.items()} == {
        "squad 0": "tie",
        "snli 1": "better",
        "glue 2": "better",
        "glue 3": "better",
    }
    assert left["snli 1"][0].spread.value == pytest.approx(5.0)


def test_differences_are_corrected_over_all_pairs_or_those_with_the_reference():
    scores = {name: _scores([mean, 70, 60, 60], 1.0, seed=mean) for name, mean in (("a", 80), ("b", 77), ("c", 74))}
    best = differences(_panel(scores))
    assert [(one.a, one.b) for one in best] == [("a", "b"), ("a", "c")]
    p_values = sorted(one.spread.p_value for one in best)
    assert min(one.p_corrected for one in best) == pytest.approx(3 * p_values[0])
    against = differences(_panel(scores), "b")
    assert [(one.a, one.b) for one in against] == [("a", "b"), ("c", "b")]
    assert min(one.p_corrected for one in against) == pytest.approx(2 * min(one.spread.p_value for one in against))


def test_one_seed_is_never_a_verdict():
    single = tuple(Scores(np.array([mean]), np.full((50, 1), mean), 300) for mean in (80.0, 70.0, 60.0, 40.0))
    (one,) = differences(_panel({"a": single, "b": _scores([50, 50, 50, 40])}), margin=1.0)
    assert one.verdict == "not tested"
    assert np.isnan([one.p_corrected, one.p_elsewhere_corrected, one.p_signed_rank]).all()


def test_two_families_say_nothing_of_others():
    panel = _panel({"a": _scores([80, 70]), "b": _scores([60, 50])}, ("squad", "snli"))
    (one,) = differences(panel)
    assert one.verdict == "better"
    assert one.elsewhere.interval() is None
    assert np.isnan(one.p_elsewhere_corrected)


def test_of_one_family_the_tasks_are_drawn():
    panel = _panel({"a": _scores([80, 70, 60])}, ("glue", "glue", "glue"))
    assert panel.noun == "tasks"
    assert average_of(panel, "a").elsewhere.error == pytest.approx(stats.sem([80, 70, 60]))


def test_signed_ranks_are_enumerated():
    values = np.array([3.0, -1.0, 4.0, 2.0, 5.0, 6.0])
    signs = np.array(np.meshgrid(*[[-1, 1]] * 6)).reshape(6, -1).T
    ranks = stats.rankdata(np.abs(values))
    sums = (signs > 0) @ ranks
    observed = ranks[values > 0].sum()
    centre = ranks.sum() / 2
    assert signed_rank(values) == pytest.approx(np.mean(np.abs(sums - centre) >= abs(observed - centre)))


# --- simulated suites -------------------------------------------------------------------------------------------------


NUM_SUITES = 150
#: What is wrong in 5 % of all suites is wrong in a larger share of so many once in a thousand times.
MOST_WRONG = 100 * stats.binom.ppf(0.999, NUM_SUITES, 0.05) / NUM_SUITES


@pytest.fixture(name="benchmark", scope="module")
def _benchmark():
    path = Path(__file__).parents[2] / "benchmarks" / "verdict_coverage.py"
    spec = importlib.util.spec_from_file_location("verdict_coverage", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its dataclasses look for their annotations
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_intervals_hold_the_truth_and_few_winners_are_false(benchmark):
    shares = {name: own[0] for name, own in benchmark.measure("equal", NUM_SUITES, [3]).items()}
    for name, share in shares.items():
        if name.startswith("interval"):
            assert share >= 100 - MOST_WRONG, name
        elif name in ("'better' on these tasks (false)", "'better' on tasks like these (false)"):
            assert share <= MOST_WRONG, name


def test_what_differs_by_the_margin_is_seldom_called_equal(benchmark):
    shares = {name: own[0] for name, own in benchmark.measure("different by the margin", NUM_SUITES, [3]).items()}
    assert shares["'equal within 1 point' (false)"] <= MOST_WRONG
    equal = {name: own[0] for name, own in benchmark.measure("equal, large tests", 40, [5]).items()}
    assert equal["'equal within 1 point' (true)"] >= 50


# --- in a report ------------------------------------------------------------------------------------------------------


def _suite(store, write_run, cores, tasks=("snli", "glue/rte", "glue/qnli", "glue/sst2"), num_seeds=3, **fields):
    for core, right in cores.items():
        for task in tasks:
            for seed in range(num_seeds):
                write_run(store, core, task=task, seed=seed, right=right, label=core, **fields)


def _tables(made):
    return {table.name: table for table in made.tables if table.section == "across"}


def test_a_report_averages_over_tasks(tmp_path, write_run):
    _suite(tmp_path / "runs", write_run, {"aaa": 0.9, "bb": 0.7, "c": 0.6})
    write_run(tmp_path / "runs", "majority", right=0.5)
    write_run(tmp_path / "runs", "dddd", right=0.5, label="dddd")
    made = write_report([tmp_path / "runs"], tmp_path / "out", margin=1.0)
    written = {path.stem: pd.read_csv(path) for path in (tmp_path / "out" / "tables").glob("across*.csv")}
    own = written["across-1"].set_index("core")
    assert list(own.index) == ["aaa", "bb", "c"]
    headline = next(table for table in made.tables if table.name == "headline-1").data
    means = headline[headline["task"] == "average"].set_index("core")["mean"]
    assert own["average"].to_dict() == pytest.approx(means[own.index].to_dict())
    assert own["mean rank"].tolist() == [1, 2, 3]
    assert (own["low"] < own["average"]).all()
    assert (own["average"] < own["high"]).all()
    pairs = written["across-differences-1"]
    assert [tuple(pair) for pair in pairs[["a", "b", "verdict"]].values] == [
        ("aaa", "bb", "better"),
        ("aaa", "c", "better"),
    ]
    assert pairs["low 90"].notna().all()
    tables = _tables(made)
    assert any("Left out" in note and "dddd" in note for note in tables["across-1"].notes)
    sentences = [note for note in tables["across-differences-1"].notes if "left out" in note]
    assert len(sentences) == 2
    assert sentences[0].startswith("aaa against bb: better, whichever task is left out; the difference is +20")
    names = {plot.name for plot in made.plots if plot.section == "across"}
    assert names == {"ranks-1", "profile-1"}
    page = (tmp_path / "out" / "report.html").read_text()
    assert "<h2>Across tasks</h2>" in page
    assert (tmp_path / "out" / "figures" / "ranks-1.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("undrawn")
def test_protocols_and_kinds_of_data_are_never_averaged_together(tmp_path, write_run):
    cores = {"aaa": 0.9, "bb": 0.7}
    _suite(tmp_path, write_run, cores, ("snli", "glue/rte"))
    _suite(tmp_path / "generated", write_run, {"aaa": 0.5, "bb": 0.4}, ("coref-like", "srl-like"), source="microworld")
    _suite(tmp_path / "other", write_run, {"aaa": 0.6, "bb": 0.4}, ("snli",), train_size=7, config="other: 1\n")
    made = make_report(read_frame([tmp_path]))
    tables = {name: table for name, table in _tables(made).items() if "differences" not in name}
    tasks = sorted(set(table.data["tasks"]).pop() for table in tables.values())
    assert tasks == ["coref-like, srl-like", "glue/rte, snli"]
    assert len({table.title for table in tables.values()}) == 2
    (note,) = made.notes["across"]
    assert note.startswith("An average over tasks needs two trained cores that share two tasks")
    assert "protocol 2" in note


@pytest.mark.usefixtures("undrawn")
def test_one_task_or_one_seed_is_a_line_and_no_verdict(tmp_path, write_run):
    _suite(tmp_path / "task", write_run, {"aaa": 0.9, "bb": 0.7}, ("snli",))
    made = make_report(read_frame([tmp_path / "task"]), margin=1.0)
    assert not _tables(made)
    assert len(made.notes["across"]) == 1
    _suite(tmp_path / "seed", write_run, {"aaa": 0.9, "bb": 0.7}, num_seeds=1)
    tables = _tables(make_report(read_frame([tmp_path / "seed"]), margin=1.0))
    assert tables["across-differences-1"].data["verdict"].tolist() == ["not tested"]
    assert any("two or more seeds" in note for note in tables["across-differences-1"].notes)
    assert any(note.startswith("One seed") for note in tables["across-1"].notes)


@pytest.mark.usefixtures("undrawn")
def test_what_cannot_be_paired_is_named_and_not_tested(tmp_path, write_run):
    _suite(tmp_path, write_run, {"aaa": 0.9, "bb": 0.7}, ("snli", "glue/rte"))
    for path in (tmp_path / "glue" / "rte" / "bb").glob("*/predictions.parquet"):
        path.write_bytes(b"no parquet")
    table = _tables(make_report(read_frame([tmp_path])))["across-differences-1"]
    assert table.data["verdict"].tolist() == ["not tested"]
    assert "aaa against bb: not tested, since predictions cannot be paired on glue/rte." in table.notes


@pytest.mark.usefixtures("undrawn")
def test_a_reference_is_compared_with_across_tasks_too(tmp_path, write_run):
    _suite(tmp_path, write_run, {"aaa": 0.9, "bb": 0.7, "c": 0.6})
    table = _tables(make_report(read_frame([tmp_path]), reference="bb"))["across-differences-1"]
    assert [tuple(pair) for pair in table.data[["a", "b", "verdict"]].values] == [
        ("aaa", "bb", "better"),
        ("c", "bb", "worse"),
    ]


def test_the_panel_is_the_largest_that_cores_share(tmp_path, write_run):
    _suite(tmp_path, write_run, {"aaa": 0.9, "bb": 0.7}, num_seeds=2)
    for place in range(5):
        write_run(tmp_path, f"only{place}", label=f"only-snli-{place}{'x' * place}")
    write_run(tmp_path, "aaa", task="lm", label="aaa", edit={"higher_is_better": False})
    write_run(tmp_path, "bb", task="lm", label="bb", edit={"higher_is_better": False})
    frame = read_frame([tmp_path])
    cells, _ = measure(frame, num_resamples=50)
    panel = panel_of(frame, cells, cells)
    assert panel is not None
    assert set(panel.scores) == {"aaa", "bb"}
    assert set(panel.tasks) == {"snli", "glue/rte", "glue/qnli", "glue/sst2"}
    assert not panel.shares_seeds
    only = frame.runs["task"] == "snli"
    assert panel_of(frame, set(frame.runs.loc[only, "column"]), cells) is None


@pytest.mark.usefixtures("undrawn")
def test_runs_from_earlier_runs_share_their_seeds(tmp_path, write_run):
    before = Pretraining(task="lm", objective="causal", data="0a1b2c3d", settings="11112222").to_stored()
    _suite(tmp_path, write_run, {"aaa": 0.9, "bb": 0.7}, pretraining=before)
    frame = read_frame([tmp_path])
    cells, _ = measure(frame, num_resamples=50)
    panel = panel_of(frame, cells, cells)
    assert panel is not None
    assert panel.shares_seeds
    assert panel.seeds is not None
    assert set(panel.seeds["aaa"]) == {(0, 1, 2)}
    made = make_report(frame)
    (table,) = [table for name, table in _tables(made).items() if "differences" not in name]
    assert any("the average of each seed is one observation" in note for note in table.notes)


def test_tasks_of_a_family_share_the_units_that_have_the_same_name(tmp_path, write_run):
    for task, first in (("glue/rte", 0), ("glue/qnli", 10)):
        for core in ("aaa", "bb"):
            folder = write_run(tmp_path, core, task=task, label=core)
            rows = pd.read_parquet(folder / "predictions.parquet")
            rows["unit"] = [f"text {first + number // 10}" for number in range(len(rows))]
            rows.to_parquet(folder / "predictions.parquet")
    frame = read_frame([tmp_path])
    cells, _ = measure(frame, num_resamples=50)
    panel = panel_of(frame, cells, cells)
    assert panel is not None
    assert panel.overlap[0, 1] == pytest.approx(20 / 30)  # texts 10 to 29 of 0 to 29 and 10 to 39
