"""Search spaces: what they draw, and what they refuse."""

from __future__ import annotations

import random

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from atinuke_bench.config import AttentionConfig, BiLSTMConfig, make_run_config
from atinuke_bench.errors import AtinukeBenchError, ConfigError
from atinuke_bench.sweeps.definition import make_study_config
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


BAD = {
    "unknown field": (
        {"core.num_layer": {"int": [1, 2]}},
        "unknown field 'core.num_layer'; nearest: 'core.num_layers'",
    ),
    "unknown group": ({"cores.num_layers": {"int": [1, 2]}}, "unknown field 'cores.num_layers'"),
    "group": ({"core": {"int": [1, 2]}}, "'core' is a group of fields"),
    "empty range": ({"core.num_layers": {"int": [4, 2]}}, "an empty range: low must be below high; found [4, 2]"),
    "float range of int": ({"core.num_layers": {"float": [1, 2]}}, "the field takes no fractions"),
    "fraction as int": ({"core.num_layers": {"int": [1, 2.5]}}, "a whole number; found 2.5"),
    "outside the field": ({"core.dropout": {"float": [0, 1.5]}}, "below 1.0; found 1.5"),
    "wrong choice": ({"core.norm": {"categorical": ["pre", "mid"]}}, "found 'mid'"),
    "wrong type": ({"core.causal": {"categorical": ["yes", "no"]}}, "found 'yes'"),
    "number for a switch": ({"core.causal": {"categorical": [0, 1]}}, "found 0"),
    "one choice": ({"core.norm": {"categorical": ["pre"]}}, "at least two choices"),
    "equal choices": ({"core.dropout": {"categorical": [0, False]}}, "choices differ from each other; found 0 twice"),
    "same choice": ({"core.norm": {"categorical": ["pre", "pre"]}}, "found 'pre' twice"),
    "log from zero": ({"core.dropout": {"float": [0, 0.5], "log": True}}, "starts above zero"),
    "no kind": ({"core.dropout": {"log": True}}, "give one of int, float, categorical; found none"),
    "typo": ({"core.dropout": {"flaot": [0, 1]}}, "unknown key 'flaot'; nearest: 'float'"),
    "no mapping": ({"core.dropout": [0, 1]}, "a parameter is a mapping"),
    "unknown condition": (
        {"core.dropout": {"float": [0, 0.5], "when": {"core.nrm": "pre"}}},
        "no field 'core.nrm'; nearest: 'core.norm'",
    ),
    "circle": (
        {
            "core.num_layers": {"int": [1, 2], "times": "core.feedforward_size"},
            "core.feedforward_size": {"int": [1, 2], "times": "core.num_layers"},
        },
        "parameters that need each other",
    ),
    "the seed": ({"seed": {"int": [1, 9]}}, "seed is the seed of the study's runs"),
    "selection": ({"training.select_on": {"categorical": ["dev", "held-out"]}}, "what scores are measured on"),
    "heads that fit nothing": (
        {"core.num_heads": {"categorical": [7, 37]}, "core.hidden_size": {"int": [60, 70]}},
        "heads must divide the hidden size",
    ),
    "heads that fit nothing in one branch": (
        {
            "core.norm": {"categorical": ["pre", "post"]},
            "core.num_heads": {"categorical": [3, 5]},
            "core.hidden_size": {"int": [60, 100], "when": {"core.norm": "pre"}},
        },
        "heads must divide the hidden size",
    ),
    "heads that fit nothing beyond a depth": (
        {
            "core.num_layers": {"int": [1, 3]},
            "core.num_heads": {"categorical": [3, 5]},
            "core.hidden_size": {"int": [60, 100], "when": {"core.num_layers": [1, 2]}},
        },
        "heads must divide the hidden size",
    ),
    "heads that fit nothing with a number between": (
        {
            "core.num_layers": {"int": [1, 3]},
            "core.num_heads": {"categorical": [4, 5], "when": {"core.num_layers": 2}},
            "core.hidden_size": {"categorical": [66, 70]},
        },
        "heads must divide the hidden size, and none of {'categorical': [66, 70]} fits with core.num_heads 4",
    ),
    "condition on no choice": (
        {
            "core.norm": {"categorical": ["pre", "post"]},
            "core.dropout": {"float": [0, 0.5], "when": {"core.norm": "prae"}},
        },
        "core.dropout.when.core.norm: 'prae' is none of {'categorical': ['pre', 'post']}, so it can never hold; "
        "nearest: 'pre'",
    ),
    "condition on a number outside": (
        {"core.num_layers": {"int": [1, 3]}, "core.dropout": {"float": [0, 0.5], "when": {"core.num_layers": [2, 4]}}},
        "4 is none of {'int': [1, 3]}, so it can never hold",
    ),
    "condition on no value of a field": (
        {"core.dropout": {"float": [0, 0.5], "when": {"core.norm": "prae"}}},
        "core.dropout.when.core.norm: input should be 'pre' or 'post'; found 'prae'",
    ),
    "condition on no core": (
        {"core.dropout": {"float": [0, 0.5], "when": {"core.name": ["atinuke", "transfomer"]}}},
        "no core 'transfomer'; nearest: 'transformer'",
    ),
    "nothing for this core": (
        {"core.num_heads": {"int": [1, 2], "when": {"core.name": "transformer"}}},
        "no parameter applies to core 'atinuke'",
    ),
}


