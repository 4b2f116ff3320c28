"""Names of cores, built in and plugged in."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from types import ModuleType

import pytest

from atinuke_bench import registry
from atinuke_bench.config import CoreConfig, core_config_class, is_floor
from atinuke_bench.errors import MissingDependencyError


class PluginConfig(CoreConfig):
    name: str = "plugin"


@pytest.fixture
def plugged_in(monkeypatch):
    module = ModuleType("a_plugin")
    vars(module)["Core"] = type("Core", (), {"config_class": PluginConfig})
    monkeypatch.setitem(sys.modules, "a_plugin", module)
    points = [EntryPoint("plugin", "a_plugin:Core", "atinuke_bench.cores"), EntryPoint("broken", "not_there:Core", "")]
    monkeypatch.setattr(registry, "entry_points", lambda group: points if group == "atinuke_bench.cores" else [])
    registry._table.cache_clear()
    yield
    registry._table.cache_clear()


@pytest.mark.parametrize("name", registry.core_names())
def test_the_config_of_a_core_is_the_one_that_the_core_takes(name):
    assert core_config_class(name) is registry.load_core(name).config_class
    assert core_config_class(name).model_fields["name"].default == name


def test_a_plugged_in_core_brings_its_config(plugged_in):
    assert "plugin" in registry.core_names()
    assert core_config_class("plugin") is PluginConfig


def test_what_is_a_floor_is_asked_of_the_core(plugged_in, monkeypatch):
    assert not is_floor("plugin")
    monkeypatch.setattr(PluginConfig, "is_floor", True)
    assert is_floor("plugin")


def test_a_plug_in_that_cannot_be_imported_says_what_it_needs(plugged_in):
    with pytest.raises(MissingDependencyError, match="core 'broken' needs the package 'not_there'"):
        core_config_class("broken")
    assert not is_floor("broken")
