"""What runs say to a published figure: z by hand, figures without a spread, and what keeps the two apart."""

from __future__ import annotations

import math
from typing import Any

import pytest

from atinuke_bench.config import parse_recipe
from atinuke_bench.errors import ConfigError
from atinuke_bench.reports.reading.published import Published
from atinuke_bench.reports.reproduction import compare, judge, summary
from atinuke_bench.reports.statistics.ours import Ours

ROW = Published(
    task="snli", split="test", metric="accuracy", value=84.0, spread=0.6, spread_kind="std", seeds=4, statistic="mean",
    system="LSTM", kind="result", pretraining="none", transfer="none", composition="single", data="full",
    source="arXiv 1508.05326", place="table 3", read="primary",
)  # fmt: skip
WRITTEN: dict[str, Any] = {
    "summary": "a protocol",
    "source": "arXiv 1508.05326",
    "place": "section 3",
    "rows": [
        {"task": "snli", "split": "test", "metric": "accuracy", "system": "LSTM", "source": "arXiv 1508.05326"},
    ],
    "suite": {"tasks": ["snli"], "cores": {"lstm": {"core": "bilstm", "preset": "nano"}}, "seeds": [0, 1]},
}
GRID = {"training.learning_rate": [1.0e-3, 2.0e-3]}


def recipe_of(**changes):
    return parse_recipe("own", {**WRITTEN, **changes}, "own.yaml")


def result(score, seed=0, column="lstm", selected=70.0, split="test", **protocol):
    record = {
        "task": "snli",
        "seed": seed,
        "higher_is_better": True,
        "scores": {split: {"accuracy": score}},
        "selection": {"score": selected},
        "protocol": {"is_cut": False, "selection": "held-out", "pretraining": "none", **protocol},
    }
    return column, record


def judged(*scores, row=ROW, recipe=None, **protocol):
    results = [result(score, seed, **protocol) for seed, score in enumerate(scores)]
    (outcome,) = judge(recipe or recipe_of(), results, [row])
    return outcome


def test_z_is_the_difference_of_means_by_its_error():
    """Ours 84.5 and 85.5: mean 85, s² = 0.5, so 1 / sqrt(0.5 / 2 + 0.36 / 4) = 1 / sqrt(0.34)."""
    found = judged(84.5, 85.5)
    assert found.z == pytest.approx(1 / math.sqrt(0.34)) == pytest.approx(1.715, abs=5e-4)
    assert found.is_reproduced
    assert found.sentence == (
        "snli test accuracy: reproduced, within the published spread: z = 1.7 "
        "(ours 85.00 ± 0.71 (2), published 84.00 ± 0.60 (mean 4))"
    )


def test_beyond_1_96_is_outside_and_says_in_which_direction():
    """Ours 82 and 83: mean 82.5, s² = 0.5; -1.5 / sqrt(0.34) = -2.57."""
    found = judged(82.0, 83.0)
    assert (found.finding, found.how) == ("outside", "outside: z = -2.6, which 2 seeds often give by chance")
    assert not found.is_reproduced


def test_five_seeds_are_enough_to_say_so_plainly():
    """Ours 82 to 84: mean 83, s² = 0.625; -1 / sqrt(0.625 / 5 + 0.09) = -2.16."""
    assert judged(82.0, 82.5, 83.0, 83.5, 84.0).how == "outside: z = -2.2"


@pytest.mark.parametrize(("score", "finding"), [(84.0 + 1.959 * 0.3, "within"), (84.0 + 1.961 * 0.3, "outside")])
def test_the_limit_is_1_96(score, finding):
    """Both of ours are equal, so that the error is theirs alone: 0.6 / sqrt(4) = 0.3."""
    assert judged(score, score).finding == finding


