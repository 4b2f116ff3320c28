"""Recipes: that each is whole, runs as its grid says, and is held against rows that exist; and wrong ones."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import yaml

from atinuke_bench import registry
from atinuke_bench.config import Pretraining, SourceConfig, parse_recipe
from atinuke_bench.errors import ConfigError, UnknownNameError
from atinuke_bench.reports.reading.comparable import SELECTED_ON_DEV, our_split, verdict, version_of
from atinuke_bench.reports.reading.published import link_of, read_published
from atinuke_bench.reports.reproduction import find_row
from atinuke_bench.runs.grid import expand
from atinuke_bench.runs.recipes import built_in_recipes, read_recipe

NAMES = sorted(built_in_recipes())
#: What keeps runs on official data from what is published, for reasons that no setting of a run can take away.
APART = {
    "bert-base-crammed-protocol": {"checkpoint not stated (BERT-base (fully trained), crammed protocol)"},
    "bert-base-uncased-glue": {"checkpoint not stated (BERT-base)"},
    "bert-base-uncased-squad-v1.1": {"checkpoint not stated (BERT-base)"},
    "bilstm-glue": {"pretraining static vectors", "the best of 3 runs"},
    "bilstm-snli-esim-size": {"pretraining not stated", "pretraining static vectors"},
    "roberta-base-after-mnli": {"checkpoint not stated (RoBERTa-base (fine-tuned))", "transfer from mnli"},
}
WRITTEN: dict[str, Any] = {
    "summary": "a protocol",
    "source": "arXiv 1508.05326",
    "place": "section 3",
    "record": {"task": "snli", "split": "test", "system": "LSTM", "source": "arXiv 1508.05326"},
    "rows": [{"metric": "accuracy"}],
    "suite": {"tasks": ["snli"], "cores": {"lstm": {"core": "bilstm", "preset": "nano"}}, "seeds": [0, 1]},
}


@cache
def cells_of(name):
    """The runs of a recipe with its first seed, which are checked as those of any suite."""
    recipe = read_recipe(name)
    return expand(read_recipe(name, recipe.suite.seeds[:1]).suite, SourceConfig(), name)


@pytest.fixture(scope="module", name="record")
def _record():
    return read_published()


def test_there_are_about_a_dozen_and_one_has_an_honest_z(record):
    assert len(NAMES) >= 10
    rows = [find_row(row, record) for name in NAMES for row in read_recipe(name).rows]
    assert len(rows) >= 80
    with_z = [row for row in rows if row.spread_kind == "std" and row.statistic == "mean" and row.seeds == 20]
    assert {row.model for row in with_z} == {"bert-base-uncased", "bert-base-cased", "roberta-base"}


@pytest.mark.parametrize("name", NAMES)
def test_every_run_of_a_recipe_is_valid_and_unlike_the_others(name):
    recipe = read_recipe(name)
    cells = cells_of(name)
    assert len({cell.path for cell in cells}) == len(cells)
    assert len({(cell.run.model_dump_json(), cell.origin) for cell in cells}) == len(cells)
    assert link_of(recipe.source)
    assert all(cell.run.training.batch_rows is not None for cell in cells), "papers count examples"
    assert all(cell.run.training.core_learning_rate is None for cell in cells)
    for row in recipe.rows:
        assert set(recipe.columns_of(row)) <= set(recipe.suite.cores)


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_of_texts_of_full_length_fits(name):
    """Or fewer rows than the protocol's would be in a batch."""
    for cell in cells_of(name):
        training = cell.run.training
        assert training.batch_rows * training.max_length <= training.batch_tokens


