"""What a report says of studies: what to set, pairs, effects in figures, and the best to expect of several cores."""

from __future__ import annotations

import json

import pytest

from atinuke_bench.reports.reading.studies import Study, read_studies
from atinuke_bench.reports.sections.studies import (
    importance_table,
    pairs_table,
    rivals_table,
    studies_plots,
    studies_table,
)

RATE, NORM = "training.learning_rate", "core.norm"


def insight(core="atinuke", **changes):
    """A study of four random trials, as `sweep show` writes it, cut to what reports read."""
    params = [{RATE: 10.0**-place, NORM: "pre" if place % 2 else "post"} for place in range(2, 6)]
    trials = [
        {"number": n, "state": "complete", "score": 60.0 + n, "params": own, "training_flops": 10.0, "parameters": 100}
        for n, own in enumerate(params)
    ]
    effect = {"mean": [60.0, 62.0], "low": [59.0, 61.0], "high": [61.0, 63.0], "where": 1.0}
    return {
        "schema": 1, "study": f"search-{core}", "comparison": "search", "task": "snli", "core": core, "preset": "nano",
        "metric": "accuracy", "higher_is_better": True, "sampler": "random", "seed": 0, "trials": trials, "best": 3,
        "spent": {"trials": 4, "seconds": 4.0, "training_flops": 40.0},
        "parameters": {RATE: {"kind": "float", "low": 1e-5, "high": 1e-2, "log": True},
                       NORM: {"kind": "categorical", "choices": ["pre", "post"]}},
        "history": [{"number": n, "score": 60.0 + n, "best": 60.0 + n, "trials": n + 1, "seconds": n + 1.0,
                     "training_flops": 10.0 * (n + 1)} for n in range(4)],
        "importance": {
            "method": "fanova", "values": {RATE: 0.6, NORM: 0.005}, "intervals": {RATE: [0.45, 0.72], NORM: [0, 0.04]},
            "shown": {RATE: True, NORM: False}, "unexplained": 0.2, "resamples": 100, "trials": 4,
            "pairs": [{"x": RATE, "y": NORM, "share": 0.1, "interval": [0.02, 0.2], "shown": True}],
        },
        "effects": {
            RATE: {**effect, "values": [1e-5, 1e-2], "best": 1e-2, "preference": True, "good": [[1e-2, 1e-2]],
                   "is_good": [False, True]},
            NORM: {**effect, "values": ["pre", "post"], "best": "post", "preference": False, "good": None,
                   "is_good": [False, False]},
        },
        "advice": [{"parameter": RATE, "text": "60 % [45, 72] of the variance; good: 0.01"},
                   {"parameter": NORM, "text": "0.5 % [0, 4] of the variance, not shown to matter"}],
        "expected_best": {"trials": [1, 2], "training_flops": [10.0, 20.0], "mean": [61.5, 62.0], "low": [60.5, None],
                          "high": [62.5, None], "of": 4},
        "notes": ["20 % of the variance of scores is noise, or what three parameters do together."],
        "slices": {path: [[own[path], 60.0 + n] for n, own in enumerate(params)] for path in (RATE, NORM)},
        "pareto": [], **changes,
    }  # fmt: skip


@pytest.fixture
def studies(tmp_path):
    return [Study(insight(core), tmp_path) for core in ("atinuke", "bilstm")]


def test_trials_over_a_limit_and_from_other_studies_are_shown_as_sweep_show_does(studies, tmp_path):
    trials = insight()["trials"]
    trials[0] |= {"state": "infeasible", "over": {"parameters": [100, 50]}}
    trials[1] |= {"from": {"study": "first", "number": 4, "as": "known"}}
    trials[2] |= {"from": {"study": "first", "number": 5, "as": "known"}}
    trials[3] |= {"from": {"study": "second", "number": 6, "as": "point"}}
    fresh = {"mean": 62.0, "count": 3}
    rival = {"number": 3, "score_in_study": 63.0, "selection": fresh, "evaluated": fresh, "folders": []}
    begun = Study(insight(trials=trials), tmp_path, (rival,))
    table = studies_table([studies[1], begun])
    assert table.data["infeasible"].tolist() == table.shown["infeasible"].tolist() == [0, 1]
    assert table.shown["from"].tolist() == ["", "2 known from first, 1 point of second"]
    assert table.shown["best trial"].iloc[1].startswith("3 (point of second #6): ")
    rivals = rivals_table([begun])
    assert rivals is not None
    assert rivals.shown["trial"].tolist() == ["3 (point of second #6)"]
    assert rivals.data["trial"].tolist() == [3]
    plain = studies_table(studies)
    assert not {"infeasible", "from"} & set(plain.shown)
    assert {"infeasible", "from"} <= set(plain.data)