@pytest.mark.parametrize(
    ("changes", "scores", "how"),
    [
        ({"spread": None, "spread_kind": "", "seeds": None, "statistic": ""}, (84.0, 85.0), "no spread published"),
        (
            {"statistic": "best", "spread": None, "spread_kind": "", "seeds": 3},
            (84.0, 86.0, 82.0),
            "no z: published is the best of 3, of ours that is 86.00",
        ),
        ({"statistic": "median"}, (84.0, 86.0, 82.5), "no z: published is the median of 4, of ours that is 84.00"),
        ({"seeds": None}, (85.0, 85.2), "within ± 2 published spreads (no number of runs published)"),
        (
            {"seeds": None, "spread_kind": ""},
            (85.0, 85.6),
            "outside ± 2 published spreads (no number of runs published)",
        ),
        ({}, (85.19,), "within ± 2 published spreads (one run of ours) [1 of 2 seeds]"),
        ({"spread_kind": "ci95"}, (84.0, 85.0), "no z: the published spread is ci95"),
        ({"spread": 0.0}, (84.0, 84.0), "no z: neither ours nor theirs has any spread"),
    ],
)  # fmt: skip
def test_without_a_z_it_is_said_why(changes, scores, how):
    found = judged(*scores, row=ROW.model_copy(update=changes), recipe=recipe_of())
    assert found.how == how
    assert found.z is None
    assert found.finding in ("within", "outside") if "spreads" in how else found.finding == "not judged"


def test_a_run_on_cut_data_is_never_reproduced():
    found = judged(84.0, 84.2, is_cut=True)
    assert (found.finding, found.is_reproduced, found.apart) == ("within", False, ("ours is cut or own data",))
    assert "reproduced" not in found.sentence
    assert found.sentence.endswith("; kept apart by: ours is cut or own data")
    assert summary(recipe_of(), [found]) == (
        "own: 0 of 1 figures reproduced, 1 within the published spread but kept apart"
    )


def test_what_keeps_one_run_apart_keeps_all():
    results = [result(84.0), result(84.2, 1, pretraining={"model": "bert-base-uncased"})]
    (found,) = judge(recipe_of(), results, [ROW])
    assert found.apart == ("no pretraining, ours bert-base-uncased",)


def test_selection_on_dev_is_no_difference_where_the_protocol_does_so():
    dev = {"suite": {**WRITTEN["suite"], "select_on": "dev"}}
    assert judged(84.0, 84.2, recipe=recipe_of(**dev), selection="dev").is_reproduced
    assert judged(84.0, 84.2, selection="dev").apart == ("ours was selected on dev",)


def test_of_a_grid_the_setting_with_the_best_selection_score_counts_however_it_tests():
    recipe = recipe_of(grid=GRID)
    low, high = recipe.suite.cores
    results = [
        result(84.0, 0, low, 71.0),
        result(84.2, 1, low, 73.0),
        result(89.0, 0, high, 75.0),
        result(89.0, 1, high, 68.0),
    ]
    (found,) = judge(recipe, results, [ROW])
    assert found.ours is not None
    assert (found.ours.name, found.ours.values) == (low, (84.0, 84.2))
    (found,) = judge(recipe, results[:2], [ROW])
    assert (found.finding, found.how) == ("not measured", "1 of 2 settings have no finished run")


def test_what_was_not_measured_says_why():
    assert judged().how == "no run is finished"
    hidden = judged(84.0, split="dev")
    assert hidden.finding == "not measured"
    assert hidden.how.startswith("not scored here, where test has no labels; `submit`")
    assert judged(84.0, split="dev", row=ROW, recipe=recipe_of()).ours is None


def test_a_recipe_names_exactly_one_row():
    for rows, number in (([], 0), ([ROW, ROW.model_copy(update={"place": "table 4"})], 2)):
        with pytest.raises(ConfigError, match=f"found {number} for snli test accuracy of LSTM, arXiv 1508.05326"):
            judge(recipe_of(), [result(84.0)], rows)


def test_all_of_it_is_plain_data():
    record = judged(84.5, 85.5).record()
    assert record["ours"] == {
        "column": "lstm",
        "mean": 85.0,
        "deviation": pytest.approx(0.5**0.5),
        "values": [84.5, 85.5],
    }
    assert record["published"] == {"value": 84.0, "spread": 0.6, "spread_kind": "std", "seeds": 4, "statistic": "mean"}
    assert (record["finding"], record["reproduced"]) == ("within", True)
    assert judged(85.0).record()["ours"]["deviation"] is None


def test_a_figure_of_one_run_has_no_deviation():
    assert Ours("lstm", (84.0,)).text == "84.00 (1)"
    assert compare(Ours("lstm", (84.0,)), ROW)[0] == "within"
