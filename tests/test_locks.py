"""Locks, on file systems that have them and on those that have none."""

from __future__ import annotations

import errno
import fcntl
import multiprocessing
import os
import socket
from pathlib import Path

import pytest
from filelock import Timeout

from atinuke_bench.locks import folder_held, held, is_held, marker_of


def _die_holding(path: Path) -> None:
    with held(path):
        os._exit(0)


@pytest.fixture
def without_flock(monkeypatch):
    """`without_flock(number)`: a file system that answers every lock with this error."""

    def answer(number):
        def refuse(*_):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(fcntl, "flock", refuse)

    return answer


def test_a_lock_is_held_by_one(tmp_path):
    path = tmp_path / "lock"
    assert not is_held(path)
    with held(path), pytest.raises(Timeout), held(path):
        raise AssertionError("two hold it")
    assert not is_held(path)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL])
def test_where_the_file_system_has_no_locks_a_marker_is_one(tmp_path, without_flock, number):
    without_flock(number)
    path = tmp_path / "lock"
    with held(path), folder_held(tmp_path):
        assert is_held(path)
        with pytest.raises(Timeout), held(path):
            raise AssertionError("two hold it")
    assert not marker_of(path).exists()


def test_the_marker_of_a_process_that_died_counts_for_nothing_on_its_machine(tmp_path, without_flock):
    without_flock(errno.ENOLCK)
    path = tmp_path / "lock"
    process = multiprocessing.get_context("fork").Process(target=_die_holding, args=(path,))
    process.start()
    process.join()
    assert marker_of(path).exists()
    assert not is_held(path)
    marker_of(path).write_text(f"{os.getpid()}\nnot-{socket.gethostname()}\n", encoding="utf-8")
    assert is_held(path), "who holds it on another machine cannot be seen"


def test_an_error_that_says_something_else_is_raised(tmp_path, without_flock):
    without_flock(errno.EIO)
    with pytest.raises(OSError, match="Input/output"), held(tmp_path / "lock"):
        raise AssertionError("held")
    with pytest.raises(OSError, match="Input/output"), folder_held(tmp_path):
        raise AssertionError("held")


def test_a_folder_is_held_by_one_whatever_is_removed_from_it(tmp_path):
    with folder_held(tmp_path), pytest.raises(Timeout), folder_held(tmp_path):
        raise AssertionError("two hold it")
