"""What factors are worth: effects, Shapley values and errors against other ways to compute them; the page."""

from __future__ import annotations

import json
from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from atinuke_bench.reports.reading.collect import read_frame
from atinuke_bench.reports.reading.suites import read_suites
from atinuke_bench.reports.sections.attribution import attribution_tables, attributions
from atinuke_bench.reports.statistics.attribution import break_down, effects, level_means, shares_of_variance
from atinuke_bench.reports.statistics.cells import measure
from atinuke_bench.reports.statistics.factorial import Factorial
from atinuke_bench.reports.statistics.spread import Scores
from atinuke_bench.reports.writing.render import write_report
from atinuke_bench.runs.grid import read_suite
from atinuke_bench.runs.suite_record import open_record

NUM_UNITS, NUM_RESAMPLES = 400, 50


def factorial(means, num_seeds=3, noise=0.0, common=0.0, seed=0, **given):
    """Cells with given means, [levels of each factor], whose scores units explain nothing of."""
    generator = np.random.default_rng(seed)
    means = np.asarray(means, dtype=float)
    factors = {name: tuple(f"{name}{n}" for n in range(num)) for name, num in zip("abcd", means.shape, strict=False)}
    luck = generator.normal(0, common, num_seeds) if common else np.zeros(num_seeds)
    scores = {}
    for key, mean in zip(product(*factors.values()), means.ravel(), strict=True):
        own = mean + luck + (generator.normal(0, noise, num_seeds) if noise else 0.0)
        scores[key] = Scores(own, np.tile(own, (NUM_RESAMPLES, 1)), NUM_UNITS)
    return Factorial(factors, scores, **given)


def values(found):
    return {" x ".join(new for _, new in one.changes.values()): one.spread.value for one in found}


# --- values -----------------------------------------------------------------------------------------------------------


def test_effects_and_interactions_are_those_that_were_planted():
    a, b, c = np.meshgrid([0, 1], [0, 1, 2], [0, 1], indexing="ij")
    found = values(effects(factorial(70 + 3 * a - 2 * b + 4 * a * (b == 2) + 0.5 * c)))
    assert found == pytest.approx(
        {
            "a1": 3 + 4 / 3, "b1": -2, "b2": -4 + 2, "c1": 0.5,
            "a1 x b1": 0, "a1 x b2": 4, "a1 x c1": 0, "b1 x c1": 0, "b2 x c1": 0,
        }
    )  # fmt: skip


def test_an_effect_is_corrected_over_the_table_and_turned_where_less_is_better():
    found = effects(factorial([[70, 71], [73, 74]], noise=0.4), is_higher_better=False)
    plain = sorted(one.spread.p_value for one in found)
    assert sorted(one.p_corrected for one in found)[0] == pytest.approx(3 * plain[0])
    assert found[0].verdict == "worse"
    assert found[2].finding.startswith("no interaction found (detectable")


def test_shares_of_variance_are_those_of_an_analysis_of_variance():
    a, b, c = np.meshgrid([-1, 1], [-1, 1], [-1, 1], indexing="ij")
    found = shares_of_variance(factorial(3 * a + 2 * b + a * b + 0.5 * a * b * c))
    total = 9 + 4 + 1 + 0.25
    expected = {("a",): 9, ("b",): 4, ("a", "b"): 1, (): 0.25, ("c",): 0, ("a", "c"): 0, ("b", "c"): 0}
    assert found == pytest.approx({names: 100 * part / total for names, part in expected.items()})


def test_levels_have_their_means_and_their_distance_from_the_mean_of_all():
    found = {own.level: own for own in level_means(factorial([[70, 80, 90], [74, 84, 91]]))}
    assert (found["a0"].mean, found["a1"].distance.value) == pytest.approx((80, 1.5))
    assert found["b2"].mean == pytest.approx(90.5)
    assert sum(found[level].distance.value for level in ("b0", "b1", "b2")) == pytest.approx(0)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 4).flatmap(lambda num: st.lists(st.floats(-100, 100), min_size=2**num, max_size=2**num)))
