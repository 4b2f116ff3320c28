"""What several processes need of a cache at once, and what becomes of them where it cannot be had."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
import time
from pathlib import Path

import pytest

from atinuke_bench.data import cache
from atinuke_bench.data.cache import cached
from atinuke_bench.errors import RunFolderError
from atinuke_bench.files import write_text


def read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


class Maker:
    """Makes one text, slowly, and counts how often."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> str:
        self.count += 1
        time.sleep(0.2)
        return "made"


def fetch_at_once(path: Path, make: Maker, say: list[str], number: int = 4) -> list[str]:
    """What each of several gets. Threads have locks of their own, as processes do."""
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(cached(path, read, make, write_text, say.append)))
        for _ in range(number)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_the_first_makes_it_and_the_others_read_it(tmp_path):
    path, make = tmp_path / "features" / "key", Maker()
    said: list[str] = []
    (tmp_path / "features").mkdir()
    (tmp_path / "features" / ".key.abc.part").write_text("half", encoding="utf-8")
    assert fetch_at_once(path, make, said) == ["made"] * 4
    assert make.count == 1
    assert said == []
    assert [found.name for found in path.parent.iterdir()] == ["key"]


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_so_it_is_where_the_file_system_has_no_locks(tmp_path, monkeypatch, number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    make = Maker()
    said: list[str] = []
    assert fetch_at_once(tmp_path / "features" / "key", make, said) == ["made"] * 4
    assert make.count == 1
    assert said == []


def test_a_cache_that_cannot_be_made_stops_nobody(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    make = Maker()
    said: list[str] = []
    assert fetch_at_once(tmp_path / "file" / "features" / "key", make, said, 2) == ["made"] * 2
    assert make.count == 2
    assert len(said) == 2
    assert "ATINUKE_CACHE" in said[0]


def test_a_cache_that_is_full_stops_nobody(tmp_path):
    def write(path: Path, text: str) -> None:
        raise RunFolderError(f"{path}: cannot be written (No space left on device)")

    said: list[str] = []
    assert cached(tmp_path / "features" / "key", read, lambda: "made", write, said.append) == "made"
    assert "No space left on device" in said[0]


def test_a_maker_that_never_ends_is_not_waited_for_without_end(tmp_path, monkeypatch):
    path = tmp_path / "features" / "key"
    path.parent.mkdir()
    monkeypatch.setattr(cache, "_PATIENCE_SECONDS", 0.05)
    with cache.held(path.with_suffix(".lock")):
        assert cached(path, read, lambda: "made", write_text, pytest.fail) == "made"


def test_a_maker_that_fails_lets_the_next_one_try(tmp_path):
    def fail() -> str:
        raise RunFolderError("no text")

    path = tmp_path / "features" / "key"
    with pytest.raises(RunFolderError):
        cached(path, read, fail, write_text, pytest.fail)
    assert cached(path, read, lambda: "made", write_text, pytest.fail) == "made"
