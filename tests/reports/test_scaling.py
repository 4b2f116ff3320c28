"""Scaling laws: planted ones come back, optima equal the closed form, and runs that belong together are found."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from atinuke_bench.reports import read_frame
from atinuke_bench.reports.report import make_report
from atinuke_bench.reports.sections.headline import blocks_of
from atinuke_bench.reports.sections.scaling import scaling_findings, scaling_tables, scalings
from atinuke_bench.reports.sections.scaling_figures import scaling_plots
from atinuke_bench.reports.sections.scaling_points import series_of
from atinuke_bench.reports.statistics.cells import measure
from atinuke_bench.reports.statistics.scaling import fit, intervals
from atinuke_bench.reports.statistics.scaling_use import Operations, check, growth, optima

PLANTED = {"E": 1.0, "A": 12.0, "a": 0.25, "B": 60.0, "b": 0.35}
SIZES, AMOUNTS = np.geomspace(25e3, 3e6, 4), np.geomspace(5e4, 1e6, 4)


def _grid(sizes=SIZES, amounts=AMOUNTS):
    return [values.ravel() for values in np.meshgrid(sizes, amounts)]


def _error(size, tokens):
    return PLANTED["E"] + PLANTED["A"] / size ** PLANTED["a"] + PLANTED["B"] / tokens ** PLANTED["b"]


# --- the law ----------------------------------------------------------------------------------------------------------


def test_exact_points_give_back_the_planted_law():
    law = fit(_grid(), _error(*_grid()))
    assert law.constant == pytest.approx(1.0, rel=1e-4)
    assert law.exponents == pytest.approx([0.25, 0.35], rel=1e-4)
    assert law.coefficients == pytest.approx([12, 60], rel=1e-3)
    assert law.predict(np.array([[1e8], [1e9]])) == pytest.approx(_error(1e8, 1e9), rel=1e-4)


def test_intervals_hold_planted_parameters_as_often_as_they_say():
    """A small sample of benchmarks/scaling_coverage.py, which has the simulations in full."""
    generator, held, num = np.random.default_rng(5), dict.fromkeys(PLANTED, 0), 30
    for _ in range(num):
        noise = generator.normal(scale=0.008, size=16)
        found = intervals(fit(_grid(), _error(*_grid()) * np.exp(noise)))
        for name, value in PLANTED.items():
            held[name] += found[name].holds(value)
    # Of 30 at 95 %, fewer than 25 happen once in 500.
    assert min(held.values()) >= 25
    # Nor are they so wide that they say nothing.
    assert found["a"].high - found["a"].low < 0.25


def test_one_bad_point_hardly_moves_the_law():
    values = _error(*_grid()) * np.exp(np.random.default_rng(0).normal(scale=0.003, size=16))
    clean = fit(_grid(), values)
    values[5] *= 1.3
    assert fit(_grid(), values).exponents == pytest.approx(clean.exponents, abs=0.05)


def test_one_axis_alone_has_a_constant_from_five_levels_on():
    sizes = np.geomspace(1e4, 1e7, 6)
    law = fit([sizes], 2 + 40 / sizes**0.3)
    assert (law.constant, *law.exponents) == pytest.approx((2, 0.3), rel=1e-3)
    few = fit([sizes[:4]], 40 / sizes[:4] ** 0.3)
    assert not few.has_constant
    assert few.exponents == pytest.approx([0.3], rel=1e-6)
    assert "E" not in intervals(few)


def test_what_the_points_do_not_fix_is_open():
    sizes = np.geomspace(1e4, 1e6, 5)
    flat = intervals(fit([sizes], 3 * np.exp(np.random.default_rng(1).normal(scale=0.01, size=5))))
    assert flat["a"].is_open
    assert flat["E"].low == 0 or flat["a"].low == 0


@pytest.mark.parametrize(
    ("x", "reason"),
    [
        ([[1, 10, 100]], "3 sizes, 4 needed"),
        ([[10, 11, 12, 13]], "1.3 times apart, 4 needed"),
        ([[1, 1, 10, 10], [1, 10, 1, 10]], "2 sizes, 3 needed"),
        ([[1, 10, 100, 1, 10, 100], [1, 1, 1, 1.01, 1.01, 1.01]], "1 amounts of data, 3 needed"),
        ([[1, 10, 100, 1000, 1], [1, 1, 10, 100, 10]], "5 points, 7 needed"),
    ],
)
def test_too_few_points_are_refused_with_what_is_needed(x, reason):
    with pytest.raises(ValueError, match=reason):
        fit([np.array(axis, dtype=float) for axis in x], np.linspace(3, 2, len(x[0])))


# --- what follows from it ---------------------------------------------------------------------------------------------


def test_the_best_size_is_the_minimum_under_the_budget_and_grows_as_the_closed_form_says():
    sizes, tokens = _grid()
    law = fit([sizes, tokens], _error(sizes, tokens) * np.exp(np.random.default_rng(0).normal(scale=0.004, size=16)))
    for power in (1.0, 0.8):
        operations = Operations.of(sizes, tokens, 24 * sizes**power * tokens)
        assert (operations.coefficient, operations.exponent) == pytest.approx((24, power))
        for best in optima(law, operations, np.array([1e11, 1e13])):
            slope = minimize_scalar(
                lambda log_size, budget=best.budget, power=power: float(
                    law.predict(np.exp([[log_size], [np.log(budget / 24) - power * log_size]]))[0]
                ),
                bounds=(3, 25), method="bounded", options={"xatol": 1e-9},
            )  # fmt: skip
            assert best.size == pytest.approx(np.exp(slope.x), rel=1e-4)
            assert best.value == pytest.approx(slope.fun, rel=1e-9)
            assert best.sizes.low < best.size < best.sizes.high
            assert 24 * best.size**power * best.tokens == pytest.approx(best.budget)
    a, b = law.exponents
    value, interval = growth(law, Operations(24, 1.0))
    assert value == pytest.approx(b / (a + b))
    assert interval.low < PLANTED["b"] / (PLANTED["a"] + PLANTED["b"]) < interval.high


def test_points_left_out_are_predicted_with_an_interval_that_holds_them():
    generator, inside, num = np.random.default_rng(2), 0, 0
    for _ in range(8):
        values = _error(*_grid()) * np.exp(generator.normal(scale=0.008, size=16))
        found = check(_grid(), values, 0, ("sizes", "amounts of data"))
        assert len(found.places) == 4
        assert found.misses == pytest.approx(found.predicted / values[list(found.places)] - 1)
        inside, num = inside + found.num_inside, num + 4
    assert inside >= 0.85 * num
    # One that the law does not hold for is missed, and said to be.
    values[_grid()[0] > 2e6] *= 1.5
    wrong = check(_grid(), values, 0, ("sizes", "amounts of data"))
    assert wrong.num_inside == 0
    assert wrong.misses.max() < -0.25


def test_fewer_sizes_than_a_law_needs_are_no_check():
    with pytest.raises(ValueError, match="2 sizes, 3 needed"):
        check(_grid(SIZES[:3]), _error(*_grid(SIZES[:3])), 0, ("sizes", "amounts of data"))


# --- runs -------------------------------------------------------------------------------------------------------------


def _config(hidden_size=64, limit="null", epochs=4, rate=0.001):
    core = f"  name: atinuke\n  hidden_size: {hidden_size}\n  causal: true\n"
    return f"core:\n{core}training:\n  learning_rate: {rate}\n  train_limit: {limit}\n  max_epochs: {epochs}\n"


def _run(store, write_run, size, tokens, seed=0, *, right=0.7, is_whole=True, **protocol):
    """A run of a size on an amount of data, each token read four times; what it cost is as that of a real one."""
    cost = {"parameters": size + 5000, "embedding_parameters": 5000, "training_tokens": 4 * tokens,
            "training_flops": 24.0 * size * tokens}  # fmt: skip
    limit = "null" if is_whole else f"{tokens / 1e6:g}"
    return write_run(
        store, label=f"atinuke-{size:.0f}", seed=seed, right=right, num=2000,
        config=_config(int(size**0.5), limit) + f"# {'x' * int(tokens / 1e4)}\n",
        edit={"cost": cost, "selection": {"num_epochs": 4}},
        train_size=int(tokens / 10), selection_size=int(tokens / 90), is_cut=not is_whole, **protocol,
    )  # fmt: skip


@pytest.fixture(name="grid", scope="module")
def _grid_of_runs(tmp_path_factory, write_run):
    """Four sizes on four amounts of data, whose errors follow a law; amounts of train data are other protocols."""
    store = tmp_path_factory.mktemp("grid")
    for size in (1e4, 4e4, 16e4, 64e4):
        for tokens in (5e4, 1e5, 2e5, 4e5):
            for seed in range(2):
                error = 5 + 400 / size**0.35 + 500 / tokens**0.4
                _run(store, write_run, size, tokens, seed, right=1 - error / 100, is_whole=tokens == 4e5)
    return read_frame([store])


def test_runs_that_differ_in_the_amount_of_data_are_one_series_and_four_columns(grid):
    cells, _ = measure(grid, num_resamples=50)
    (series,) = series_of(grid, cells)
    assert grid.runs["column"].nunique() == 4
    assert (series.name, series.quantity, series.is_cut) == ("atinuke", "100 − accuracy", True)
    assert (len(series), series.num_sizes, series.num_amounts) == (16, 4, 4)
    # Look-up tables are no size, and a token that is read four times is one.
    assert series.sizes.min() == 1e4
    assert series.tokens.max() == 4e5


def test_the_law_the_best_sizes_the_check_and_a_sentence(grid):
    found = scalings(series_of(grid, measure(grid, num_resamples=50)[0]))
    tables = {table.name: table for table in scaling_tables(found)}
    law = tables["scaling"].data.iloc[0]
    assert law["note"] == ""
    assert law["a_low"] < 0.35 < law["a_high"]
    assert law["b_low"] < 0.4 < law["b_high"]
    assert tables["scaling"].is_flagged
    best = tables["scaling-optimum"].data
    assert best["is_extrapolated"].tolist() == [False, True, True]
    assert best["size"].is_monotonic_increasing
    checked = tables["scaling-check"].data
    assert checked["fitted without"].tolist() == ["largest size"] * 4 + ["most data"] * 4
    assert checked["miss"].abs().max() < 0.05
    (said,) = scaling_findings(found)
    assert "the best size grows with the budget to the power 0." in said.tasks[0].text
    assert "fitted without the largest size it misses that by at most" in said.tasks[0].text
    (plot,) = scaling_plots(found)
    assert plot.svg.count("<title>atinuke-640000: 100 − accuracy") == 8
    # Scores of whole data share no table with those of a part.
    assert [block.is_cut for block in blocks_of(grid)] == [False, True, True, True]


def test_other_numbers_of_epochs_and_scores_of_tokens_are_not_mixed(tmp_path, write_run):
    for size in (1e4, 4e4):
        for tokens, whole in ((1e5, False), (4e5, True)):
            _run(tmp_path, write_run, size, tokens, is_whole=whole, **{"tokenizer.vocab_size": 2000})
    frame = read_frame([tmp_path])
    found = series_of(frame, measure(frame, num_resamples=50)[0])
    assert [one.num_amounts for one in found] == [1, 1]
    assert all("a tokenizer made from the training data" in one.note for one in found)
    table = scaling_tables(scalings(found))[0]
    assert "2 sizes, 4 needed" in table.data["note"].iloc[0]
    more = [
        write_run(tmp_path / "more", label=f"atinuke-{size}", config=_config(size, epochs=epochs), train_size=40_000,
                  edit={"cost": {"parameters": size**2}})
        for size in (10, 20) for epochs in (1, 16)
    ]  # fmt: skip
    frame = read_frame(more)
    found = series_of(frame, measure(frame, num_resamples=50)[0])
    assert {one.name for one in found} == {"atinuke {max_epochs=1}", "atinuke {max_epochs=16}"}


def test_of_one_size_the_variant_selected_on_held_out_data_counts(tmp_path, write_run):
    for rate, right, selected in ((0.001, 0.6, 70.0), (0.01, 0.9, 50.0)):
        write_run(
            tmp_path, right=right, config=_config(rate=rate) + f"# {rate}\n",
            edit={"selection": {"num_epochs": 2, "score": selected}},
        )  # fmt: skip
    write_run(tmp_path, label="atinuke-micro", config=_config(128), edit={"cost": {"parameters": 4000}})
    frame = read_frame([tmp_path])
    (series,) = series_of(frame, measure(frame, num_resamples=50)[0])
    assert series.values[0] == pytest.approx(40, abs=0.5)


def test_runs_of_before_are_sizes_on_one_amount_of_data(tmp_path, write_run):
    """They recorded neither look-up tables nor the tokens they read."""
    for hidden_size, right in {64: 0.6, 128: 0.7, 256: 0.775, 512: 0.83125}.items():
        for seed in range(2):
            folder = write_run(
                tmp_path, label=f"atinuke-{hidden_size}", seed=seed, right=right, num=1600, config=_config(hidden_size)
            )
            path = folder / "result.json"
            cost = {"parameters": hidden_size**2, "training_flops": 1e6 * hidden_size**2}
            path.write_text(json.dumps({**json.loads(path.read_text()), "cost": cost}))
    report = make_report(read_frame([tmp_path]))
    law = next(table for table in report.tables if table.name == "scaling").data.iloc[0]
    # The distance from 100 falls by a quarter with each fourfold: log(0.75) / log(4).
    assert law["a"] == pytest.approx(-np.log(0.75) / np.log(4), abs=0.01)
    assert law["a_low"] <= law["a"] <= law["a_high"]
    assert law["over"] == "size"
    assert law["size_is"] == "parameters"
    assert "no E" in law["note"]
    (said,) = [found for found in report.findings.tables if found.table == "scaling"]
    assert said.tasks[0].text.startswith("atinuke, 100 − accuracy over size: the part of size")
    assert "scaling-snli" in {plot.name for plot in report.plots}


def test_runs_of_before_among_others_are_left_out_of_a_law_over_data(grid, tmp_path, write_run):
    old = write_run(tmp_path, label="atinuke-9", right=0.2, config=_config(9), train_size=40_000)
    frame = read_frame([old, Path(grid.runs["folder"].iloc[0]).parents[2]])
    (found,) = scalings(series_of(frame, measure(frame, num_resamples=50)[0]))
    assert (len(found.series), len(found.part)) == (17, 16)
    assert found.is_over_both
    assert len(scaling_plots([found])) == 1


def test_one_size_on_two_amounts_is_drawn_over_data_and_two_unknown_amounts_are_no_series(tmp_path, write_run):
    for tokens, whole in ((1e5, False), (4e5, True)):
        _run(tmp_path, write_run, 1e4, tokens, is_whole=whole)
        write_run(tmp_path, "transformer", train_size=int(tokens), config=_config().replace("atinuke", "transformer"),
                  label=f"t-{'x' * int(tokens / 1e4)}")  # fmt: skip
    frame = read_frame([tmp_path])
    found = scalings(series_of(frame, measure(frame, num_resamples=50)[0]))
    assert [one.series.name for one in found] == ["atinuke"]
    assert found[0].notes == ("no fit: 2 amounts of data, 4 needed",)
    (plot,) = scaling_plots(found)
    assert plot.name == "scaling-snli-data"


def test_names_on_figures_are_short(tmp_path, write_run):
    for hidden_size in (64, 128, 256):
        label = f"atinuke-with-quite-a-long-name-in-the-suite-{hidden_size}"
        write_run(tmp_path, label=label, config=_config(hidden_size), edit={"cost": {"parameters": hidden_size**2}})
        write_run(
            tmp_path, label=f"{label}[causal=false]", config=_config(hidden_size).replace("true", "false"),
            edit={"cost": {"parameters": hidden_size**2}},
        )  # fmt: skip
    frame = read_frame([tmp_path])
    (plot,) = scaling_plots(scalings(series_of(frame, measure(frame, num_resamples=50)[0])))
    texts = [line.partition("</text>")[0].rpartition(">")[2] for line in plot.svg.split("\n") if "</text>" in line]
    assert texts
    assert max(map(len, texts)) <= 24