def test_shapley_values_add_up_to_the_difference_and_are_means_over_orders(means):
    num = len(means).bit_length() - 1
    cells = np.array(means).reshape([2] * num)
    made = factorial(cells)
    found = break_down(made)
    assert found is not None
    assert sum(one.spread.value for one in found.shares) == pytest.approx(found.total.value, abs=1e-9)
    assert found.total.value == pytest.approx(means[-1] - means[0], abs=1e-9)
    # By going through every order, one change at a time.
    walks = []
    for order in permutations(range(num)):
        at, added = [0] * num, [0.0] * num
        for factor in order:
            before = cells[tuple(at)]
            at[factor] = 1
            added[factor] = cells[tuple(at)] - before
        walks.append(added)
    assert [one.spread.value for one in found.shares] == pytest.approx(np.mean(walks, axis=0).tolist(), abs=1e-9)


def test_a_difference_over_factors_with_several_levels_is_between_the_first_and_the_last():
    found = break_down(factorial([[70, 50, 73], [90, 90, 78]]))
    assert found is not None
    assert [one.spread.value for one in found.shares] == pytest.approx([(20 + 5) / 2, (3 - 12) / 2])
    assert found.alone == pytest.approx((20, 3))
    assert found.at_last == pytest.approx((5, -12))


# --- errors -----------------------------------------------------------------------------------------------------------


def test_luck_of_a_seed_that_all_cells_share_drops_out():
    means = [[70, 72], [71, 75]]
    without, with_luck = (
        effects(factorial(means, num_seeds=4, noise=1.0, common=common, seed=5, shares_seeds=True)) for common in (0, 9)
    )
    apart = effects(factorial(means, num_seeds=4, noise=1.0, common=9, seed=5))
    errors = [[one.spread.error for one in found] for found in (without, with_luck, apart)]
    # The luck is drawn first, so that the noise differs; the scale tells.
    assert max(errors[1]) < 3 * max(errors[0])
    assert min(errors[2]) > 3 * max(errors[1])


@pytest.mark.parametrize("shape", [(2, 2), (2, 2, 2), (3, 2)])
def test_an_error_is_that_of_an_analysis_of_variance_with_seeds_as_blocks(shape):
    num_seeds = 5
    made = factorial(np.zeros(shape), num_seeds, noise=1.0, common=3.0, shares_seeds=True)
    table = np.array([scores.observed for scores in made.scores.values()])  # [K, S]
    left = table - table.mean(axis=0) - table.mean(axis=1, keepdims=True) + table.mean()
    mean_square = (left**2).sum() / (len(table) - 1) / (num_seeds - 1)
    # Of the effects in which all cells have the same weight.
    for one in effects(made):
        if all(len(made.factors[factor]) == 2 for factor in one.changes):
            error = 2 ** len(one.changes) * np.sqrt(mean_square / len(table) / num_seeds)
            assert one.spread.error == pytest.approx(error)
            assert num_seeds - 1 <= one.spread.freedom <= (len(table) - 1) * (num_seeds - 1)


def test_an_error_covers_units_that_all_cells_share_once():
    generator = np.random.default_rng(3)
    made = factorial([[70, 71], [72, 73]], num_seeds=2)
    drawn = generator.normal(0, 5, (4000, 1))
    shared = {key: Scores(own.observed, own.observed + drawn, 1000) for key, own in made.scores.items()}
    key = ("a1", "b0")
    changed = shared | {key: Scores(2 * made.scores[key].observed, 2 * (made.scores[key].observed + drawn), 1000)}
    same = effects(Factorial(made.factors, shared))[0]
    other = effects(Factorial(made.factors, changed))[0]
    assert same.spread.error == pytest.approx(0, abs=1e-9)
    assert other.spread.error == pytest.approx(5 / 2, rel=0.05)


# --- what is not there ------------------------------------------------------------------------------------------------


def without(made, *keys, **changes):
    scores = {key: own for key, own in made.scores.items() if key not in keys}
    return Factorial(made.factors, scores, **changes)


def test_with_cells_missing_the_settings_that_are_whole_still_count():
    a, b, c = np.meshgrid([0, 1], [0, 1], [0, 1], indexing="ij")
    whole = factorial(70 + 3 * a - 2 * b + c + 8 * a * c)
    made = without(whole, ("a1", "b1", "c1"))
    found = {" x ".join(one.changes): one for one in effects(made)}
    assert {name: one.num_settings for name, one in found.items()} == {
        "a": 3, "b": 3, "c": 3, "a x b": 1, "a x c": 1, "b x c": 1,
    }  # fmt: skip
    assert found["a"].spread.value == pytest.approx((3 + 11 + 3) / 3)
    assert found["a x c"].spread.value == pytest.approx(8)
    assert made.missing == (("a1", "b1", "c1"),)
    assert break_down(made) is None
    assert not shares_of_variance(made)


