"""Configs: presets, overrides, identity, messages."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from atinuke_bench import registry
from atinuke_bench.config import (
    AtinukeConfig,
    CoreVariant,
    RunConfig,
    SourceConfig,
    SuiteConfig,
    TrainingConfig,
    core_config_class,
    make_run_config,
    parse,
    parse_override,
)
from atinuke_bench.errors import ConfigError, UnknownNameError
from atinuke_bench.registry import core_names, load_task, task_names
from atinuke_bench.runs.grid import expand
from atinuke_bench.sweeps.planning import make_study_config


@pytest.mark.parametrize("name", [name for name in core_names() if name != "pretrained"])
def test_every_preset_of_every_core_is_valid(name):
    config_class = core_config_class(name)
    assert list(config_class.presets) == ["nano", "micro", "mini", "small", "base"]
    for preset in config_class.presets:
        config = config_class.from_preset(preset)
        assert config.name == name
        assert parse(config_class, config.model_dump(mode="json"), "core") == config


def test_atinuke_is_causal_with_layerwise_positions_unless_told_otherwise():
    config = AtinukeConfig.from_preset("micro")
    assert (config.causal, config.positions, config.norm) == (True, "layerwise", "pre")


@pytest.mark.parametrize("task", task_names())
@pytest.mark.parametrize("core", ["bilstm", "majority"])
def test_settings_come_from_the_user_first_then_from_the_task_then_from_the_core(task, core):
    settings = {**core_config_class(core).training, **load_task(task).training}
    assert make_run_config(task, core).training == TrainingConfig(**settings)
    run = make_run_config(task, core, overrides={"training.max_epochs": 2})
    assert run.training == TrainingConfig(**{**settings, "max_epochs": 2})


def test_python_suites_and_studies_make_the_same_run():
    source = SourceConfig(kind="microworld")
    suite = SuiteConfig(name="one", tasks=["srl"], cores={"bilstm": CoreVariant(core="bilstm")}, seeds=[0])
    space = {"core.dropout": {"float": [0.0, 0.3]}}
    study = make_study_config(
        name="one", tasks=[("srl", None)], core="bilstm", space=space, source=source, budget={"trials": 1}
    )
    run = make_run_config("srl", "bilstm", source=source)
    assert [cell.run for cell in expand(suite, source)] == [study.make_run({})] == [run]
    assert run.training.learning_rate == load_task("srl").training["learning_rate"]


@pytest.fixture
def declares(monkeypatch):
    """Makes every task declare the given training settings."""

    def declare(training):
        monkeypatch.setattr(registry, "load_task", lambda name, declaration=None: SimpleNamespace(training=training))

    return declare


@pytest.mark.parametrize(
    ("core", "preset", "overrides", "task_rate", "rate"),
    [
        ("transformer", "base", {}, None, 1e-4),
        ("transformer", "base", {}, 2e-3, 1e-4),
        ("transformer", "base", {}, 5e-5, 5e-5),
        ("transformer", "base", {"training.learning_rate": 2e-3}, 5e-5, 2e-3),
        ("transformer", "base", {"core.norm": "pre"}, 2e-3, 6e-4),
        ("atinuke", "base", {}, 2e-3, 6e-4),
        ("atinuke", "base", {"core.norm": "post"}, 2e-3, 1e-4),
        ("atinuke", "nano", {}, 2e-3, 2e-3),
        ("atinuke", "nano", {"core.preset": "base"}, None, 1e-3),  # a name alone changes nothing
        ("pretrained", "base", {"core.model": "m"}, 2e-3, 2e-3),
    ],
)
def test_a_rate_is_the_users_or_at_most_what_the_preset_trains_with(declares, core, preset, overrides, task_rate, rate):
    declares({} if task_rate is None else {"learning_rate": task_rate})
    run = make_run_config("snli", core, preset=preset, overrides=overrides)
    assert run.training.learning_rate == rate


@pytest.mark.parametrize(
    ("overrides", "task_training", "batch_tokens"),
    [({}, {}, 4096), ({}, {"batch_tokens": 1024}, 1024), ({"training.batch_tokens": 512}, {"batch_tokens": 1024}, 512)],
)
def test_a_batch_is_the_users_then_the_tasks_then_the_presets(declares, overrides, task_training, batch_tokens):
    declares(task_training)
    run = make_run_config("snli", "bilstm", preset="base", overrides=overrides)
    assert run.training.batch_tokens == batch_tokens


@pytest.mark.parametrize("core", ["atinuke", "transformer", "bilstm"])
@pytest.mark.parametrize("preset", ["nano", "micro", "mini"])
def test_small_presets_change_no_default(declares, core, preset):
    declares({})
    assert make_run_config("snli", core, preset=preset).training == TrainingConfig()


def test_a_run_survives_being_written_and_read():
    run = make_run_config("snli", "bilstm", preset="nano", overrides={"options.pooling": "mean"})
    assert parse(RunConfig, run.model_dump(mode="json"), "run") == run


def test_display_names_and_folders_are_no_part_of_what_determines_a_result():
    preset = make_run_config("snli", "atinuke", preset="nano")
    record = preset.model_dump(mode="json")
    record["core"]["preset"] = None
    record["source"]["data_dir"] = "/elsewhere"
    assert parse(RunConfig, record, "run").determinants() == preset.determinants()


def test_configs_cannot_be_changed():
    run = make_run_config("snli", "atinuke")
    with pytest.raises(ValueError, match="frozen"):
        run.seed = 3  # type: ignore[misc]  # what the test is about


@pytest.mark.parametrize(
    ("text", "value"),
    [("a=1e-3", 0.001), ("a=false", False), ("a=rotary", "rotary"), ("a=12", 12), ("a=null", None), ("a=x=y", "x=y")],
)
def test_an_override_is_read_as_yaml(text, value):
    assert parse_override(text) == ("a", value)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"core.hidden_size": "wide"}, r"^core\.hidden_size: a whole number; found 'wide'$"),
        ({"core.dropout": 1.5}, r"^core\.dropout: below 1.0; found 1\.5$"),
        ({"core.positions": "sinus"}, r"^core\.positions: .*'layerwise'.*; found 'sinus'$"),
        ({"core.positions": "rotary", "core.num_heads": 64}, "rotary positions need an even head size"),
        ({"training.lr": 1}, r"unknown field 'training\.lr'; TrainingConfig has no 'lr'; "),
        ({"trainning.max_epochs": 1}, r"RunConfig has no 'trainning'; nearest: 'training.max_epochs'"),
        ({"seed": -1}, r"^run\.seed: "),
    ],
)
def test_a_broken_rule_is_one_line_with_the_field_and_what_was_found(overrides, message):
    with pytest.raises(ConfigError, match=message) as caught:
        make_run_config("snli", "atinuke", preset="nano", overrides=overrides)
    assert "\n" not in str(caught.value)


def test_unknown_names_come_with_the_nearest():
    with pytest.raises(UnknownNameError, match=r"no task .squad-v1.; nearest: .squad-v1\.1."):
        make_run_config("squad-v1", "atinuke")
    with pytest.raises(UnknownNameError, match="no core 'xyzzy'; atinuke-bench cores lists all"):
        make_run_config("snli", "xyzzy")
