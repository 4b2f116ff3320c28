"""The JSON Schemas of the package are those that the code makes, take what it takes, and refuse what it refuses."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from site_tools.comments import field_comments
from site_tools.schemas import FOLDER, SCHEMAS, as_text
from typer.testing import CliRunner

from atinuke_bench.cli import app
from atinuke_bench.config import Declaration, SuiteConfig
from atinuke_bench.config.schemas import schema_kinds, schema_path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "atinuke_bench"
#: Kind of file -> the built-in ones.
WRITTEN = {
    "suite": sorted(PACKAGE.glob("suites/*.yaml")),
    "recipe": sorted(PACKAGE.glob("recipes/*.yaml")),
    "space": sorted((ROOT / "sweeps").glob("*.yaml")),
    "task": sorted([*(ROOT / "tasks").glob("*/*.yaml"), *PACKAGE.glob("test_sets/*.yaml")]),
}
SUITE = {"name": "s", "tasks": ["snli"], "cores": ["bilstm"], "seeds": [0]}
TASK = {"name": "t", "kind": "classification", "splits": {"train": "a.csv"}}


def validator(kind: str) -> jsonschema.Draft202012Validator:
    schema = json.loads(schema_path(kind).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def faults(kind: str, record: Any) -> list[str]:
    return [error.message for error in validator(kind).iter_errors(record)]


@pytest.mark.parametrize("kind", SCHEMAS)
def test_the_file_of_the_package_is_what_the_code_makes(kind):
    written = (FOLDER / f"{kind}.schema.json").read_text(encoding="utf-8")
    assert written == as_text(SCHEMAS[kind]()), "python -m site_tools.schemas, in docs/_ext, writes the schemas anew"


def test_every_kind_has_a_file_and_no_other_is_there():
    assert schema_kinds().keys() == SCHEMAS.keys() == WRITTEN.keys()


@pytest.mark.parametrize(
    ("kind", "path"),
    [(kind, path) for kind, paths in WRITTEN.items() for path in paths],
    ids=lambda one: Path(one).stem,
)
def test_built_in_files_are_taken(kind, path):
    record = yaml.safe_load(path.read_text(encoding="utf-8"))
    for word in record.pop("each", [""]):  # a file for several tasks, which users' own are not
        assert faults(kind, json.loads(json.dumps(record).replace("{each}", word))) == []


@pytest.mark.parametrize("kind", SCHEMAS)
def test_a_key_that_there_is_not_is_refused(kind):
    record = yaml.safe_load(WRITTEN[kind][0].read_text(encoding="utf-8"))
    record.pop("each", None)
    assert any("'no_such_key' was unexpected" in fault for fault in faults(kind, record | {"no_such_key": 1}))


@pytest.mark.parametrize(
    "change",
    [
        {"seeds": [-1]},
        {"seeds": []},
        {"cores": {"a": {"core": "bilstm", "presett": "nano"}}},
        {"cores": {"a": {"core": "bilstm", "levels": {}}}},
        {"declarations": {}},
        {"select_on": "test"},
        {"train_limits": ["half"]},
        {"source": {"kind": "web"}},
    ],
    ids=str,
)
def test_what_no_suite_may_have_is_refused(change):
    assert faults("suite", SUITE) == []
    assert faults("suite", SUITE | change)


@pytest.mark.parametrize(
    ("change", "fits"),
    [
        ({"labels": ["0", 1]}, True),
        ({"labels": ["one"]}, False),
        ({"labels": [True, False]}, False),
        ({"splits": {"train": ["a.csv", "b.csv"]}}, True),
        ({"splits": {}}, False),
        ({"map": {"yes": "entailment", "no": ["neutral", "contradiction"]}}, True),
        ({"kind": "clasification"}, False),
        ({"metric": "macro_f1"}, True),
        ({"metric": "macrof1"}, False),
        ({"fields": {"text": 0, "choices": ["a", "b"]}}, True),
    ],
    ids=str,
)
def test_what_is_said_of_declarations_is_what_the_model_takes(change, fits):
    record = TASK | change
    assert (faults("task", record) == []) == fits
    if fits:
        Declaration.model_validate(record)


@pytest.mark.parametrize("parameter", [{"intt": [1, 2]}, {"int": [1]}, {"int": [1, 2], "float": [1, 2]}, {}], ids=str)
def test_what_no_parameter_of_a_space_may_be_is_refused(parameter):
    assert faults("space", {"parameters": {"core.num_layers": {"int": [1, 2], "log": True}}}) == []
    assert faults("space", {"parameters": {"core.num_layers": parameter}})


def test_every_field_of_a_suite_is_said_where_its_model_says_it():
    schema, comments = json.loads(schema_path("suite").read_text(encoding="utf-8")), field_comments(SuiteConfig)
    assert {"cores", "select_on", "train_limits"} <= comments.keys()
    for name, text in comments.items():
        if name in schema["properties"]:
            assert schema["properties"][name]["description"].startswith(text)


def test_the_command_prints_the_schema_and_its_place():
    def said(*arguments: str) -> str:
        done = CliRunner().invoke(app, ["schema", *arguments])
        assert done.exit_code == 0, done.output
        return done.stdout.rstrip("\n")

    assert json.loads(said("suite"))["title"].startswith("A suite")
    assert Path(said("task", "--path")).samefile(
        Path(str(resources.files("atinuke_bench"))) / "schemas/task.schema.json"
    )
    wrong = CliRunner().invoke(app, ["schema", "suit"])
    assert "nearest: 'suite'" in str(wrong.exception)


def test_a_first_declaration_names_its_schema(tmp_path):
    (tmp_path / "train.csv").write_text("body,stars\n" + "".join(f"text {n},{n % 2}\n" for n in range(8)))
    out = tmp_path / "reviews.yaml"
    done = CliRunner().invoke(app, ["task", "new", str(tmp_path / "train.csv"), "--out", str(out)])
    assert done.exit_code == 0, done.output
    first, _, rest = out.read_text(encoding="utf-8").partition("\n")
    place = first.removeprefix("# yaml-language-server: $schema=")
    assert Path(place).samefile(schema_path("task"))
    assert faults("task", yaml.safe_load(rest)) == []
