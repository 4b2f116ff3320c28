"""Amounts of training data as an axis of a suite: its columns, what reports call them, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from atinuke_bench.config import SourceConfig, TrainingConfig, make_run_config, parse
from atinuke_bench.data.hold_out import limit_rows
from atinuke_bench.errors import AtinukeBenchError, ConfigError
from atinuke_bench.reports.reading.suites import read_suites
from atinuke_bench.runs.grid import expand, read_suite
from atinuke_bench.runs.suite_record import RecordedCell, open_record

SUITE = {
    "name": "amounts",
    "tasks": ["lm", "snli"],
    "cores": {
        "floor": {"core": "majority"},
        "mine": {"core": "atinuke", "preset": "nano"},
        "wide": {"core": "bilstm", "preset": "micro", "tasks": ["snli"]},
    },
    "train_limits": [0.25, 500],
    "seeds": [0, 1],
}


@pytest.fixture
def read(tmp_path):
    """`read(**changes)`: the suite as it is read from a file."""

    def of(**changes):
        (tmp_path / "amounts.yaml").write_text(yaml.safe_dump({**SUITE, **changes}, sort_keys=False))
        return read_suite(str(tmp_path / "amounts.yaml"))

    return of


def test_every_trained_core_has_a_column_for_each_amount_and_one_for_all_data(read):
    suite = read()
    names = [f"mine, train_limit={limit}" for limit in (0.25, 500)]
    assert list(suite.cores)[:4] == ["floor", *names, "mine"]
    limits: dict[tuple[str, str], set[float | None]] = {}
    for cell in expand(suite, SourceConfig(kind="microworld")):
        limits.setdefault((cell.run.task, cell.variant), set()).add(cell.run.training.train_limit)
    assert limits["snli", "mine, train_limit=0.25"] == limits["lm", "mine, train_limit=0.25"] == {0.25}
    assert limits["snli", "wide, train_limit=500"] == {500}
    assert limits["snli", "wide"] == limits["snli", "floor"] == {None}
    assert ("lm", "wide, train_limit=500") not in limits
    assert len(limits) == 2 * 3 + 2 + 3


def test_reports_call_a_core_the_same_on_every_amount(read, tmp_path):
    suite, record = read(), open_record(tmp_path, "amounts")
    record.replace_grid(suite, None, [RecordedCell("k", "snli", name, "atinuke", 0) for name in suite.cores])
    record.write()
    (found,), gaps = read_suites([tmp_path])
    assert not gaps
    assert found.wholes == {f"{core}, train_limit={limit}": core for core in ("mine", "wide") for limit in (0.25, 500)}


def test_suites_without_amounts_are_recorded_as_before(read):
    record = read(train_limits=[]).model_dump(mode="json")
    assert "train_limits" not in record
    assert all("part_of" not in column for column in record["cores"].values())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_limits": [0.25, 1]}, r"train_limits.1: a number of examples, at least 2, or a part .* found 1"),
        ({"train_limits": [500, 500]}, "train_limits has a value twice"),
        (
            {"overrides": {"training.train_limit": 9}},
            "overrides: sets training.train_limit, which `train_limits`",
        ),
        ({"task_overrides": {"lm": {"training.train_limit": 9}}}, "task_overrides.lm: sets training.train_limit"),
        ({"cores": {"a": {"core": "atinuke", "part_of": "b"}}}, "cores.a.part_of: filled from `train_limits`"),
    ],
)
def test_a_mistake_is_refused_in_one_line(read, changes, message):
    with pytest.raises(AtinukeBenchError, match=message) as error:
        read(**changes)
    assert "\n" not in str(error.value)


def test_a_limit_is_a_count_or_a_part_and_a_count_keeps_the_identity_that_it_had():
    assert json.dumps(parse(TrainingConfig, {"train_limit": 6.0}, "t").train_limit) == "6"
    assert parse(TrainingConfig, {"train_limit": "0.25"}, "t").train_limit == 0.25
    assert "train_limit" not in make_run_config("snli", "atinuke").determinants()["training"]
    for wrong in (0, 1, -3, True, "much", float("inf"), float("nan")):
        with pytest.raises(ConfigError, match=r"t.train_limit: a number of examples, at least 2, or a part of them"):
            parse(TrainingConfig, {"train_limit": wrong}, "t")


def test_a_part_is_within_every_larger_one():
    assert len(limit_rows(1000, 0.125)) == 125
    assert set(limit_rows(1000, 0.125)) < set(limit_rows(1000, 0.5)) < set(limit_rows(1000, 900))
    assert len(limit_rows(10, 0.01)) == 2


def test_the_suite_that_comes_with_the_package_varies_size_and_data():
    suite = read_suite("scaling")
    cells = expand(suite, SourceConfig(data_dir=Path()))
    mine = {
        (cell.run.core.model_dump()["hidden_size"], cell.run.training.train_limit)
        for cell in cells
        if cell.run.task == "lm" and cell.variant.startswith("atinuke")
    }
    assert mine == {(size, part) for size in (32, 64, 128, 256, 512) for part in (0.125, 0.25, 0.5, None)}
    # Sizes of Atinuke alone on running text, where a core that sees later tokens has another loss.
    assert {cell.run.core.name for cell in cells if cell.run.task == "lm"} == {"atinuke"}
    assert all(cell.run.training.max_epochs == 4 for cell in cells if cell.run.task == "lm")
