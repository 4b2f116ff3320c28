"""The suites on generated data: complete, offline, and expanded without reading anything."""

from __future__ import annotations

import pytest

from atinuke_bench.config import AtinukeConfig, MicroworldConfig
from atinuke_bench.microworld import RECIPES
from atinuke_bench.runs.grid import expand, read_suite


@pytest.mark.parametrize("name", ["quick", "long-range"])
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
