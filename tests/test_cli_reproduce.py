"""`reproduce` as a user meets it: dry runs of every recipe, one recipe to its end, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from atinuke_bench.runs.recipes import built_in_recipes, read_recipe

SMALL: dict[str, Any] = {
    "summary": "small models on a small SNLI",
    "source": "arXiv 1508.05326",
    "place": "section 3",
    "differs": ["it is small"],
    "record": {"task": "snli", "split": "test", "metric": "accuracy"},
    "rows": [{"system": "ESIM (authors' baseline)", "source": "http://allennlp.org/elmo"}],
    "grid": {"training.learning_rate": [1.0e-3, 2.0e-3]},
    "suite": {
        "tasks": ["snli"],
        "cores": {"bilstm": {"core": "bilstm", "preset": "nano"}},
        "seeds": [0, 1],
        "select_on": "dev",
        "overrides": {"training.max_epochs": 1, "training.batch_rows": 8, "tokenizer.vocab_size": 200},
    },
}


@pytest.fixture(name="small")
def _small(tmp_path):
    """`small(**changes)`: the file of a recipe of seconds."""

    def write(**changes):
        path = tmp_path / "small.yaml"
        path.write_text(yaml.safe_dump({**SMALL, **changes}))
        return path

    return write


def test_the_list_has_every_recipe_and_all_expand(cli):
    listed = cli("reproduce", "list", "--json")
    rows = json.loads(listed.out)
    assert [row["name"] for row in rows] == list(built_in_recipes())
    assert all(row["runs"] >= 1 and row["figures"] >= 1 for row in rows)
    assert cli("reproduce", "list").out.count("\n") == len(rows)


@pytest.mark.parametrize("name", built_in_recipes())
def test_a_dry_run_prints_the_runs_and_writes_nothing(cli, tmp_path, name):
    recipe = read_recipe(name, [0])
    shown = cli("reproduce", name, "--out", tmp_path / "runs", "--seeds", "0", "--dry-run", "--json")
    assert shown.status == 0
    rows = json.loads(shown.out)
    assert len(rows) == sum(len(recipe.suite.tasks_of(column)) for column in recipe.suite.cores)
    assert {row["status"] for row in rows} == {"waiting"}
    assert not (tmp_path / "runs").exists()


def test_a_recipe_is_carried_out_judged_and_not_repeated(cli, small, official, tmp_path):
    call = ("reproduce", small(), "--data-dir", official, "--out", tmp_path / "runs", "--workers", 1)
    quiet = ("--wandb", "disabled")
    done = cli(*call, *quiet, "--json")
    assert done.status == 0, done.err
    record = json.loads(done.out)
    (outcome,) = record["outcomes"]
    assert record["differs"] == ["it is small"]
    assert record["rule"] == "of each task the setting with the best mean score on dev"
    assert outcome["how"] == "no spread published"
    assert len(outcome["ours"]["values"]) == 2
    assert "ours is own data" in outcome["apart"]
    assert "ours was selected on dev" not in outcome["apart"]
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("result.json")}
    assert len(stamps) == 4
    again = cli(*call, *quiet)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("result.json")} == stamps
    lines = again.out.splitlines()
    assert lines[1].startswith("snli test accuracy: no spread published (ours ")
    assert lines[2].startswith("  chosen: bilstm, learning_rate 0.00")
    assert lines[-3:] == [
        "selected on dev, as published",
        "differs from the protocol: it is small",
        "small: 0 of 1 figures reproduced, 1 not judged",
    ]


def test_a_model_out_of_reach_is_one_line_before_anything_runs(cli, small, official, tmp_path):
    core = {"core": "pretrained", "overrides": {"core.model": "nobody/nothing-like-this"}}
    path = small(suite={**SMALL["suite"], "cores": {"bert": core}})
    refused = cli("reproduce", path, "--data-dir", official, "--out", tmp_path / "runs", "--wandb", "disabled")
    assert refused.status == 2
    assert refused.err.startswith("error: nobody/nothing-like-this: cannot be read from ")
    assert refused.err.count("\n") == 1
    assert not list((tmp_path / "runs").rglob("seed-*"))


def test_what_is_refused_is_one_line(cli, small):
    assert cli("reproduce", "bilstm-glu").err.startswith("error: no recipe 'bilstm-glu'; nearest: 'bilstm-glue'")
    assert "--seeds is whole numbers with commas between" in cli("reproduce", "bilstm-glue", "--seeds", "a,1").err
    assert cli("reproduce", small()).status == 2
