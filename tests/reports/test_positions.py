"""Figures of kinds of positions: who is in a panel, what is drawn of seeds, and gains where runs recorded them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from atinuke_bench.reports import read_frame
from atinuke_bench.reports.report import make_report
from atinuke_bench.reports.sections.positions import student
from atinuke_bench.step_record import EVERY_STEP, write_steps

LABELS = ("8", "16", "32", "64", "128", "256")
CONFIG = """core:
  name: {core}
  causal: {causal}
  positions: {positions}
  attention_window: {window}
  max_positions: {most}
source:
  microworld:
    train_distances:
    - 8
    - 16
"""


def with_positions(store, write_run, core, positions, *, seed=0, causal="true", window="null", most=512, falls=0.0):
    """A run whose score falls by so much from each distance to the next; its seed adds a point."""
    figures = {label: {"f1": 90.0 - falls * place + seed, "num": 40} for place, label in enumerate(LABELS)}
    config = CONFIG.format(core=core, causal=causal, positions=positions, window=window, most=most)
    edit = {"slices": {"test": {"distance in words": figures}}}
    label = f"{core}-{positions}-{window}-{causal}"
    return write_run(store, core, task="long-range", seed=seed, label=label, config=config, edit=edit)


@pytest.fixture(scope="module")
def store(tmp_path_factory, write_run):
    store = tmp_path_factory.mktemp("positions")
    for seed in range(3):
        with_positions(store, write_run, "atinuke", "layerwise", seed=seed, falls=10)
        with_positions(store, write_run, "atinuke", "alibi", seed=seed, falls=1)
        with_positions(store, write_run, "atinuke", "rotary", seed=seed, window="16", falls=2)
        with_positions(store, write_run, "transformer", "learned", seed=seed, causal="false", most=1216)
        with_positions(store, write_run, "transformer", "none", seed=seed, causal="false", falls=3)
        with_positions(store, write_run, "transformer", "none", seed=seed, causal="true", falls=5)
    for seed in range(2):
        run = next((store / "long-range" / "atinuke").glob(f"atinuke-layerwise*-{seed}-*"))
        gains = {f"core/position_gain.{layer}": np.linspace(1, 1 + layer + seed / 10, 40) for layer in range(2)}
        steps = {name: np.ones(40) for name in EVERY_STEP}
        steps |= {"epoch": np.repeat([0.0, 1.0], 20), "step": np.arange(1.0, 41.0)}
        write_steps(run / "steps.parquet", {**steps, **gains})
    return store


def plots_of(places):
    return {plot.name: plot for plot in make_report(read_frame(places)).plots if plot.section == "positions"}


def test_kinds_of_one_core_share_a_panel_with_intervals_over_seeds(store):
    plot = plots_of([store])["positions-long-range-distance-in-words"]
    assert "right of the dashed line: farther than in training" in plot.title
    assert "atinuke, causal" in plot.svg
    assert "transformer, bidirectional" in plot.svg
    assert "transformer, causal" not in plot.svg, "one kind alone is compared with nothing"
    assert all(kind in plot.svg for kind in ("layerwise", "ALiBi", "rotary, window 16", "learned", "no positions"))
    assert "atinuke-alibi-null-true, 256: 86.00 [83.52, 88.48]" in plot.svg


def test_gains_are_drawn_where_runs_recorded_them(store):
    plot = plots_of([store])["position-gains-long-range"]
    assert "layer 1: 1.00 at first, 1.05 in the end" in plot.svg
    assert "layer 2: 1.00 at first, 2.05 in the end" in plot.svg


def test_a_report_needs_no_steps_and_names_damaged_ones(tmp_path, write_run):
    run = with_positions(tmp_path, write_run, "atinuke", "layerwise")
    assert plots_of([tmp_path]) == {}, "one kind, and nothing recorded"
    (run / "steps.parquet").write_bytes(b"no parquet")
    gaps = make_report(read_frame([tmp_path])).gaps
    assert any("steps.parquet" in gap.where and gap.reason.startswith("damaged steps") for gap in gaps)


def test_what_few_seeds_cannot_tell_is_missing():
    assert student(np.array([1.0, 3.0]))[0] == 2.0
    assert math.isnan(student(np.array([1.0, 3.0]))[1])
    assert all(map(math.isnan, student(np.array([]))))


def test_students_interval_covers_as_often_as_it_says():
    source = np.random.default_rng(0)
    intervals = [student(source.normal(5.0, 2.0, size=3)) for _ in range(4000)]
    share = np.mean([low <= 5.0 <= high for _, low, high in intervals])
    assert 0.94 < share < 0.96
