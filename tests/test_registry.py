"""Names of cores, built in and plugged in."""

from __future__ import annotations

import json
import sys
from importlib.metadata import EntryPoint
from types import ModuleType

import pytest

from atinuke_bench import environment, registry
from atinuke_bench.cli import main
from atinuke_bench.config import CoreConfig, core_config_class, is_floor, make_run_config
from atinuke_bench.errors import MissingDependencyError, PluginError, UnknownNameError


class PluginConfig(CoreConfig):
    name: str = "plugin"


@pytest.fixture
def install(monkeypatch):
    """`install(cores={name: place}, tasks=...)`: entry points as if packages of plug-ins had brought them."""

    def add(**groups):
        points = {
            f"atinuke_bench.{kind}": [EntryPoint(name, place, f"atinuke_bench.{kind}") for name, place in own]
            for kind, own in groups.items()
        }
        monkeypatch.setattr(registry, "entry_points", lambda group: points.get(group, []))
        registry._entry_points.cache_clear()

    yield add
    registry._entry_points.cache_clear()
    registry.metrics_of.cache_clear()


@pytest.fixture
def plugged_in(monkeypatch, install):
    module = ModuleType("a_plugin")
    vars(module)["Core"] = type("Core", (), {"config_class": PluginConfig})
    monkeypatch.setitem(sys.modules, "a_plugin", module)
    install(cores=[("plugin", "a_plugin:Core"), ("broken", "not_there:Core")])


@pytest.mark.parametrize("name", registry.core_names())
def test_the_config_of_a_core_is_the_one_that_the_core_takes(name):
    assert core_config_class(name) is registry.load_core(name).config_class
    assert core_config_class(name).model_fields["name"].default == name


def test_a_plugged_in_core_brings_its_config(plugged_in):
    assert "plugin" in registry.core_names()
    assert core_config_class("plugin") is PluginConfig


def test_a_plugged_in_core_with_another_core_s_config_is_refused(plugged_in, monkeypatch):
    monkeypatch.setattr(sys.modules["a_plugin"].Core, "config_class", core_config_class("transformer"))
    with pytest.raises(PluginError, match=r"core 'plugin' needs .* found TransformerConfig, which is that of 'trans"):
        make_run_config("snli", "plugin")


def test_what_is_a_floor_is_asked_of_the_core(plugged_in, monkeypatch):
    assert not is_floor("plugin")
    monkeypatch.setattr(PluginConfig, "is_floor", True)
    assert is_floor("plugin")


def test_a_plug_in_whose_module_is_gone_asks_for_no_package(plugged_in):
    with pytest.raises(PluginError, match=r"core 'broken' of a plug-in .* there is no module 'not_there'"):
        core_config_class("broken")
    assert not is_floor("broken")


FAULTS = {
    "import a_package_nobody_has.part": (MissingDependencyError, "needs the package 'a_package_nobody_has'"),
    "import atinuke_bench.not_of_this_version": (PluginError, "there is no module 'atinuke_bench.not_of_this_version'"),
    "import {name}.missing": (PluginError, "there is no module '{name}.missing'.*{name}/__init__.py:1"),
    "import numpy.not_there": (PluginError, "there is no module 'numpy.not_there'"),
    "from atinuke_bench.errors import NoSuchError": (PluginError, "ImportError: cannot import name 'NoSuchError'"),
    "1 / 0": (PluginError, "ZeroDivisionError: division by zero .*{name}/__init__.py:1"),
    "raise SystemExit('no licence')": (PluginError, "SystemExit: no licence"),
    "def (": (PluginError, "SyntaxError"),
    "TASK = None": (PluginError, "AttributeError: module '{name}' has no attribute 'THING'"),
}


