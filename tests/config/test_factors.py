"""Factors of a suite as columns: names, settings, the corners of a gap; and what is refused."""

from __future__ import annotations

import pytest
import yaml

from atinuke_bench.config import SourceConfig, SuiteConfig
from atinuke_bench.errors import AtinukeBenchError
from atinuke_bench.runs.grid import expand, read_suite

ATINUKE = {"core": "atinuke", "preset": "nano"}
TRANSFORMER = {"core": "transformer", "preset": "nano"}
LSTM = {"core": "bilstm", "preset": "nano"}
CAUSAL, NORM = {"core.causal": [True, False]}, {"core.norm": ["pre", "post"]}
SIZE = {"size": {"small": {"core.num_layers": 1}, "large": {"core.num_layers": 2, "core.num_heads": 4}}}


@pytest.fixture
def read(tmp_path):
    """`read(factors, **changes)`: a suite of one trained core and the floor, as it is read from a file."""

    def of(factors, **changes):
        cores = {"floor": {"core": "majority"}, "mine": ATINUKE}
        record = {"name": "why", "tasks": ["snli"], "cores": cores, "seeds": [0, 1], "factors": factors}
        path = tmp_path / "why.yaml"
        path.write_text(yaml.safe_dump({**record, **changes}, sort_keys=False))
        return read_suite(str(path))

    return of


def test_a_column_for_every_combination_and_the_others_as_they_were(read):
    mine = {**ATINUKE, "overrides": {"core.dropout": 0.0}}
    suite = read({**CAUSAL, **SIZE}, cores={"floor": {"core": "majority"}, "mine": mine})
    names = [f"causal={causal}, size={size}" for causal in ("true", "false") for size in ("small", "large")]
    assert list(suite.cores) == ["floor", *names]
    assert suite.cores["causal=false, size=large"].levels == {"causal": "false", "size": "large"}
    cells = {(cell.variant, cell.run.seed): cell.run.core for cell in expand(suite, SourceConfig())}
    assert len(cells) == 2 * 5
    core = cells["causal=false, size=large", 1].model_dump()
    assert (core["causal"], core["num_layers"], core["num_heads"], core["dropout"]) == (False, 2, 4, 0.0)
    assert cells["causal=true, size=small", 0].model_dump()["num_heads"] == 2


def test_presets_and_kinds_of_core_are_settings_too(read):
    suite = read({"preset": ["nano", "micro"], "core": ["transformer", "atinuke"]})
    found = {(variant.preset, variant.core) for name, variant in suite.cores.items() if name != "floor"}
    assert found == {(preset, core) for preset in ("nano", "micro") for core in ("transformer", "atinuke")}
    runs = {cell.variant: cell.run.core for cell in expand(suite, SourceConfig())}
    assert runs["preset=micro, core=transformer"].label() == "transformer-micro"


def test_of_several_trained_cores_the_suite_says_which_one_varies(read):
    cores = {"mine": ATINUKE, "base": LSTM}
    suite = read({"of": "mine", **CAUSAL, **NORM}, cores=cores)
    assert list(suite.cores)[-1] == "base"
    assert len(suite.cores) == 5


def test_a_gap_between_two_columns_has_a_factor_for_each_setting_that_differs(read):
    cores = {"base": TRANSFORMER, "floor": {"core": "majority"}, "mine": ATINUKE}
    suite = read({"from": "base", "to": "mine"}, cores=cores)
    first, *_, last, floor = suite.cores
    assert (first, last, floor) == ("base", "mine", "floor")
    assert suite.cores["base"].levels == {
        "core": "transformer", "positions": "learned", "causal": "false", "norm": "post",
    }  # fmt: skip
    assert suite.cores["mine"].levels == {"core": "atinuke", "positions": "layerwise", "causal": "true", "norm": "pre"}
    assert len(suite.cores) == 2**4 + 1
    # The corners are the runs that the two columns have without factors, and so are trained once.
    plain = {cell.variant: cell.run for cell in expand(read({}, cores=cores), SourceConfig())}
    crossed = {cell.variant: cell.run for cell in expand(suite, SourceConfig())}
    assert {name: crossed[name] for name in plain} == plain
    # The corners of the grid are those runs: a factor more, and nothing else is left to differ.
    for name, variant in suite.cores.items():
        if name not in plain:
            made = crossed[name].core.model_dump()
            assert {factor: made[factor] for factor in ("positions", "norm")} == {
                factor: variant.levels[factor] for factor in ("positions", "norm")
            }


def test_a_gap_follows_overrides_presets_and_what_kinds_do_not_share(read):
    one = {**LSTM, "overrides": {"core.dropout": 0.3, "training.learning_rate": 1e-3}}
    other = {"core": "atinuke", "preset": "micro", "overrides": {"core.causal": False}}
    suite = read({"from": "one", "to": "other"}, cores={"one": one, "other": other})
    assert suite.cores["one"].levels == {
        "core": "bilstm", "preset": "nano", "dropout": "0.3", "learning_rate": "0.001",
    }  # fmt: skip
    assert suite.cores["other"].levels == {
        "core": "atinuke", "preset": "micro", "dropout": "0.1", "learning_rate": "default",
    }  # fmt: skip
    runs = {cell.variant: cell.run.core.model_dump() for cell in expand(suite, SourceConfig())}
    crossed = runs["core=atinuke, preset=nano, dropout=0.3, learning_rate=default"]
    assert (crossed["causal"], crossed["dropout"], crossed["hidden_size"]) == (False, 0.3, 64)