def test_without_a_whole_setting_there_is_no_figure():
    made = without(factorial([[70, 71], [72, 73]]), ("a0", "b0"), ("a1", "b1"))
    assert [one.num_settings for one in effects(made)] == [0, 0, 0]
    assert all(np.isnan(one.spread.value) and not one.is_tested for one in effects(made))


def test_one_seed_has_effects_and_no_test():
    found = effects(factorial([[70, 71], [72, 74]], num_seeds=1))
    assert [one.spread.value for one in found] == pytest.approx([2.5, 1.5, 1])
    assert [one.verdict for one in found] == ["not tested"] * 3


# --- a margin ---------------------------------------------------------------------------------------------------------


def test_with_a_margin_what_is_not_told_apart_is_equal_or_undecided():
    means = [[70.0, 70.05], [75.0, 75.05]]
    found = effects(factorial(means, num_seeds=8, noise=0.3, seed=7), margin=1.0)
    assert [one.finding for one in found] == ["better", "equal within 1 point", "no interaction of 1 point or more"]
    assert [one.margin_record()["margin"] for one in found] == [1.0] * 3
    loud = effects(factorial(means, num_seeds=8, noise=3.0, seed=7), margin=1.0)
    assert loud[1].verdict == loud[2].verdict == "undecided"
    assert loud[1].finding == "undecided (detectable: 2.37; with it not worse by 1 point)"
    assert loud[2].finding == "undecided (detectable: 4.74)"
    small = effects(factorial([[70, 70.4], [70, 70.4]], num_seeds=8, noise=0.1), margin=1.0)
    assert small[1].finding == "better, by less than 1 point"


def test_few_seeds_show_nothing_to_be_equal():
    for num_seeds, verdict in ((2, "undecided"), (3, "equal")):
        found = effects(factorial([[70, 70], [75, 75]], num_seeds=num_seeds, noise=0.01, seed=7), margin=1.0)
        assert found[1].verdict == verdict
        whole = break_down(factorial([[70, 70], [75, 75]], num_seeds=num_seeds, noise=0.01, seed=7), margin=1.0)
        assert whole is not None
        assert [one.verdict for one in whole.shares] == ["better", verdict]


# --- the report -------------------------------------------------------------------------------------------------------

#: Share of right answers of the cells, by causal and norm; labels of different lengths have different noise.
RIGHT = {("true", "pre"): 0.6, ("true", "post"): 0.62, ("false", "pre"): 0.7, ("false", "post"): 0.84}
LABELS = {key: f"atinuke-nano[{'x' * place}]" for place, key in enumerate(RIGHT)}


def write_factorial(store, write_run, *, num_seeds=3, left_out=(), protocols=(), unlike=()):
    """Runs of two factors with the record of their suite; seeds of `unlike` cells are others."""
    cells: list[dict[str, Any]] = []
    columns: dict[str, Any] = {"floor": {"core": "majority"}}
    for key, right in RIGHT.items():
        name = f"causal={key[0]}, norm={key[1]}"
        columns[name] = {"core": "atinuke", "levels": dict(zip(("causal", "norm"), key, strict=True))}
        for seed in range(10 * (key in unlike), num_seeds + 10 * (key in unlike)):
            folder = None
            if key not in left_out:
                config = f"core:\n  name: atinuke\n  causal: {key[0]}\n  norm: {key[1]}\n"
                extra = {"train_size": 99} if key in protocols else {}
                right_of_seed = right + 0.01 * (seed % 3)
                folder = write_run(store, label=LABELS[key], seed=seed, right=right_of_seed, config=config, **extra)
            place = folder and folder.relative_to(store).as_posix()
            cells.append({"key": f"{name}{seed}", "task": "snli", "variant": name, "core": "atinuke", "seed": seed,
                          "folder": place})  # fmt: skip
    (store / "suites").mkdir()
    record = {"name": "why", "suite": {"name": "why", "cores": columns}, "stamp": None, "cells": cells}
    (store / "suites" / "why.json").write_text(json.dumps(record))