@pytest.mark.parametrize("code", FAULTS)
def test_one_broken_plug_in_hides_no_other_and_says_why(tmp_path, monkeypatch, capsys, install, code):
    name = f"plugin_{list(FAULTS).index(code)}"
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text(code.format(name=name), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    install(tasks=[("mine", f"{name}:THING")], cores=[("mine", f"{name}:THING")])
    kind, message = FAULTS[code]
    for load in (registry.load_task, registry.load_core, registry.load_core_config, registry.metrics_of):
        with pytest.raises(kind, match=message.format(name=name)):
            load("mine")
    for command, listed in (("tasks", "snli"), ("cores", "transformer")):
        monkeypatch.setattr("sys.argv", ["atinuke-bench", command])
        _call(main)
        printed = capsys.readouterr()
        assert listed in printed.out
        (line,) = printed.err.splitlines()
        assert line.startswith(f"not listed: {command[:-1]} 'mine' ")


def _call(command):
    with pytest.raises(SystemExit) as end:
        command()
    assert end.value.code == 0


def test_what_is_neither_a_task_nor_a_core_hides_no_other(monkeypatch, capsys, install):
    module = ModuleType("a_plugin")
    vars(module)["thing"] = 3
    monkeypatch.setitem(sys.modules, "a_plugin", module)
    install(tasks=[("mine", "a_plugin:thing")], cores=[("mine", "a_plugin:thing")])
    for command, why in (("tasks", "'int' object has no attribute 'metric'"), ("cores", "no attribute 'config_class'")):
        monkeypatch.setattr("sys.argv", ["atinuke-bench", command, "--json"])
        _call(main)
        printed = capsys.readouterr()
        assert json.loads(printed.out)
        assert why in printed.err


def test_a_taken_name_is_said_once_and_the_built_in_is_kept(monkeypatch, capsys, install):
    install(
        tasks=[("snli", "a_plugin:SNLI")],
        cores=[
            ("atinuke", "a_plugin:Core"),
            ("twice", "a:Core"),
            ("twice", "b:Core"),
            ("same", "a:C"),
            ("same", "a:C"),
        ],
    )
    monkeypatch.setattr("sys.argv", ["atinuke-bench", "show", "nowhere"])
    with pytest.raises(SystemExit):
        main()
    told = capsys.readouterr().err.splitlines()[:-1]
    rule = "a plug-in takes a name that is free"
    assert told == [
        f"task 'snli' of a plug-in is not used: atinuke-bench has one of that name; {rule}",
        f"core 'atinuke' of a plug-in is not used: atinuke-bench has one of that name; {rule}",
        f"core 'twice' of a plug-in is not used: a plug-in has one of that name; {rule}",
    ]
    assert registry.load_core("atinuke").__module__ == "atinuke_bench.core.atinuke"
    assert registry._table("cores")["twice"] == "a:Core"


def test_an_error_of_built_in_code_is_no_plug_in_s():
    with pytest.raises(ModuleNotFoundError, match="not_ours"), registry.plugin_errors("tasks", "snli"):
        raise ModuleNotFoundError("no not_ours", name="atinuke_bench.not_ours")
    with pytest.raises(MissingDependencyError, match="'a_package_nobody_has'"), registry.plugin_errors("tasks", "snli"):
        raise ModuleNotFoundError("gone", name="a_package_nobody_has")


def test_a_start_without_plug_ins_reads_no_declaration(monkeypatch, install):
    install()
    monkeypatch.setattr(registry, "built_in_declarations", lambda: pytest.fail("a file was read"))
    assert registry.unused_plugins() == []


def test_an_entry_point_in_a_group_that_nothing_reads_is_named(monkeypatch, install):
    install()
    misplaced = EntryPoint("mine", "a_plugin:Core", "atinuke_bench.core")
    monkeypatch.setattr(registry.metadata, "entry_points", lambda name: [misplaced] if name == "mine" else [])
    rule = "the group of its entry point is 'atinuke_bench.cores'; found 'atinuke_bench.core'"
    with pytest.raises(UnknownNameError, match=f"no core 'mine'; {rule}"):
        registry.load_core("mine")
    with pytest.raises(UnknownNameError, match="no core 'xyzzy'; atinuke-bench cores lists all"):
        registry.load_core("xyzzy")


def test_what_lists_cores_and_tasks_names_entry_points_of_nearly_the_right_group(monkeypatch, tmp_path, cli):
    groups = [
        "atinuke_bench.core",
        "atinuke-bench.tasks",
        "atinkue_bench.cores",
        "atinuke_bench.sweep",
        "console_scripts",
    ]
    points = [f"[{group}]\nmine{number} = a_plugin:Core\n" for number, group in enumerate(groups)]
    package = tmp_path / "a_plugin-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: a-plugin\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("".join(points))
    monkeypatch.syspath_prepend(tmp_path)
    lines = environment.misplaced_plugins()
    assert [line[:7] for line in lines] == ["'mine0'", "'mine1'", "'mine2'", "'mine3'"]
    rule = "nothing reads the group 'atinuke_bench.core' of its entry point"
    told = f"of a-plugin 1.0: {rule}; nearest: 'atinuke_bench.cores'"
    assert lines[0] == f"'mine0' {told}"
    assert f"not listed: 'mine0' {told}\n" in cli("cores").err
    assert cli("tasks", "--json").err.count("not listed: ") == 4
    assert json.loads(cli("doctor", "--json").out)["plug-ins not listed"] == lines