@pytest.mark.parametrize(
    ("factors", "changes", "message"),
    [
        (CAUSAL, {}, "why.yaml.factors: two factors or more; found 1"),
        ({**CAUSAL, "core.norm": ["pre"]}, {}, "why.yaml.factors.core.norm: two levels or more; found 1"),
        ({**CAUSAL, "core.norm": ["pre", "pre"]}, {}, "why.yaml.factors.core.norm: has a level twice; found pre, pre"),
        ({**CAUSAL, "core.dropout": [0.1, "1e-1"]}, {}, "factors.core.dropout: has a level twice"),
        ({**CAUSAL, "core.num_heads": [1, 1.0]}, {}, "factors.core.num_heads: levels '1' and '1.0' are the same"),
        ({**CAUSAL, "size": {"a": {"core.num_layers": 1}, "b": {"core.num_layers": 1}}}, {}, "'a' and 'b' are the s"),
        ({**CAUSAL, "core.nrom": ["pre", "post"]}, {}, "why.yaml.factors.core.nrom: unknown field 'core.nrom'"),
        ({**CAUSAL, "core.nrom": ["pre", "post"]}, {}, "nearest: 'core.norm'"),
        ({**CAUSAL, "size": {"a": {"core.layers": 1}, "b": {}}}, {}, "factors.size: unknown field 'core.layers'"),
        ({**CAUSAL, "seed": [0, 1]}, {}, "factors.seed: 'seed' is no setting of a core; nearest: 'seeds'"),
        ({**CAUSAL, "core.norm": "pre"}, {}, "factors.core.norm: a list of values, or levels with the settings"),
        ({**CAUSAL, **NORM, "b": {"x": {"core.norm": "pre"}, "y": {}}}, {}, "'norm' and 'b' both set core.norm"),
        ({**CAUSAL, **NORM}, {"overrides": {"core.norm": "pre"}}, "why.yaml.overrides: sets core.norm, which factor"),
        ({**CAUSAL, **NORM}, {"task_overrides": {"snli": {"core.norm": "pre"}}}, "yaml.task_overrides.snli: sets core"),
        (
            {**CAUSAL, **NORM},
            {"cores": {"mine": {**ATINUKE, "overrides": {"core.norm": "pre"}}}},
            "why.yaml.cores.mine.overrides: sets core.norm",
        ),
        ({**CAUSAL, **NORM}, {"cores": {"a": ATINUKE, "b": ATINUKE}}, "`of: NAME` names; found a, b"),
        ({"of": "min", **CAUSAL, **NORM}, {}, "factors.of names no trained core of `cores`; found 'min'; nearest: 'mi"),
        ({"of": "floor", **CAUSAL, **NORM}, {}, "factors.of names no trained core"),
        ({"core.seed": list(range(17)), "core.num_layers": list(range(1, 18))}, {}, "unknown field 'core.seed'"),
        (
            {"core.num_heads": list(range(1, 18)), "core.num_layers": list(range(1, 18))},
            {},
            "at most 256 combinations; found 289",
        ),
        ({"from": "mine"}, {}, "from and to are two columns of `cores`, and nothing else; found no 'to'"),
        ({"from": "mine", "to": "mine"}, {}, "from and to are two columns; found 'mine' twice"),
        (
            {"from": "mine", "to": "floo"},
            {},
            "factors.to names no trained core of `cores`; found 'floo'; there are mine",
        ),
        ({"from": "mine", "to": "floor"}, {}, "factors.to names no trained core of `cores`; found 'floor'"),
        (
            {"from": "mine", "to": "other"},
            {"cores": {"mine": ATINUKE, "other": {**LSTM, "overrides": {"core.num_layers": 2}}}},
            "'mine' and 'other' differ in core alone; a difference is shared out between two settings or more",
        ),
        ({"from": "mine", "to": "other"}, {"cores": {"mine": ATINUKE, "other": ATINUKE}}, "differ in nothing"),
        ({**CAUSAL, **NORM}, {"cores": {"mine": {**ATINUKE, "levels": {"a": "b"}}}}, "cores.mine.levels: filled from"),
    ],
)
def test_a_mistake_is_one_line_with_its_place(read, factors, changes, message):
    with pytest.raises(AtinukeBenchError) as error:
        read(factors, **changes)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_value_that_the_core_refuses_is_named_with_its_column(read):
    suite = read({**CAUSAL, "core.norm": ["pre", "after"]})
    with pytest.raises(AtinukeBenchError, match=r"snli in column 'causal=true, norm=after': core.norm: one of"):
        expand(suite, SourceConfig(), "why.yaml")


def test_suites_without_factors_are_recorded_as_before():
    record = read_suite("smoke").model_dump(mode="json")
    assert "factors" not in record
    assert not any("levels" in column for column in record["cores"].values())
    assert SuiteConfig.model_validate(record) == read_suite("smoke")
