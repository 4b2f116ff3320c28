"""A disk that is full at any write costs the attempt, never the run: what is there stays whole, and it goes on."""

from __future__ import annotations

import errno
import itertools
import os
import subprocess

import pytest

from atinuke_bench import files
from atinuke_bench.errors import RunFolderError
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.training.execution import Execution
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.train import train_and_evaluate

QUIET = Execution(show_progress=False)


def full_at(monkeypatch, number):
    """Let every file from a certain number on find no space; how many files were asked for."""
    really, count = files.tempfile.mkstemp, itertools.count()
    asked = []

    def mkstemp(*arguments, **options):
        asked.append(next(count))
        if asked[-1] >= number:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return really(*arguments, **options)

    monkeypatch.setattr(files.tempfile, "mkstemp", mkstemp)
    return asked


def test_a_disk_that_is_full_at_any_write_in_turn(make_run, tmp_path, monkeypatch):
    prepared = prepare(make_run("glue/wnli", training__max_epochs=1))
    prepared.encode("train", prepared.train_examples)  # what the cache writes is not the run's
    whole = RunFolder(tmp_path / "whole")
    train_and_evaluate(prepared, whole, QUIET)
    for number in range(100):
        folder = RunFolder(tmp_path / str(number))
        with monkeypatch.context() as patch:
            asked = full_at(patch, number)
            problem = None
            try:
                train_and_evaluate(prepared, folder, QUIET)
            except RunFolderError as error:
                problem = str(error)
        if problem is None:
            break
        assert os.strerror(errno.ENOSPC) in problem
        assert not folder.is_finished()
        train_and_evaluate(prepared, folder, QUIET)
        assert folder.predictions.read_bytes() == whole.predictions.read_bytes()
        assert not list(folder.path.rglob("*.part"))
    assert number == len(asked), "every write has failed once"
    assert number >= 8


def test_a_small_disk_that_fills_up(make_run, tmp_path):
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        prepared = prepare(make_run("glue/wnli", training__max_epochs=1))
        folder = RunFolder(place / "run")
        with pytest.raises(RunFolderError, match=os.strerror(errno.ENOSPC)):
            train_and_evaluate(prepared, folder, QUIET)
        assert not folder.is_finished()
        subprocess.run(["mount", "-o", "remount,size=64m", str(place)], check=True)
        assert train_and_evaluate(prepared, folder, QUIET)["score"] is not None
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)
