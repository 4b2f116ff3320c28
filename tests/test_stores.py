"""A store on any path, with damaged records: every command shows what it can, or names the file in one line."""

from __future__ import annotations

import shutil

import pytest
import yaml

NAME = "a b %20 ?mode=ro#x 'q'\nядро 快速 🚀"
SUITE = {
    "name": "быстро / 快速",
    "tasks": ["glue/wnli"],
    "cores": {"пол": {"core": "majority"}, "x" * 300: {"core": "bilstm", "preset": "nano"}},
    "seeds": [0],
    "overrides": {"training.max_epochs": 1, "tokenizer.vocab_size": 200},
}
SPACE = {"parameters": {"core.num_layers": {"int": [1, 2]}}}
QUIET = ("--wandb", "disabled", "--workers", "1")
SEARCH = (
    "sweep",
    "glue/wnli",
    "--core",
    "bilstm",
    "--preset",
    "nano",
    "--sampler",
    "grid",
    "--name",
    "study",
    *QUIET,
    "--seeds",
    1,
)
SMALL = ("--set", "training.max_epochs=1", "--set", "tokenizer.vocab_size=200")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("place")


@pytest.fixture
def call(cli, official, place):
    """`call(command, store)`: a command on a store, which is to end in order; its status and what it says."""

    def run(command, store):
        data, out = ("--data-dir", official), ("--out", store)
        arguments = {
            "suite": ("suite", place / "suite.yaml", *QUIET, *data, *out),
            "search": (*SEARCH, *SMALL, "--space", place / "space.yaml", *data, *out),
            "show": ("show", next(store.glob("glue/wnli/bilstm/seed-*"), store)),
            "verify": ("verify", store),
            "compare": ("compare", "bilstm", "majority", "--runs", store),
            "report": ("report", store, "--out", store / "report"),
            "sweep show": ("sweep", "show", "study", *out),
            "sweep resume": ("sweep", "resume", "study", "--trials", "2", *QUIET, *data, *out),
            "sweep best": ("sweep", "best", "study", "--seeds", "1", "--rivals", "0", *QUIET, *data, *out),
        }[command]
        done = cli(*arguments)
        assert done.status in (0, 2), done.err
        assert "Traceback" not in done.err
        assert max(map(len, done.err.splitlines()), default=0) <= 400
        return done

    return run


@pytest.fixture
def store(call, place):
    """A store with a finished suite and a study."""
    whole = place / NAME
    if not whole.exists():
        (place / "suite.yaml").write_text(yaml.safe_dump(SUITE, allow_unicode=True))
        (place / "space.yaml").write_text(yaml.safe_dump(SPACE))
        for command in ("suite", "search"):
            assert call(command, whole).status == 0
    return whole


COMMANDS = ("suite", "show", "verify", "compare", "report", "sweep show", "sweep resume", "sweep best")


def test_every_command_works_on_a_store_of_any_name(call, store, place):
    for command in COMMANDS:
        done = call(command, store)
        assert done.status == 0, (command, done.err)
    assert {path.name for path in place.iterdir()} == {NAME, "suite.yaml", "space.yaml"}
    assert [path.relative_to(store).as_posix() for path in store.rglob("*.db")] == ["studies/study/study.db"]
    page = (store / "report" / "report.html").read_text()
    assert "быстро / 快速" in page


READERS = {
    "suites/*.json": ("report", "suite", "compare"),
    "studies/study/insight.json": ("report", "sweep show"),
    "studies/study/study.yaml": ("search", "report", "sweep show", "sweep resume", "sweep best"),
}
DAMAGE = (b"{", b"[]", b"\xff\xfe", b'{"name": 3, "cells": {}}')


@pytest.mark.slow
@pytest.mark.parametrize("pattern", READERS)
def test_a_damaged_record_is_no_traceback_in_any_command(call, store, tmp_path, pattern):
    copy = shutil.copytree(store, tmp_path / "copy")
    (record,) = copy.glob(pattern)
    for damage in DAMAGE:
        for command in READERS[pattern]:
            record.write_bytes(damage)
            done = call(command, copy)
            is_needed = record.name == "study.yaml" and command != "report"
            if is_needed or command == "compare":  # without its suite a run is a trial of the study alone
                assert done.status == 2
                assert record.name in done.err
            else:
                assert done.status == 0, done.err