def test_every_hyper_parameter_has_a_sentence(studies):
    table = importance_table(studies[:1])
    assert table is not None
    assert table.shown.iloc[0].tolist() == [
        "search-atinuke", f"{RATE}: 60 % [45, 72] of the variance; good: 0.01",
    ]  # fmt: skip
    assert table.data[["importance", "low", "high"]].values.tolist() == [[0.6, 0.45, 0.72], [0.005, 0.0, 0.04]]
    assert table.notes[1] == f"search-atinuke: {studies[0].insight['notes'][0]}"


def test_a_study_without_importance_says_why_and_an_older_one_has_its_shares(tmp_path):
    none = insight(
        importance=None, importance_note="3 complete trials; it takes 8", effects=None, advice=[], expected_best=None
    )
    older = insight("bilstm", importance={"values": {RATE: 0.9}})
    for name in ("effects", "advice", "expected_best", "notes"):
        del older[name]
    studies = [Study(none, tmp_path), Study(older, tmp_path)]
    table = importance_table(studies)
    assert table is not None
    assert table.shown.iloc[:, 1].tolist() == ["3 complete trials; it takes 8", f"{RATE}: 90.0 % of the variance"]
    assert pairs_table(studies) is None
    drawn = {plot.name for plot in studies_plots(studies)[0]}
    assert drawn == {"study-history-search", "study-importance-search-bilstm", "study-slices-search-atinuke",
                     "study-slices-search-bilstm"}  # fmt: skip


def test_pairs_are_shown_with_their_intervals(studies):
    table = pairs_table(studies[:1])
    assert table is not None
    assert table.shown.iloc[0].tolist() == ["search-atinuke", f"{RATE} with {NORM}", "10.0 % [2.0, 20.0]", "yes"]


def test_the_cores_of_a_comparison_have_their_best_to_expect_in_one_figure(studies):
    plots, notes = studies_plots(studies)
    (drawn,) = (plot for plot in plots if plot.name.startswith("study-expected"))
    for core in ("atinuke", "bilstm"):
        assert f"<title>search-{core}, 1 trials: 61.50 [60.50, 62.50]</title>" in drawn.svg
        assert f"<title>search-{core}, 20 FLOPs: 62.00</title>" in drawn.svg
    assert any("unbiased estimator" in note for note in notes)


def test_a_study_whose_trials_depend_on_each_other_has_a_reason_instead(tmp_path):
    reason = "trials of sampler tpe depend on earlier ones"
    plots, notes = studies_plots([Study(insight(expected_best=None, expected_best_note=reason), tmp_path)])
    assert not [plot for plot in plots if plot.name.startswith("study-expected")]
    assert notes == [f"search-atinuke: the best to expect of so many trials is not drawn: {reason}."]


def test_figures_say_shares_and_effects(studies):
    drawn = {plot.name: plot.svg for plot in studies_plots(studies)[0]}
    shares = drawn["study-importance-search-atinuke"]
    assert f"<title>{RATE}: 60.0 % [45.0, 72.0]</title>" in shares
    assert f"<title>{NORM}: 0.5 % [0.0, 4.0], not shown to matter</title>" in shares
    assert f"<title>{RATE} with {NORM}: 10.0 % [2.0, 20.0]</title>" in shares
    effects = drawn["study-slices-search-atinuke"]
    assert f"<title>{RATE}=0.01: mean 62.00 [61.00, 63.00], good</title>" in effects
    assert f"<title>{NORM}=post: mean 62.00 [61.00, 63.00]</title>" in effects


@pytest.mark.parametrize("damage", [
    {"effects": {RATE: {"values": [1], "mean": [1.0], "low": [1.0, 2.0], "high": [1.0], "is_good": [True]}}},
    {"importance": {"values": {RATE: 0.5}, "intervals": {RATE: [0.1]}}},
    {"expected_best": {"trials": [1], "training_flops": [1.0], "mean": [], "low": [None], "high": [None], "of": 1}},
])  # fmt: skip
def test_what_cannot_be_drawn_is_a_gap(tmp_path, damage):
    folder = tmp_path / "studies" / "search"
    folder.mkdir(parents=True)
    (folder / "insight.json").write_text(json.dumps(insight() | damage))
    studies, gaps = read_studies([tmp_path])
    assert not studies
    assert gaps[0].reason.startswith("damaged study: ")