@pytest.fixture(scope="module", name="reported")
def _reported(tmp_path_factory, write_run):
    store, out = tmp_path_factory.mktemp("runs"), tmp_path_factory.mktemp("out")
    write_factorial(store, write_run)
    return store, out, write_report([store], out)


def table(out, name):
    return pd.read_csv(out / "tables" / f"attribution-{name}-why-snli.csv")


def test_the_figures_are_those_of_the_raw_predictions(reported):
    store, out, _ = reported
    by_cell: dict[str, list[Any]] = {}  # S times [N], in percent
    for path in sorted(store.glob("suites/*.json")):
        for cell in json.loads(path.read_text())["cells"]:
            rows = pd.read_parquet(store / cell["folder"] / "predictions.parquet").sort_values("id")
            own = 100.0 * (rows["gold"] == rows["prediction"]).to_numpy()
            by_cell.setdefault(cell["variant"], []).append(own)
    answers = np.array(list(by_cell.values())).reshape(2, 2, 3, -1)  # causal, norm, seed, unit
    means = answers.mean(axis=(2, 3))
    found = table(out, "effects").set_index("factors")
    one, other = means.mean(axis=1), means.mean(axis=0)
    together = means[1, 1] - means[1, 0] - means[0, 1] + means[0, 0]
    expected = [one[1] - one[0], other[1] - other[0], together]
    assert found["effect"].tolist() == pytest.approx(expected)
    # A quarter of its square is what an interaction has of the cells' variance, and half that of an effect.
    parts = np.array([expected[0] ** 2 / 4, expected[1] ** 2 / 4, together**2 / 16])
    assert found["variance %"].tolist() == pytest.approx((100 * parts / parts.sum()).tolist())
    shares = table(out, "shares").set_index("factor")
    assert shares.loc["total", "share"] == pytest.approx(means[1, 1] - means[0, 0])
    of_causal = ((means[1, 0] - means[0, 0]) + (means[1, 1] - means[0, 1])) / 2
    assert shares.loc["causal", "share"] == pytest.approx(of_causal)
    assert shares.loc[["causal", "norm"], "percent"].sum() == pytest.approx(100)
    assert shares.loc["norm", "changed first"] == pytest.approx(means[0, 1] - means[0, 0])
    assert shares.loc["norm", "changed last"] == pytest.approx(means[1, 1] - means[1, 0])
    levels = table(out, "levels").set_index("level")
    assert levels.loc["post", "mean"] == pytest.approx(other[1])
    _check_intervals(found, answers)


def _check_intervals(found, answers):
    """The formula of the description, with variances over examples in place of the bootstrap's."""
    num_seeds, num_units = answers.shape[2:]
    apart = answers - answers.mean(axis=(0, 1))  # without what a seed has in all cells
    for name, signs in (("causal", [[-1, -1], [1, 1]]), ("norm", [[-1, 1], [-1, 1]]), ("causal × norm", None)):
        weights = np.array([[1, -1], [-1, 1]]) if signs is None else np.array(signs) / 2
        of_units = np.tensordot(weights, answers.mean(axis=2), axes=2).var(ddof=1) / num_units
        seen = apart.mean(axis=3).var(axis=2, ddof=1).sum()
        noise = (apart - apart.mean(axis=2, keepdims=True)).var(axis=3, ddof=1).sum() / num_units / (num_seeds - 1)
        of_seeds = max(0.0, seen - noise) * 4 / 3 / 4 * (weights**2).sum() / num_seeds
        row = found.loc[name]
        half = (row["high"] - row["low"]) / 2
        assert half == pytest.approx(2.1 * np.sqrt(of_units + of_seeds), rel=0.2)


def test_the_page_has_the_tables_and_both_figures(reported):
    _, out, made = reported
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Why one is better" in page
    assert "causal: true → false × norm: pre → post" in page
    names = {plot.name for plot in made.plots if plot.section == "attribution"}
    assert names == {"attribution-effects-why-snli", "attribution-shares-why-snli"}
    (effect,) = [one for one in made.tables if one.name == "attribution-effects-why-snli"]
    assert effect.shown["settings"].tolist() == ["2 of 2", "2 of 2", "1 of 1"]
    assert any("corrected over 3 tests (Holm): each effect" in note for note in effect.notes)
    assert any("same seeds" in note for note in effect.notes)
    assert "better together than the sum" in effect.shown["the change is"].tolist()
    (gap,) = [one for one in made.tables if one.name == "attribution-shares-why-snli"]
    assert gap.title == "snli: the difference from causal=true, norm=pre to causal=false, norm=post, shared out (why)"
    assert gap.shown["in percent"].tolist()[-1] == "–"


