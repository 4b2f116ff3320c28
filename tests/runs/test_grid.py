"""Suites as grids: overrides, patterns, wrong input; and what the command line says of them."""

from __future__ import annotations

import json

import pytest
import yaml

from atinuke_bench.cli import main
from atinuke_bench.config import SourceConfig, SuiteConfig, parse
from atinuke_bench.errors import ConfigError, UnknownNameError
from atinuke_bench.runs.grid import built_in_suites, expand, read_suite, require_data_folder, select

SUITE = {
    "name": "trial",
    "tasks": ["glue/wnli", "snli"],
    "cores": {
        "floor": {"core": "majority"},
        "small": {"core": "atinuke", "preset": "nano", "overrides": {"training.max_epochs": 4}},
    },
    "seeds": [0, 1],
    "overrides": {"training.max_epochs": 2, "core.dropout": 0.2},
    "task_overrides": {"snli": {"training.max_epochs": 3}},
}


def written(tmp_path, **changes):
    path = tmp_path / "trial.yaml"
    path.write_text(yaml.safe_dump({**SUITE, **changes}))
    return path


def cells_of(**changes):
    suite = parse(SuiteConfig, {**SUITE, "overrides": {"training.max_epochs": 2}, **changes}, "suite")
    return expand(suite, SourceConfig())


def test_the_more_special_override_holds():
    epochs = {cell.path: cell.run.training.max_epochs for cell in cells_of()}
    assert epochs == {
        **{f"glue/wnli/floor/{seed}": 2 for seed in (0, 1)},
        **{f"glue/wnli/small/{seed}": 4 for seed in (0, 1)},
        **{f"snli/floor/{seed}": 3 for seed in (0, 1)},
        **{f"snli/small/{seed}": 4 for seed in (0, 1)},
    }


def test_groups_of_tasks_and_cores_by_their_names():
    short = {"name": "short", "tasks": ["glue", "superglue/c*", "snli"], "cores": ["bilstm", "majority"], "seeds": [0]}
    changes = {"glue": {"training.max_epochs": 1, "training.patience": 1}, "glue/rte": {"training.max_epochs": 7}}
    suite = parse(SuiteConfig, {**short, "task_overrides": dict(reversed(changes.items()))}, "suite")
    assert suite.tasks[:2] == ["glue/cola", "glue/sst2"]
    assert suite.tasks[10:] == ["superglue/cb", "superglue/copa", "snli"]
    assert {name: variant.core for name, variant in suite.cores.items()} == {"bilstm": "bilstm", "majority": "majority"}
    assert suite.overrides_of("glue/cola", "bilstm")["training.max_epochs"] == 1
    assert suite.overrides_of("glue/rte", "bilstm") == {
        "training.select_on": "held-out", "training.max_epochs": 7, "training.patience": 1,
    }  # fmt: skip
    assert "training.max_epochs" not in suite.overrides_of("snli", "bilstm")
    few = parse(SuiteConfig, {**short, "tasks": ["glue/rte"], "task_overrides": changes}, "suite")
    assert list(few.task_overrides) == ["glue/rte"]
    with pytest.raises(ConfigError, match="task_overrides names 'pawsx', which is none"):
        parse(SuiteConfig, {**short, "task_overrides": {"pawsx": {"training.max_epochs": 1}}}, "suite")


def test_a_floor_has_none_of_the_dimensions_that_all_cores_share():
    cells = cells_of(overrides=SUITE["overrides"], task_overrides={"snli": {"core.dropout": 0.3}})
    assert {cell.path: cell.run.core.dropout for cell in cells if cell.variant == "small"} == {
        "glue/wnli/small/0": 0.2, "glue/wnli/small/1": 0.2, "snli/small/0": 0.3, "snli/small/1": 0.3,
    }  # fmt: skip
    assert all(cell.run.training.max_epochs == 2 for cell in cells if cell.variant == "floor")


def test_the_selection_rule_reaches_every_run():
    assert {cell.run.training.select_on for cell in cells_of()} == {"held-out"}
    assert {cell.run.training.select_on for cell in cells_of(select_on="dev")} == {"dev"}


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["snli/small/1"], ["snli/small/1"]),
        (["srl/*"], []),
        (["glue/wnli/*/0"], ["glue/wnli/floor/0", "glue/wnli/small/0"]),
        (["snli/floor", "glue/wnli/small/1"], ["glue/wnli/small/1", "snli/floor/0", "snli/floor/1"]),
        (["*/small/0"], ["glue/wnli/small/0", "snli/small/0"]),
    ],
)
def test_patterns_choose_runs(patterns, expected):
    cells = cells_of()
    if not expected:
        with pytest.raises(ConfigError, match="no run of the suite matches"):
            select(cells, patterns)
        return
    assert sorted(cell.path for cell in select(cells, patterns)) == sorted(expected)


