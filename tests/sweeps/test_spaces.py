"""Search spaces: what they draw, and what they refuse."""

from __future__ import annotations

import random

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import FloatDistribution

from atinuke_bench.config import AttentionConfig, BiLSTMConfig, make_run_config
from atinuke_bench.errors import ConfigError
from atinuke_bench.sweeps.domains import values_of
from atinuke_bench.sweeps.fields import resolve_space
from atinuke_bench.sweeps.samplers import grid_points
from atinuke_bench.sweeps.spaces import Space, built_in_spaces, make_space, read_space

CONDITIONAL = {
    "core.num_heads": {"int": [1, 9]},
    "core.hidden_size": {"int": [32, 96], "when": {"core.causal": True}},
    "core.causal": {"categorical": [True, False]},
}


def draw_at_random(seed=0):
    choose = random.Random(seed)

    def suggest(path, domain):
        if isinstance(domain, FloatDistribution):
            return choose.uniform(domain.low, domain.high)
        return choose.choice(values_of(domain))

    return suggest


def space_of(parameters, core="atinuke", **overrides):
    run = make_run_config("snli", core, preset="nano", overrides=overrides)
    return resolve_space(parameters, run, "space")


@given(
    seed=st.integers(0, 10**6),
    heads=st.lists(st.integers(1, 12), min_size=2, max_size=4, unique=True),
    low=st.integers(2, 200),
    width=st.integers(30, 200),
)
@settings(max_examples=40, deadline=None)
def test_heads_divide_every_hidden_size_that_is_drawn(seed, heads, low, width):
    space = make_space(
        {
            "core.hidden_size": {"int": [low, low + width]},
            "core.num_heads": {"categorical": heads},
            "core.positions": {"categorical": ["rotary", "none"]},
        },
        {"core.num_heads": 2, "core.hidden_size": 64, "core.positions": "none"},
    )
    chosen = space.draw(draw_at_random(seed)).overrides
    size, number = chosen["core.hidden_size"], chosen["core.num_heads"]
    assert size % number == 0
    assert low <= size <= low + width
    assert chosen["core.positions"] == "none" or (size // number) % 2 == 0


def test_a_fitted_size_is_the_nearest_one():
    space = space_of({"core.num_heads": {"categorical": [3, 5]}, "core.hidden_size": {"int": [20, 90]}})
    wanted = {"core.num_heads": 5, "core.hidden_size": 63}
    assert space.draw(lambda path, domain: wanted[path]).overrides["core.hidden_size"] == 65


def test_heads_alone_are_fitted_to_the_fixed_hidden_size():
    space = space_of({"core.num_heads": {"int": [1, 9]}})  # nano has 64
    assert [space.draw(lambda path, domain, h=h: h).overrides["core.num_heads"] for h in (3, 5, 7, 9)] == [2, 4, 8, 8]


def test_a_hidden_size_held_back_leaves_the_heads_to_fit():
    space = space_of(CONDITIONAL)
    wanted = {"core.num_heads": 7, "core.hidden_size": 50, "core.causal": False}
    assert space.draw(lambda path, domain: wanted[path]).overrides == {"core.causal": False, "core.num_heads": 8}


@pytest.mark.parametrize("name", built_in_spaces())
@pytest.mark.parametrize("core", ["atinuke", "transformer", "bilstm"])
@pytest.mark.parametrize("preset", ["nano", "base"])
def test_every_ready_made_space_draws_valid_runs(name, core, preset):
    run = make_run_config("snli", core, preset=preset)
    if (name, core) == ("components", "bilstm"):
        with pytest.raises(ConfigError, match=r"unknown field 'core\.positions'"):
            resolve_space(read_space(name), run, name)
        return
    space = resolve_space(read_space(name), run, name)
    for seed in range(20):
        overrides = space.draw(draw_at_random(seed)).overrides
        drawn = make_run_config("snli", core, preset=preset, overrides=overrides)
        assert isinstance(drawn.core, AttentionConfig | BiLSTMConfig)
        assert drawn.core.hidden_size > 0
    assert ("core.num_heads" in space.record()) == (core != "bilstm" and name in ("encoder", "dimensions"))


def test_a_space_is_the_same_after_it_was_written():
    run = make_run_config("snli", "atinuke", preset="nano")
    once = resolve_space(read_space("encoder"), run, "space")
    written = yaml.safe_load(yaml.safe_dump(once.record(), sort_keys=False))
    assert Space.from_record(written) == once
    assert written["core.hidden_size"] == {"int": [32, 128], "log": True}


@pytest.mark.parametrize(
    ("space", "core"), [("encoder", "atinuke"), ("dimensions", "bilstm"), (CONDITIONAL, "atinuke")]
)
def test_a_written_space_draws_the_same_without_the_task(space, core):
    whole = space_of(read_space(space) if isinstance(space, str) else space, core=core)
    written = Space.from_record(yaml.safe_load(yaml.safe_dump(whole.record(), sort_keys=False)))
    for seed in range(20):
        assert written.draw(draw_at_random(seed)) == whole.draw(draw_at_random(seed))


def test_a_range_ends_with_its_last_whole_step():
    space = make_space({"a": {"int": [1, 8], "step": 3}, "b": {"float": [0, 1], "step": 0.3}}, {})
    assert space.record() == {"a": {"int": [1, 7], "step": 3}, "b": {"float": [0.0, 0.9], "step": 0.3}}


def test_a_multiple_follows_the_field_it_multiplies():
    space = space_of(
        {
            "core.feedforward_size": {"categorical": [2, 3], "times": "core.hidden_size"},
            "core.hidden_size": {"int": [30, 70]},
        }
    )
    chosen = space.draw(lambda path, domain: {"core.feedforward_size": 3}.get(path, 47)).overrides
    assert chosen == {"core.hidden_size": 46, "core.feedforward_size": 138}


def test_conditions_hold_parameters_back():
    space = space_of(
        {
            "core.attention_dropout": {"float": [0, 0.5], "when": {"core.norm": ["pre"]}},
            "core.norm": {"categorical": ["pre", "post"]},
        }
    )
    for norm, expected in (("pre", {"core.norm", "core.attention_dropout"}), ("post", {"core.norm"})):
        drawn = space.draw(lambda path, domain, norm=norm: norm if path == "core.norm" else 0.25)
        assert set(drawn.overrides) == expected


def test_odd_sizes_are_fitted_where_a_core_needs_even_ones():
    space = space_of({"core.hidden_size": {"int": [30, 70]}}, core="bilstm")
    assert space.draw(lambda path, domain: 47).overrides == {"core.hidden_size": 46}


def test_a_grid_has_every_different_run_once():
    space = space_of(
        {
            "core.norm": {"categorical": ["pre", "post"]},
            "core.dropout": {"float": [0, 0.3], "when": {"core.norm": "pre"}},
            "core.num_heads": {"int": [1, 4]},
        }
    )
    points = grid_points(space, seed=1)
    # 4 dropouts with pre and 1 with post, and heads 1, 2, 4: 3 becomes 2 or 4 of the 64 that nano has.
    assert len(points) == 5 * 3
    assert points != grid_points(space, seed=2)
    assert {repr(sorted(point.items())) for point in points} == {
        repr(sorted(point.items())) for point in grid_points(space, seed=2)
    }
