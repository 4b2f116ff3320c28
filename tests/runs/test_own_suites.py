"""Suites with tasks that files declare, beside the registry's."""

from __future__ import annotations

import json
import os

import pytest
import yaml

from atinuke_bench.config import SourceConfig, SuiteConfig, parse
from atinuke_bench.errors import AtinukeBenchError
from atinuke_bench.files import sha256_json
from atinuke_bench.runs.cells import cell_states
from atinuke_bench.runs.grid import built_in_suites, expand, read_suite, select
from atinuke_bench.runs.suite_record import code_stamp, data_stamp, grid_stamp, open_record

REVIEWS = "classification/reviews"
SMALL = {"core": "bilstm", "preset": "nano", "tasks": ["reviews.yaml"]}
SUITE = {
    "name": "own",
    "tasks": ["reviews.yaml", "glue/wnli"],
    "cores": {
        "floor": {"core": "majority"},
        "small": SMALL,
        "later": {"core": "bilstm", "preset": "nano", "init_from": {"task": "reviews.yaml", "column": "small"}},
    },
    "seeds": [0],
    "overrides": {"training.max_epochs": 1},
    "task_overrides": {"reviews.yaml": {"tokenizer.vocab_size": 200}},
}


@pytest.fixture
def suite(own):
    """`suite(**changes)`: the suite as it is read from a file beside the task's."""

    def read(**changes):
        (own / "suite.yaml").write_text(yaml.safe_dump({**SUITE, **changes}))
        return read_suite(str(own / "suite.yaml"))

    return read


def test_a_file_stands_wherever_the_suite_names_a_task(suite, monkeypatch, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    read = suite()
    cells = {cell.path: cell for cell in expand(read, SourceConfig(kind="microworld"))}
    assert set(cells) == {f"{REVIEWS}/floor/0", f"{REVIEWS}/small/0", "glue/wnli/floor/0", "glue/wnli/later/0"}
    assert cells["glue/wnli/later/0"].origin == f"{REVIEWS}/small/0"
    own, other = cells[f"{REVIEWS}/small/0"].run, cells["glue/wnli/later/0"].run
    assert (own.tokenizer.vocab_size, other.tokenizer.vocab_size) == (200, 8000)
    assert (own.source.kind, other.source.kind) == ("local", "microworld")
    assert own.declaration is not None
    assert own.declaration.fields["text"] == "body"


@pytest.mark.parametrize("pattern", ["reviews.yaml/small", f"{REVIEWS}/small/0", "*/small"])
def test_only_takes_the_file_too(suite, pattern):
    read = suite()
    chosen = select(expand(read, SourceConfig(kind="microworld")), [read.by_name(pattern)])
    assert [cell.path for cell in chosen] == [f"{REVIEWS}/small/0"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tasks": ["review.yaml"], "task_overrides": {}, "cores": {"floor": {"core": "majority"}}}, "nearest: 'revi"),
        ({"tasks": ["reviews.yaml", "./reviews.yaml", "glue/wnli"]}, "tasks has a value twice"),
        ({"declarations": {"a": {"name": "a", "kind": "lm", "splits": {"train": "a"}}}}, "name the file there"),
    ],
)
def test_a_mistake_names_the_suite(suite, changes, message):
    with pytest.raises(AtinukeBenchError, match=message):
        suite(**changes)


def test_suites_without_files_are_recorded_and_stamped_as_before():
    source = SourceConfig(kind="microworld")
    for name in built_in_suites():
        read = read_suite(name)
        record = read.model_dump(mode="json")
        assert "declarations" not in record
        assert grid_stamp(read, source) == sha256_json(
            [record, source.model_dump(mode="json"), "microworld", code_stamp()]
        )


def keys_of(read, store):
    source = SourceConfig(kind="microworld")
    record = open_record(store, read.name)
    states = cell_states(expand(read, source), read, source, record)
    return {state.cell.path: state.key for state in states}, record.stamp


def test_changed_data_and_a_changed_declaration_are_other_runs_of_that_task_alone(suite, own, tmp_path):
    first, stamp = keys_of(suite(), tmp_path / "store")
    assert keys_of(suite(), tmp_path / "store") == (first, stamp)
    changes = [
        lambda: (own / "train" / "a.csv").write_text((own / "train" / "b.csv").read_text()),
        lambda: (own / "train" / "c.csv").write_text("key,body,stars\nnew,fine,pos\n"),
        lambda: os.utime(own / "test.jsonl", ns=(0, 0)),
        lambda: (own / "reviews.yaml").write_text((own / "reviews.yaml").read_text() + "metric: macro_f1\n"),
    ]
    for change in changes:
        change()
        second, later = keys_of(suite(), tmp_path / "store")
        assert later != stamp
        assert {path for path in first if first[path] != second[path]} == {
            f"{REVIEWS}/floor/0", f"{REVIEWS}/small/0", "glue/wnli/later/0",
        }  # fmt: skip
        first, stamp = second, later
    (own / "unread.csv").write_text("key\n")
    assert keys_of(suite(), tmp_path / "store") == (first, stamp)


def test_folders_count_with_all_their_files(own, suite):
    declaration = suite().declaration_of(REVIEWS)
    assert declaration is not None
    declaration = declaration.model_copy(update={"splits": {"train": ["train"]}})
    before = data_stamp(SourceConfig(), declaration)
    (own / "train" / "deep").mkdir()
    (own / "train" / "deep" / "c.csv").write_text("key,body,stars\n")
    assert data_stamp(SourceConfig(), declaration) != before


def test_a_recorded_suite_can_be_parsed_again(suite):
    record = suite().model_dump(mode="json")
    assert parse(SuiteConfig, json.loads(json.dumps(record)), "record").model_dump(mode="json") == record


def test_from_the_command_line(own, suite, cli, tmp_path):
    suite(tasks=["reviews.yaml"], cores={"floor": {"core": "majority"}, "small": SMALL})
    arguments = ("suite", own / "suite.yaml", "--out", tmp_path / "store", "--wandb", "disabled")
    rows = json.loads(cli(*arguments, "--dry-run", "--json").out)
    assert [(row["task"], row["variant"], row["status"]) for row in rows] == [
        (REVIEWS, "floor", "waiting"), (REVIEWS, "small", "waiting"),
    ]  # fmt: skip
    only = cli(*arguments, "--only", "reviews.yaml/floor", "--workers", "1")
    assert only.status == 0, only.err
    assert "small" not in only.out
    done = cli(*arguments, "--workers", "1")
    assert done.status == 0, done.err
    assert "1 runs are finished" in done.err
    again = cli(*arguments)
    assert again.err.count("small") == 0, "a finished suite answers from its record"
    (own / "test.jsonl").write_text((own / "test.jsonl").read_text().replace('"neg"', '"pos"'))
    assert "2/2" in cli(*arguments, "--workers", "1").err
    assert cli("show", next((tmp_path / "store").rglob("bilstm/seed*"))).status == 0


def test_overlap_is_dropped_from_all_runs(suite, own):
    suite()
    read = read_suite(str(own / "suite.yaml"), {"training.drop_overlap": True})
    assert {cell.run.training.drop_overlap for cell in expand(read, SourceConfig(kind="microworld"))} == {True}
