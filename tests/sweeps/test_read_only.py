"""Studies in a store that cannot be written are shown, and nothing there changes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from atinuke_bench.errors import StorageError
from atinuke_bench.sweeps.opening import open_study
from atinuke_bench.sweeps.study import Study

#: Every character that has a meaning in an address of SQLite or in SQLAlchemy's URLs.
NAME = "a?mode=rw b%41#c&d\n'e"


@pytest.fixture
def store(study, sweep, tmp_path) -> Path:
    """A store with the finished study `tiny`."""
    place = tmp_path / NAME
    sweep(study(store=place, budget={"trials": 3}))
    study(store=place, budget={"trials": 3}).close()
    (place / "studies/tiny/study.db.lock").unlink()
    return place


@pytest.fixture
def is_read_only(monkeypatch, tmp_path, store):
    """What a read-only mount answers. Permissions alone would not stop root, which tests may run as."""
    access, open_ = os.access, os.open

    def may(path, mode, **given):
        return not (mode & os.W_OK and str(path).startswith(str(tmp_path))) and access(path, mode, **given)

    def refuse(path, flags, *given, **more):
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and str(path).startswith(str(tmp_path)):
            raise OSError(30, "Read-only file system", str(path))
        return open_(path, flags, *given, **more)

    monkeypatch.setattr(os, "access", may)
    monkeypatch.setattr(os, "open", refuse)


def contents(store: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(store)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in store.rglob("*")
        if path.is_file()
    }


@pytest.mark.usefixtures("is_read_only")
def test_a_study_is_shown_without_a_change(cli, store):
    before = contents(store)
    shown = cli("sweep", "show", "tiny", "--out", store, "--json")
    assert shown.status == 0, shown.err
    assert json.loads(shown.out)["spent"]["trials"] == 3
    assert "shown, not kept: " in shown.err
    assert "insight.json: cannot be written (Read-only file system)" in shown.err
    assert contents(store) == before


@pytest.mark.usefixtures("is_read_only")
def test_what_changes_a_study_is_refused_in_one_line(cli, store):
    before = contents(store)
    done = cli("sweep", "resume", "tiny", "--trials", "9", "--wandb", "disabled", "--out", store)
    assert done.status == 2
    assert done.err.splitlines()[-1].endswith("study.db: attempt to write a readonly database")
    assert contents(store) == before


@pytest.mark.usefixtures("is_read_only")
def test_nothing_is_retrained_for_a_record_that_cannot_be_written(cli, store):
    before = contents(store)
    done = cli("sweep", "best", "tiny", "--seeds", "1", "--wandb", "disabled", "--out", store)
    assert done.status == 2
    assert done.err.splitlines()[-1].endswith("best.json: cannot be written (Read-only file system)")
    assert contents(store) == before


def test_the_database_itself_refuses_to_be_written(store, is_read_only):
    opened: Study = open_study("tiny", store)
    assert opened.storage.is_read_only
    assert len(opened.trials()) == 3
    with pytest.raises(StorageError, match="attempt to write a readonly database"):
        opened.set_beat("worker", 1)
    opened.close()
