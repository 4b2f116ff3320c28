"""Files that are whole or absent, and what is left of writers that were killed."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import signal
from pathlib import Path

from atinuke_bench.files import read_json, write_bytes, write_json, write_text


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_a_killed_writer_left_goes_with_the_next_writing_of_the_file(tmp_path, monkeypatch):
    def die(*_):
        os.kill(os.getpid(), signal.SIGKILL)

    def write():
        monkeypatch.setattr(os, "replace", die)
        write_text(tmp_path / "page[1].html", "new")

    path = tmp_path / "page[1].html"
    write_text(path, "old")
    process = multiprocessing.get_context("fork").Process(target=write)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert len(names(tmp_path)) == 2
    assert path.read_text() == "old"
    write_text(tmp_path / "page", "another file")
    assert len(names(tmp_path)) == 3
    write_text(path, "newer")
    assert names(tmp_path) == ["page", "page[1].html"]
    assert path.read_text() == "newer"


def test_what_another_process_is_writing_stays(tmp_path, monkeypatch):
    path, replace = tmp_path / "record.json", os.replace

    def write_meanwhile(source, target):
        monkeypatch.setattr(os, "replace", replace)
        write_json(path, {"by": "another"})
        replace(source, target)

    monkeypatch.setattr(os, "replace", write_meanwhile)
    write_json(path, {"by": "the first"})
    assert read_json(path) == {"by": "the first"}
    assert names(tmp_path) == ["record.json"]


def test_a_file_that_was_taken_for_abandoned_before_it_was_held_is_begun_again(tmp_path, monkeypatch):

    flock, taken = fcntl.flock, list[Path]()

    def take_first(handle, kind):
        if not taken:
            taken.extend(tmp_path.glob(".*.part"))
            taken[0].unlink()
        flock(handle, kind)

    monkeypatch.setattr(fcntl, "flock", take_first)
    write_bytes(tmp_path / "file", b"whole")
    assert taken
    assert names(tmp_path) == ["file"]
    assert (tmp_path / "file").read_bytes() == b"whole"


def test_a_file_system_without_locks_keeps_what_may_be_another_writers(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    (tmp_path / ".file.a1.part").write_bytes(b"half")
    write_bytes(tmp_path / "file", b"whole")
    assert names(tmp_path) == [".file.a1.part", "file"]
