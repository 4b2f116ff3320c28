"""A core as a class of a module, which no entry point names."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from site_tools.listings import ROOT, files_of

from atinuke_bench import load, register_core, registry, run, suite
from atinuke_bench.core.bilstm import BiLSTMCore
from atinuke_bench.errors import ConfigError
from atinuke_bench.files import read_object, write_json

SIZES = {"train": 40, "dev": 12, "test": 12}
TINY = {"training.max_epochs": 1, **{f"source.microworld.{name}": size for name, size in SIZES.items()}}
NANO: dict[str, Any] = {"preset": "nano", "source": "microworld", "overrides": TINY, "wandb": "disabled"}


@pytest.fixture
def convolution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The core of CONTRIBUTING.md, in a module beside a script."""
    code = files_of(ROOT / "CONTRIBUTING.md")["topics/convolution.py"]
    (tmp_path / "my_own_cores.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("my_own_cores").ConvolutionCore
    sys.modules.pop("my_own_cores")
    registry.GIVEN_CORES.clear()


def test_a_class_is_trained_and_opened_again(convolution, tmp_path):
    found = run("glue/sst2", convolution, out=tmp_path / "runs", **NANO)
    assert found.core == "convolution"
    code = read_object(found.folder / "manifest.json")["code"]["modules"]
    assert "my_own_cores" in code
    answers = found.predictions()
    assert (
        load(found.folder).predict([{"sentence1": text} for text in answers["unit"]]) == answers["prediction"].tolist()
    )
    assert run("glue/sst2", "convolution", out=tmp_path / "runs", **NANO).folder == found.folder
    registry.GIVEN_CORES.clear()
    with pytest.raises(ConfigError, match="no core 'convolution'"):
        load(found.folder)
    assert register_core(convolution) == "convolution"
    assert load(found.folder).task == "glue/sst2"


@pytest.mark.slow  # it starts a server of processes
def test_workers_know_it(convolution, tmp_path):
    register_core(convolution)
    description = {
        "name": "own",
        "tasks": ["glue/sst2"],
        "cores": {"own": {"core": "convolution", "preset": "nano"}},
        "seeds": [0],
        "source": {"kind": "microworld", "microworld": SIZES},
        "overrides": {"training.max_epochs": 1},
    }
    write_json(tmp_path / "own.yaml", description)
    done = suite(tmp_path / "own.yaml", out=tmp_path / "runs", workers=1, wandb="disabled")
    assert not done.failed
    assert done.runs[0].scores == run("glue/sst2", convolution, out=tmp_path / "other", **NANO).scores


def test_what_is_no_core_or_has_no_free_name_is_refused(convolution, monkeypatch):
    with pytest.raises(ConfigError, match="a core is a subclass of"):
        register_core(int)  # type: ignore[arg-type]

    class Inner(BiLSTMCore):
        pass

    with pytest.raises(ConfigError, match=r"a class at the top of a module.*found .*<locals>.Inner"):
        register_core(Inner)
    Inner.__qualname__ = "Inner"
    with pytest.raises(ConfigError, match=r"'bilstm', that of .*:Inner, is the name of atinuke_bench.core.bilstm"):
        register_core(Inner)
    monkeypatch.setattr(convolution, "__module__", "__main__")
    with pytest.raises(ConfigError, match="found __main__:ConvolutionCore"):
        run("glue/sst2", convolution, **NANO)
    assert not registry.GIVEN_CORES