@pytest.mark.parametrize("name", NAMES)
def test_runs_on_official_data_would_be_comparable_but_for_what_is_known(name, record):
    recipe, found = read_recipe(name), set()
    runs = {(cell.variant, cell.run.task): cell for cell in cells_of(name)}
    for wanted in recipe.rows:
        row, column = find_row(wanted, record), recipe.columns_of(wanted)[0]
        start = _pretraining(recipe, runs, column, row.task)
        (sizes, *_) = registry.load_task(row.task).official_sizes or ({},)
        protocol: dict[str, Any] = {"is_cut": False, "selection": recipe.suite.select_on, "split_sizes": sizes}
        assert our_split(row, version_of(row.task, protocol))
        found |= set(verdict(row, protocol, start).differing) - {SELECTED_ON_DEV}
    expected = APART.get(name, set())
    unknown = {reason for reason in found if not any(reason.startswith(known) for known in expected)}
    assert not unknown
    assert found or not expected


def _pretraining(recipe, runs, column, task):
    core, origin = runs[column, task].run.core, recipe.suite.cores[column].init_from
    own = Pretraining(model=core.model) if core.name == "pretrained" else Pretraining()
    return own if origin is None else Pretraining(task=origin.task, earlier=own)


def test_a_grid_is_a_column_for_each_combination_and_keeps_what_a_core_sets():
    grid = {"training.learning_rate": [1.0e-3, 5.0e-4], "core.dropout": [0.0, 0.1]}
    lstm = {"core": "bilstm", "preset": "nano", "overrides": {"training.max_epochs": 7}}
    recipe = parse_recipe("own", {**WRITTEN, "grid": grid, "suite": {**WRITTEN["suite"], "cores": {"lstm": lstm}}}, "x")
    assert list(recipe.suite.cores) == [
        "lstm, learning_rate 0.001, dropout 0",
        "lstm, learning_rate 0.001, dropout 0.1",
        "lstm, learning_rate 0.0005, dropout 0",
        "lstm, learning_rate 0.0005, dropout 0.1",
    ]
    assert recipe.columns_of(recipe.rows[0]) == list(recipe.suite.cores)
    assert recipe.rule == "of each task the setting with the best mean score on the held-out slice"
    drawn = {
        (run["training"]["learning_rate"], run["core"]["dropout"], run["training"]["max_epochs"])
        for run in (cell.run.model_dump() for cell in expand(recipe.suite, SourceConfig()))
    }
    assert drawn == {(rate, dropout, 7) for rate in (1.0e-3, 5.0e-4) for dropout in (0.0, 0.1)}


def test_a_recipe_of_ones_own_is_read_and_its_seeds_can_be_replaced(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump(WRITTEN))
    assert read_recipe(str(path)).suite.seeds == [0, 1]
    recipe = read_recipe(str(path), [7])
    assert (recipe.suite.seeds, recipe.suite.name, recipe.rule) == ([7], "reproduce-own", "")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"suite": None}, r"x: a recipe has summary, source, place, rows, and a suite"),
        ({"rows": []}, r"x.rows"),
        ({"rows": [{"metric": "accuracy", "task": "glue/rte"}]}, r"'glue/rte' is none of the suite's tasks"),
        ({"rows": [{"metric": "accuracy", "core": "gru"}]}, r"'gru' is no core with snli; there are lstm"),
        ({"rows": [{"metric": "accuracy"}] * 2}, r"rows has a row twice"),
        ({"grid": {"training.learning_rate": [0.1]}}, r"x.grid.training.learning_rate: a list of at least two values"),
        ({"grid": [1]}, r"x.grid: fields with their values; found \[1\]"),
        ({"settings": {}}, r"x.settings: comes from the recipe's file name and grid; leave it out"),
        ({"diffrs": []}, r"x.diffrs: unknown field; nearest: 'differs'"),
    ],
)
def test_what_is_wrong_in_a_recipe_is_one_line(changes, message):
    with pytest.raises(ConfigError, match=message):
        parse_recipe("own", {**WRITTEN, **changes}, "x")


def test_an_unknown_recipe_names_the_nearest():
    with pytest.raises(UnknownNameError, match="no recipe 'bilstm-glu'; nearest: 'bilstm-glue'"):
        read_recipe("bilstm-glu")
