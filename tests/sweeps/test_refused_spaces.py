"""Spaces that are refused, and settings that may not be searched."""

from __future__ import annotations

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from atinuke_bench.config import make_run_config
from atinuke_bench.errors import AtinukeBenchError, ConfigError
from atinuke_bench.sweeps.fields import resolve_space
from atinuke_bench.sweeps.planning import make_study_config
from atinuke_bench.sweeps.spaces import make_space, read_space


def space_of(parameters, **overrides):
    return resolve_space(parameters, make_run_config("snli", "atinuke", preset="nano", overrides=overrides), "space")


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
        "core.dropout.when.core.norm: one of 'pre' or 'post'; found 'prae'",
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
        tasks=[(task, None)],
        core=core,
        space=space,
        name="one",
        preset="nano",
        overrides=overrides,
        budget={"trials": 2},
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
        ({"categorical": [32, "64 8"]}, "core.hidden_size: a whole number; found '64 8'"),
        ({"categorical": [32, True]}, "core.hidden_size: a whole number; found True"),
        ({"float": [32, 64]}, "core.hidden_size: a whole number; found 32.0"),
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
