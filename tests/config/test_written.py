"""YAML as users write it: what a reader would lose silently or choke on is refused in one line."""

from __future__ import annotations

import os

import pytest
from pydantic import Field

from atinuke_bench.config import Frozen, SuiteConfig, parse, parse_override, read_named_yaml
from atinuke_bench.config.written import read_yaml, yaml_data
from atinuke_bench.errors import ConfigError

SUITE = "name: a\ntasks: [snli]\nseeds: [0]\ncores:\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            f"{SUITE}  a: {{core: bilstm}}\n  a: {{core: atinuke}}\n",
            "line 6: the key 'a' is given twice, first in line 5",
        ),
        ("parameters:\n  x: {int: [1, 2]}\n  y: 1\n  x: 2\n", "line 4: the key 'x' is given twice, first in line 2"),
        ("a: {seed: 1, 'seed': 2}", "line 1: the key 'seed' is given twice"),
        ("1: a\n0x1: b\n", "line 2: the key 1 is given twice"),
        ("a: " + "[" * 5000, "nest"),
        ("- " * 5000 + "1", "nest"),
        ("{a: " * 5000, "nest"),
        ("- " * 60 + "1", "line 1: nested too deeply"),
        ("name: [", "line 2, column 1: not readable as YAML: "),
        ("seed: " + "9" * 5000, "line 1: a number of 5000 digits"),
        ("a: 1\nseed: 010", "line 2: YAML programs disagree on the number 010; write it otherwise, or quote it"),
        ("seed: 1:30", "line 1: YAML programs disagree on the number 1:30"),
        ("a: &a [x, x]\nb: *c", "line 2, column 4: not readable as YAML: found undefined alias"),
        ("a: &a [*a]", "line 1: more than 100000 values with the aliases filled in"),
        (
            "".join(f"k{n}: &k{n} [{', '.join([f'*k{n - 1}' if n else 'x'] * 9)}]\n" for n in range(9)),
            "line 6: more than 100000 values with the aliases filled in",
        ),
        ('name: "a\\0b"', "line 1: a text holds a NUL"),
        ("seeds: !!set {1, 2}", "line 1, column 8: not readable as YAML: could not determine a constructor"),
        ("seed: !!bool maybe", "not readable as YAML: 'maybe'"),
        ("name: " + "a" * 500_000, "not readable as YAML: over 500000 characters"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_in_one_line(tmp_path, text, message):
    path = tmp_path / "file.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_named_yaml("suite", str(path), {})
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_date_is_the_text_that_it_is():
    assert yaml_data("{name: 2026-01-31, other: 2026-13-01}", "file") == {"name": "2026-01-31", "other": "2026-13-01"}


def test_a_pipe_in_the_place_of_a_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "suite.yaml")
    with pytest.raises(ConfigError, match="not a regular file"):
        read_yaml(tmp_path / "suite.yaml")


def test_keys_that_a_merge_brings_may_be_replaced():
    assert yaml_data("base: &base {x: 1, y: 2}\nown: {<<: *base, x: 3}", "file")["own"] == {"x": 3, "y": 2}


def test_an_override_is_held_to_the_same_rules():
    with pytest.raises(ConfigError, match=r"^options\.a={b: 1, b: 2}: line 1: the key 'b' is given twice"):
        parse_override("options.a={b: 1, b: 2}")


class _Fields(Frozen):
    whole: int = Field(1, ge=1, le=9)
    share: float = Field(0.5, gt=0, lt=1)
    is_on: bool = True
    text: str = ""
    many: list[int] = Field([1], min_length=1)
    by_name: dict[str, int] = Field({})


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"whole": "x"}, "file.whole: a whole number; found 'x'"),
        ({"whole": 1.5}, "file.whole: a whole number; found 1.5"),
        ({"whole": [1]}, r"file.whole: a whole number; found \[1\]"),
        ({"whole": True}, "file: whole: a number; found true"),
        ({"many": [2, False]}, "file: many: a number; found false"),
        ({"whole": 0}, "file.whole: at least 1; found 0"),
        ({"whole": 10}, "file.whole: at most 9; found 10"),
        ({"share": 0}, "file.share: above 0.*; found 0"),
        ({"share": 1}, "file.share: below 1.*; found 1"),
        ({"share": float("inf")}, "file.share: a finite number; found inf"),
        ({"share": "much"}, "file.share: a number; found 'much'"),
        ({"is_on": "maybe"}, "file.is_on: true or false; found 'maybe'"),
        ({"text": 3}, "file.text: a text; found 3"),
        ({"many": 3}, "file.many: a list; found 3"),
        ({"many": []}, "file.many: at least 1 entries; found"),
        ({"by_name": [1]}, r"file.by_name: a mapping; found \[1\]"),
        ([1], r"file: a mapping of fields; found \[1\]"),
    ],
)
def test_a_wrong_value_is_answered_with_the_rule_in_plain_words(record, message):
    with pytest.raises(ConfigError, match=f"^{message}"):
        parse(_Fields, record, "file")


def test_a_missing_field_is_named():
    with pytest.raises(ConfigError, match=r"^suite.yaml.seeds: the field is missing$"):
        parse(SuiteConfig, {"name": "a", "tasks": ["snli"], "cores": {"a": {"core": "bilstm"}}}, "suite.yaml")