@pytest.mark.parametrize(("parameters", "message"), BAD.values(), ids=BAD.keys())
def test_a_bad_space_is_refused_in_one_line(parameters, message):
    with pytest.raises(AtinukeBenchError) as caught:
        space_of(parameters)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("task", "core", "path", "message"),
    [
        ("lm", "atinuke", "options.objective", "part of the protocol that scores are measured by"),
        ("lm", "atinuke", "options.corpus", "where the data comes from"),
        ("lm", "bilstm", "tokenizer.vocab_size", "part of what masked_loss measures"),
        ("lm", "bilstm", "tokenizer.lowercase", "part of what masked_loss measures"),
        ("srl", "atinuke", "options.verbs_only", "part of the protocol that scores are measured by"),
        ("coref", "atinuke", "options.keeps_singletons", "read from the data"),
        ("snli", "atinuke", "source.revision", "where the data comes from"),
        ("snli", "atinuke", "init_from.weights", "the run that trials start from"),
    ],
)
def test_what_a_score_is_stays_the_same_in_all_trials(task, core, path, message):
    run = make_run_config(task, core, preset="nano")
    with pytest.raises(ConfigError, match=message):
        resolve_space({path: {"categorical": [100, 200]}}, run, "space")


def test_bits_per_byte_do_not_depend_on_the_tokenizer():
    run = make_run_config("lm", "atinuke", preset="nano")
    assert resolve_space({"tokenizer.vocab_size": {"int": [200, 400]}}, run, "space").parameters


def study_of(task, core, space, **overrides):
    return make_study_config(
        task=task, core=core, space=space, name="one", preset="nano", overrides=overrides, budget={"trials": 2}
    )


CAUSAL = {"core.num_layers": {"int": [1, 3]}, "core.causal": {"categorical": [True, False]}}


@pytest.mark.parametrize("space", [CAUSAL, read_space("components")], ids=["causal", "components"])
def test_a_space_that_changes_the_metric_is_refused(space):
    with pytest.raises(ConfigError) as caught:
        study_of("lm", "atinuke", space)
    assert "it is metric bits_per_byte, and metric masked_loss with core.causal=false" in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match=r"it is metric masked_loss, and metric bits_per_byte with core\.causal=true"):
        study_of("lm", "transformer", {"core.causal": {"categorical": [True, False]}})


def test_a_switch_that_leaves_the_metric_alone_is_searched():
    assert study_of("snli", "atinuke", CAUSAL).metric == "accuracy"
    masked = study_of("lm", "atinuke", CAUSAL, **{"options.objective": "masked"})
    assert (masked.metric, masked.higher_is_better) == ("masked_loss", False)


def test_a_setting_that_no_trial_would_keep_is_refused():
    with pytest.raises(ConfigError, match=r"--set core\.num_layers=2: space searches this field"):
        study_of("snli", "atinuke", CAUSAL, **{"core.num_layers": 2})
    relative = {"core.hidden_size": {"int": [0.5, 2], "relative": True}}
    (size,) = study_of("snli", "atinuke", relative, **{"core.hidden_size": 96}).space.parameters
    assert size.domain == IntDistribution(48, 192)
    held_back = {**CAUSAL, "core.num_layers": {"int": [1, 3], "when": {"core.causal": True}}}
    space = study_of("snli", "atinuke", held_back, **{"core.num_layers": 2}).space
    assert space.draw(lambda path, domain: False).overrides == {"core.causal": False}


