"""The suites on generated data: complete, offline, and expanded without reading anything."""

from __future__ import annotations

from typing import get_args

import pytest

from atinuke_bench.config import AtinukeConfig, MicroworldConfig, Positions
from atinuke_bench.microworld import RECIPES
from atinuke_bench.runs.grid import expand, read_suite


@pytest.mark.parametrize("name", ["quick", "long-range", "causality"])
def test_runs_of_a_built_in_suite_need_no_data(name):
    suite = read_suite(name)
    assert suite.source is not None
    cells = expand(suite, suite.source)
    assert {cell.run.source.kind for cell in cells} == {"microworld"}
    assert {cell.run.source.data_dir for cell in cells} == {None}
    assert {cell.run.task for cell in cells} <= set(RECIPES)
    assert len(cells) == len(suite.tasks) * len(suite.cores) * len(suite.seeds)


def test_quick_covers_all_families_and_measures_the_papers_core_against_its_baselines():
    suite = read_suite("quick")
    assert {"squad-v1.1", "snli", "coref", "srl", "glue/cola", "glue/mrpc", "glue/stsb"} == set(suite.tasks)
    assert len(suite.seeds) == 3
    assert suite.source is not None
    cells = expand(suite, suite.source)
    assert {cell.run.core.name for cell in cells} == {"majority", "bilstm", "atinuke"}
    assert all(cell.run.core.causal for cell in cells if isinstance(cell.run.core, AtinukeConfig))


def test_difficulty_of_a_task_in_a_suite_is_in_its_runs():
    suite = read_suite("quick")
    assert suite.source is not None
    cells = expand(suite, suite.source)
    worlds = {cell.run.task: cell.run.source.microworld or MicroworldConfig() for cell in cells}
    assert worlds["snli"].rewording == 0.1
    assert worlds["coref"].rewording == 0.3
    assert (worlds["coref"].train or 0) < (worlds["snli"].train or 0)


def test_positions_trains_short_and_tests_long_in_every_kind():
    suite = read_suite("positions")
    assert suite.source is not None
    runs = [cell.run for cell in expand(suite, suite.source)]
    far = [run for run in runs if run.task == "long-range"]
    worlds = [run.source.microworld or MicroworldConfig() for run in far]
    assert all(max(world.distances or ()) >= 10 * max(world.train_distances or (1e9,)) for world in worlds)
    causal = {run.core.positions for run in far if isinstance(run.core, AtinukeConfig)}
    assert causal == set(get_args(Positions)), "every kind that there is"
    assert {run.core.attention_window for run in far if isinstance(run.core, AtinukeConfig)} == {None, 16}
    assert all(run.core.max_length is None or run.core.max_length >= run.training.max_length + 64 for run in runs)


def test_causality_varies_mask_and_order_alone():
    suite = read_suite("causality")
    assert suite.source is not None
    runs = [cell.run for cell in expand(suite, suite.source) if cell.run.seed == 0 and cell.run.task == "snli"]
    assert {(run.core.causal, run.options["second_first"]) for run in runs if isinstance(run.core, AtinukeConfig)} == {
        (causal, order) for causal in (True, False) for order in (True, False)
    }
    rest = {run.model_copy(update={"core": None, "options": {}}).model_dump_json() for run in runs}
    assert len(rest) == 1
