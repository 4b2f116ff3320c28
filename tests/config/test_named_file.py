"""Whoever finds a mistake in a YAML file, the message names the file, and the nearest name where one is wrong."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

SUITE: dict[str, Any] = {
    "name": "mine",
    "tasks": ["snli"],
    "cores": {"a": {"core": "bilstm", "preset": "nano"}},
    "seeds": [0],
}
#: What a suite is changed by, and what its message says after the file's name.
SUITES: dict[str, Any] = {
    "setting": ({"overrides": {"run.training.batch_size": 8}}, "nearest: 'training.batch_rows'"),
    "bare setting": ({"overrides": {"batch_size": 8}}, "nearest: 'training.batch_rows'"),
    "value": ({"overrides": {"training.max_epochs": "x"}}, "run.training.max_epochs: a whole number; found 'x'"),
    "option": ({"overrides": {"options.poolin": "mean"}}, "options.poolin: unknown field; nearest: 'pooling'"),
    "task": ({"tasks": ["snl"]}, "no task 'snl'; nearest: 'snli'"),
    "task's file": ({"tasks": ["revews.yaml"]}, "revews.yaml: no such file; nearest: 'reviews.yaml'"),
    "core": ({"cores": ["bilst"]}, "no core 'bilst'; nearest: 'bilstm'"),
    "preset": ({"cores": {"a": {"core": "bilstm", "preset": "nanoo"}}}, "nearest: 'nano'"),
    "factor's core": ({"factors": {"core": ["bilst", "atinuke"], "core.dropout": [0.1, 0.2]}}, "nearest: 'bilstm'"),
    "test set": ({"evaluate": ["hns"]}, "no test set 'hns'; nearest: 'hans'"),
}
TASK: dict[str, Any] = {
    "name": "reviews",
    "kind": "classification",
    "splits": {"train": "train.csv", "test": "test.csv"},
    "fields": {"text": "review", "label": "verdict"},
}
#: What a declaration is changed by, and what its message says, of which the file's name is the beginning.
TASKS: dict[str, Any] = {
    "setting": (
        {"training": {"max_epoch": 2}},
        "reviews.yaml.training.max_epoch: unknown field; nearest: 'max_epochs'",
    ),
    "value": ({"training": {"max_epochs": "x"}}, "reviews.yaml.training.max_epochs: a whole number; found 'x'"),
    "option": ({"options": {"poolin": "cls"}}, "reviews.yaml.options.poolin: unknown field; nearest: 'pooling'"),
    "metric": ({"metric": "acuracy"}, "reviews.yaml: no metric of kind classification 'acuracy'; nearest: 'accuracy'"),
    "kind": ({"kind": "classfication"}, "reviews.yaml: no kind 'classfication'; nearest: 'classification'"),
}
SPACES: dict[str, Any] = {
    "group": ({"run.training.batch_size": {"int": [1, 8]}}, "nearest: 'training.batch_rows'"),
    "heads": ({"core.num_heads": {"categorical": [3, 5]}}, "core.num_heads: heads must divide the hidden size"),
}
RUN: dict[str, Any] = {"task": "snli", "core": {"name": "majority", "preset": "none"}, "source": {"kind": "microworld"}}
RUNS: dict[str, Any] = {
    "field": ({"training": {"batch_siz": 3}}, "run.yaml.training.batch_siz: unknown field; nearest: 'batch_rows'"),
    "core": ({"core": {"name": "atinuk"}}, "run.yaml: no core 'atinuk'; nearest: 'atinuke'"),
    "core's field": ({"core": {"name": "bilstm", "preset": "nano", "widht": 3}}, "run.yaml: core.widht: unknown field"),
    "task": ({"task": "snl"}, "run.yaml: no task 'snl'; nearest: 'snli'"),
    "option": ({"options": {"poolin": "mean"}}, "run.yaml: options.poolin: unknown field; nearest: 'pooling'"),
}
RECIPE: dict[str, Any] = {
    "summary": "s",
    "source": "s",
    "place": "p",
    "rows": [{"task": "snli", "split": "test", "metric": "accuracy", "system": "x", "source": "y"}],
    "suite": {"tasks": ["snli"], "cores": {"a": {"core": "bilstm", "preset": "nano"}}, "seeds": [0]},
}
RECIPES: dict[str, Any] = {
    "row": (
        {"rows": [{**RECIPE["rows"][0], "systm": "x"}]},
        "recipe.yaml.rows.0.systm: unknown field; nearest: 'system'",
    ),
    "core": (
        {"suite": {**RECIPE["suite"], "cores": ["bilst"]}},
        "recipe.yaml: snli in column 'bilst': no core 'bilst'",
    ),
}


@pytest.fixture
def refused(cli, tmp_path, monkeypatch):
    """`refused(name, record, *command)`: the one line that a command answers a YAML file with."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reviews.yaml").write_text(yaml.safe_dump(TASK))

    def call(name, record, *command):
        (tmp_path / name).write_text(yaml.safe_dump(record))
        done = cli(*command, "--out", tmp_path / "runs", "--wandb", "disabled")
        assert done.status == 2
        assert done.err.count("\n") == 1, done.err
        return done.err.removeprefix("error: ")

    return call


@pytest.mark.parametrize("case", SUITES)
def test_suite(case, refused):
    change, told = SUITES[case]
    message = refused("suite.yaml", {**SUITE, **change}, "suite", "suite.yaml", "--dry-run", "--source", "microworld")
    assert message.startswith("suite.yaml")
    assert told in message


@pytest.mark.parametrize("case", TASKS)
def test_declaration(case, refused):
    change, told = TASKS[case]
    assert refused("reviews.yaml", {**TASK, **change}, "run", "--task", "reviews.yaml", "--core", "bilstm").startswith(
        told
    )
    assert told in refused("suite.yaml", {**SUITE, "tasks": ["reviews.yaml"]}, "suite", "suite.yaml", "--dry-run")


@pytest.mark.parametrize("case", SPACES)
def test_space(case, refused):
    change, told = SPACES[case]
    command = ("sweep", "snli", "--core", "atinuke", "--preset", "nano", "--source", "microworld", "--trials", "1")
    message = refused("space.yaml", {"parameters": change}, *command, "--space", "space.yaml")
    assert message.startswith("space 'space.yaml': ")
    assert told in message


@pytest.mark.parametrize("case", RUNS)
def test_config_of_a_run(case, refused):
    change, told = RUNS[case]
    assert refused("run.yaml", {**RUN, **change}, "run", "--config", "run.yaml").startswith(told)


@pytest.mark.parametrize("case", RECIPES)
def test_recipe(case, refused):
    change, told = RECIPES[case]
    command = ("reproduce", "recipe.yaml", "--dry-run", "--source", "microworld")
    assert refused("recipe.yaml", {**RECIPE, **change}, *command).startswith(told)