@pytest.mark.parametrize("name", sorted(built_in_suites()))
def test_every_built_in_suite_expands(name):
    suite = read_suite(name)
    assert suite.name == name
    assert suite.description
    assert expand(suite, suite.source or SourceConfig())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sedes": [1]}, "sedes: unknown field; nearest: 'seeds'"),
        ({"tasks": []}, "tasks: at least 1 entries"),
        ({"seeds": []}, "seeds: at least 1 entries"),
        ({"seeds": [1, 1]}, "seeds has a value twice"),
        ({"cores": {"a": {"core": "atinuke", "presets": "nano"}}}, "presets: unknown field; nearest: 'preset'"),
        ({"task_overrides": {"srl": {}}}, "task_overrides names 'srl'"),
        ({"tasks": ["snli"], "cores": {"a": {"corr": "atinuke"}}}, "corr: unknown field; nearest: 'core'"),
        ({"select_on": "test"}, "select_on"),
    ],
)
def test_a_wrong_suite_file_is_explained(tmp_path, changes, message):
    with pytest.raises(ConfigError) as error:
        read_suite(str(written(tmp_path, **changes)))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"tasks": ["snil"], "task_overrides": {}}, UnknownNameError, "nearest: 'snli'"),
        ({"cores": {"a": {"core": "atinuka"}}}, UnknownNameError, "nearest: 'atinuke'"),
        (
            {"cores": {"floor": {"core": "majority", "overrides": {"core.dropout": 0.1}}}},
            ConfigError,
            "MajorityConfig has no 'dropout'",
        ),
        (
            {
                "tasks": ["lm"],
                "task_overrides": {"lm": {"options.objective": "causal"}},
                "cores": {"a": {"core": "bilstm"}},
            },
            ConfigError,
            "sees the token",
        ),
        (
            {"cores": {"a": {"core": "bilstm", "overrides": {"core.dropuot": 0.1}}}},
            ConfigError,
            "nearest: 'core.dropout'",
        ),
        ({"overrides": {"options.no_such": 1}}, ConfigError, "no_such"),
        ({"cores": {"a": {"core": "atinuke", "overrides": {"core.num_heads": 3}}}}, ConfigError, "must divide"),
    ],
)
def test_a_run_that_cannot_be_is_refused_before_anything_runs(changes, error, message):
    with pytest.raises(error, match=message):
        cells_of(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"overrides": {"core.dropuot": 0.1}},
        {"task_overrides": {"snli": {"training.lr": 1}}},
        {"cores": {"a": {"core": "atinuke", "preset": "nano", "overrides": {"core.num_heads": 3}}}},
        {"overrides": {"options.no_such": 1}},
    ],
)
def test_a_wrong_override_is_named_with_its_suite_and_column(changes):
    suite = parse(SuiteConfig, {**SUITE, "overrides": {}, **changes}, "suite")
    with pytest.raises(ConfigError, match=r"^my\.yaml: \S+ in column '\w+': "):
        expand(suite, SourceConfig(), "my.yaml")


def test_without_data_no_run_begins(cli, tmp_path, monkeypatch):
    monkeypatch.delenv("ATINUKE_DATA", raising=False)
    with pytest.raises(ConfigError, match=r"^2 tasks are read from official files in a folder, and none was given"):
        require_data_folder(cells_of())
    suite = parse(SuiteConfig, {**SUITE, "overrides": {}}, "suite")
    with pytest.raises(ConfigError, match="nowhere is no folder"):
        require_data_folder(expand(suite, SourceConfig(data_dir=tmp_path / "nowhere")))
    require_data_folder(expand(suite, SourceConfig(data_dir=tmp_path)))
    require_data_folder(expand(suite, SourceConfig(kind="microworld")))
    done = cli("suite", written(tmp_path, overrides={}), "--out", tmp_path / "store")
    assert done.status == 2
    assert done.err.count("official files") == 1
    assert not list((tmp_path / "store").rglob("config.yaml"))


def test_the_smallest_suite_needs_no_data_and_says_what_it_does():
    smoke = read_suite("smoke")
    assert smoke.source is not None
    assert smoke.source.kind == "microworld"
    assert "two epochs and four seeds" in smoke.description
    assert (smoke.overrides["training.max_epochs"], len(smoke.seeds)) == (2, 4)


def test_a_suite_that_is_no_yaml_or_not_there(tmp_path):
    (tmp_path / "bad.yaml").write_text("name: [")
    with pytest.raises(ConfigError, match="not readable as YAML"):
        read_suite(str(tmp_path / "bad.yaml"))
    with pytest.raises(UnknownNameError, match="nearest: 'quick'"):
        read_suite("quik")


def test_a_dry_run_prints_the_grid_and_runs_nothing(tmp_path, official, capsys, monkeypatch):
    path = written(tmp_path, overrides={"training.max_epochs": 2})
    command = ["atinuke-bench", "suite", str(path), "--data-dir", str(official), "--out", str(tmp_path / "store")]
    monkeypatch.setattr("sys.argv", [*command, "--dry-run", "--json"])
    with pytest.raises(SystemExit, match="0"):
        main()
    rows = json.loads(capsys.readouterr().out)
    assert [row["status"] for row in rows] == ["waiting"] * 8
    small = next(row for row in rows if row["variant"] == "small")
    assert small["parameters"] > 100_000
    assert small["training_flops_per_token"] > 1e5
    assert small["seconds"] > 0
    assert not (tmp_path / "store").exists()