def section(store):
    """The tables of the section by the first word of their names, and what it leaves out."""
    frame = read_frame([store])
    found, left_out = attributions(frame, measure(frame, num_resamples=100)[0], read_suites([store])[0])
    return {one.name.split("-")[1]: one for one in attribution_tables(frame, found)}, left_out


def test_a_reports_margin_is_that_of_its_factors(reported):
    store = reported[0]
    frame = read_frame([store])
    cells, suites = measure(frame, num_resamples=100)[0], read_suites([store])[0]
    found, _ = attributions(frame, cells, suites, margin=30.0)
    tables = {one.name.split("-")[1]: one for one in attribution_tables(frame, found)}
    for name in ("effects", "shares"):
        assert any(note.startswith("Margin 30 points: equal is a finding") for note in tables[name].notes)
        assert set(tables[name].data["margin"].dropna()) == {30.0}
    assert tables["effects"].shown["the change is"].str.contains("30 points").all()
    assert "margin" not in table(reported[1], "effects")


@pytest.mark.parametrize("how", ["left_out", "protocols"])
def test_cells_that_are_not_there_are_named(tmp_path, write_run, how):
    write_factorial(tmp_path, write_run, **{how: [("true", "post")]})
    tables, left_out = section(tmp_path)
    assert set(tables) == {"effects", "levels"}
    effect = tables["effects"]
    assert "1 of 4 cells have no run here that can be compared: causal=true, norm=post." in effect.notes[1]
    assert effect.shown["settings"].tolist() == ["1 of 2", "1 of 2", "0 of 1"]
    assert effect.shown["the change is"].tolist()[2] == "not tested: cells are missing"
    # The cell in a column of its own says that nothing can be said of it.
    assert ["3 of 4 cells have no run here" in note for note in left_out] == [True] * (how == "protocols")


def test_other_seeds_are_said(tmp_path, write_run):
    write_factorial(tmp_path, write_run, unlike=[("true", "post")])
    tables, _ = section(tmp_path)
    assert any("Cells have different seeds" in note for note in tables["effects"].notes)


def test_one_seed_says_why_there_is_no_test(tmp_path, write_run):
    write_factorial(tmp_path, write_run, num_seeds=1)
    tables, _ = section(tmp_path)
    assert set(tables["effects"].shown["the change is"]) == {
        "not tested: a test over seeds needs two or more seeds of each cell"
    }


def test_levels_that_are_no_texts_are_a_damaged_record_of_the_suite(tmp_path, write_run):
    write_factorial(tmp_path, write_run, num_seeds=1)
    path = Path(tmp_path / "suites" / "why.json")
    record = json.loads(path.read_text())
    record["suite"]["cores"]["causal=true, norm=pre"]["levels"] = {"causal": 3}
    path.write_text(json.dumps(record))
    suites, (gap,) = read_suites([tmp_path])
    assert not suites
    assert gap.reason.startswith("damaged record of a suite")


def test_the_record_of_a_suite_keeps_the_levels_in_the_order_of_its_factors(tmp_path):
    factors = {"core.positions": ["rotary", "none"], "core.causal": [True, False]}
    record = {"name": "why", "tasks": ["snli"], "cores": {"mine": {"core": "atinuke"}}, "seeds": [0]}
    (tmp_path / "why.yaml").write_text(yaml.safe_dump({**record, "factors": factors}, sort_keys=False))
    suite = read_suite(str(tmp_path / "why.yaml"))
    kept = open_record(tmp_path, suite.name)
    kept.replace_grid(suite, None, [])
    kept.write()
    (found,), _ = read_suites([tmp_path])
    assert list(found.levels) == [f"positions={a}, causal={b}" for a in ("rotary", "none") for b in ("true", "false")]
    assert list(found.levels["positions=none, causal=true"].items()) == [("positions", "none"), ("causal", "true")]