def test_a_condition_can_keep_the_metric_as_it_is():
    space = {
        "core.causal": {"categorical": [True, False], "when": {"core.norm": ["post"]}},
        "core.norm": {"categorical": ["pre", "post"]},
    }
    with pytest.raises(ConfigError, match=r"core\.norm=post, core\.causal=false"):
        study_of("lm", "atinuke", space)


def test_another_pretrained_model_is_another_protocol():
    space = {"core.model": {"categorical": ["a/one", "a/two"]}}
    with pytest.raises(
        ConfigError, match=r"pretraining one.*, and pretraining two.* with core\.model=a/two|pretraining"
    ):
        study_of("snli", "pretrained", space, **{"core.model": "a/one"})


def test_selecting_on_dev_is_refused():
    with pytest.raises(ConfigError, match="would tune on the dev set"):
        space_of({"core.dropout": {"float": [0, 0.5]}}, **{"training.select_on": "dev"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("parameters: [", "not readable as YAML"),
        ("core.dropout: {float: [0, 1]}", "a space is a mapping with `parameters`"),
        ("parameters: {a: {int: [1, 2]}}\nparamters: {}", "found 'paramters'"),
    ],
)
def test_a_bad_file_is_refused_in_one_line(tmp_path, text, message):
    path = tmp_path / "space.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_space(str(path))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ConfigError, match="no space 'encodr'; nearest: 'encoder'"):
        read_space("encodr")


def test_texts_that_are_numbers_become_numbers():
    space = make_space({"a": {"categorical": ["1e-4", "1e-3"]}, "b": {"float": ["1e-4", "1e-2"]}}, {})
    assert [parameter.domain for parameter in space.parameters] == [
        CategoricalDistribution((1e-4, 1e-3)),
        FloatDistribution(1e-4, 1e-2),
    ]
    assert make_space({"a": {"int": [1, 3]}}, {}).parameters[0].domain == IntDistribution(1, 3)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"int": [32, 64], "times": "core.norm"}, "core.hidden_size.times: a field that has a number; .* has 'pre'"),
        ({"int": [32, 64], "times": ["core.num_heads"]}, r"core.hidden_size.times: the name of a field.*found \['core"),
        ({"int": [32, 64], "times": {"core.num_heads": 2}}, "core.hidden_size.times: the name of a field"),
        ({"int": [32, 64], "times": "core.causal"}, "core.hidden_size.times: a field that has a number; .* has True"),
        ({"int": [0.5, float("inf")], "relative": True}, r"core.hidden_size: a range is \[low, high\]"),
        ({"int": [1, 2], "relative": "yes"}, "core.hidden_size.relative: true or false; found 'yes'"),
        ({"int": [32, 10**400]}, "core.hidden_size: a whole number; found 1000"),
        ({"int": [32, 64], "xyz": 8}, "unknown key 'xyz'; a parameter has int, float, categorical, log, step, times"),
    ],
)
def test_what_a_parameter_gives_is_of_the_right_kind(spec, message):
    with pytest.raises(ConfigError, match=message):
        space_of({"core.hidden_size": spec})


def test_a_searched_factor_has_numbers_too():
    space = {
        "core.norm": {"categorical": ["pre", "post"]},
        "core.feedforward_size": {"int": [2, 4], "times": "core.norm"},
    }
    with pytest.raises(
        ConfigError, match=r"core\.feedforward_size\.times: a field that has a number; core\.norm has 'pre'"
    ):
        space_of(space)


@pytest.mark.parametrize(
    ("path", "domain", "needed"),
    [
        ("core.norm", {"categorical": ["pre", "post"]}, "pre"),
        ("core.num_layers", {"int": [1, 3]}, [1, 2]),
        ("core.causal", {"categorical": [True, False]}, True),
    ],
)
def test_heads_must_fit_the_size_that_a_condition_leaves_as_it_is(path, domain, needed):
    space = {path: domain, "core.num_heads": {"categorical": [3, 5]}}
    size = {"int": [60, 100]}
    with pytest.raises(ConfigError, match=r"core\.num_heads: heads must divide the hidden size"):
        space_of({**space, "core.hidden_size": {**size, "when": {path: needed}}})
    assert space_of({**space, "core.hidden_size": size})
