"""Presets train with the settings they declare: short runs that would show divergence or collapse.

Not shown here: that a rate is the best one, or that a long run stays well; of base, only that its first steps are
finite. `benchmarks/presets_train.py` trains every preset for 200 steps.
"""

from __future__ import annotations

import importlib.util
import math
import sys
from pathlib import Path

import pytest
import torch

from atinuke_bench.config import core_config_class
from atinuke_bench.registry import core_names

CORES = [name for name in core_names() if name not in ("majority", "pretrained")]


@pytest.fixture(scope="module")
def benchmark():
    path = Path(__file__).parents[2] / "benchmarks" / "presets_train.py"
    spec = importlib.util.spec_from_file_location("presets_train", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its dataclass looks for its annotations
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.mark.parametrize(("preset", "num_steps"), [("nano", 150), ("mini", 50)])
@pytest.mark.parametrize("core", CORES)
def test_a_small_preset_trains(benchmark, core, preset, num_steps):
    run = benchmark.short_run("lm", core, preset, {}, batch_tokens=256)
    assert run.training.learning_rate >= 1e-3  # small sizes need no lower rate than the default
    assert benchmark.train(run, num_steps).verdict == "trains"


def test_the_first_steps_of_the_largest_rival_are_finite(benchmark):
    run = benchmark.short_run("lm", "transformer", "base", {"training.max_length": 16}, batch_tokens=32)
    found = benchmark.train(run, 3)
    assert all(map(math.isfinite, [*found.losses, *found.norms]))
    assert found.spread > benchmark.COLLAPSED


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({}, "trains"),
        ({"losses": [2.0, 2.1]}, "loss does not fall"),
        ({"losses": [2.0, math.nan]}, "not finite"),
        ({"norms": [1.0, math.inf]}, "not finite"),
        ({"spread": 0.001}, "collapsed"),
        ({"error": "DivergedError"}, "DivergedError"),
    ],
)
def test_what_went_wrong_is_told(benchmark, change, verdict):
    well = {"run": None, "losses": [2.0, 1.0], "norms": [1.0, 1.0], "spread": 0.5}
    assert benchmark.Trained(**{**well, **change}).verdict == verdict


def test_a_core_that_gives_every_token_one_vector_has_no_spread(benchmark):
    run = benchmark.short_run("lm", "atinuke", "nano", {}, batch_tokens=256)
    module, batch = benchmark.build(run)
    assert benchmark.spread(module, batch) > 0.1
    with torch.no_grad():
        module.core.final_norm.weight.zero_()
        module.core.final_norm.bias.fill_(1.0)
    assert benchmark.spread(module, batch) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("core", CORES)
def test_every_preset_says_what_it_is_trained_with(core):
    config_class = core_config_class(core)
    limits = []
    for preset in config_class.presets:
        needs = config_class.training_of(preset, {})
        assert needs is not None
        limits.append(needs.max_learning_rate)
    assert limits == sorted(limits, reverse=True)  # no larger size takes a larger rate
