"""What one report keeps for the next: taken where nothing has changed, and never trusted."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from atinuke_bench.reports import kept as module
from atinuke_bench.reports.drawing import style
from atinuke_bench.reports.kept import forget_oldest, kept
from atinuke_bench.reports.writing.render import write_report


@pytest.fixture(name="cache")
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ATINUKE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "reports"


def stand_in(patch):
    """Counts figures as they are drawn; none takes the time of a real one."""
    figures = []

    def written(figure):
        figures.append(figure.get_size_inches())
        return f"<svg>{figures[-1]}</svg>", b"png", b"pdf"

    patch.setattr(style, "written", written)
    return figures


@pytest.fixture(name="drawn")
def _drawn(monkeypatch):
    return stand_in(monkeypatch)


@pytest.fixture(scope="module", name="first")
def _first(tmp_path_factory, write_run):
    """A store, the report that was made of it, its files, and what it kept. What a test changes it puts back."""
    folder = tmp_path_factory.mktemp("first")
    for task in ("snli", "glue/rte"):
        for core, right in (("atinuke", 0.9), ("bilstm", 0.6)):
            for seed in range(2):
                write_run(folder / "runs", core, task=task, seed=seed, right=right, num=40)
    with pytest.MonkeyPatch.context() as patch:
        drawn = stand_in(patch)
        patch.setenv("ATINUKE_CACHE", str(folder / "cache"))
        made = write_report([folder / "runs"], folder / "out")
    assert len(drawn) == len(made.plots) > 8
    cache = folder / "cache" / "reports"
    assert len(list(cache.iterdir())) == len(made.plots) + 2
    return SimpleNamespace(store=folder / "runs", made=made, files=files_of(folder / "out"), cache=cache)


@pytest.fixture(name="kept_before")
def _kept_before(first, cache):
    """What the first report kept is there for the next one."""
    shutil.copytree(first.cache, cache)
    return first


def files_of(folder):
    paths = (path for path in folder.rglob("*") if path.is_file() and path.name != "report.html")
    return {path.relative_to(folder): path.read_bytes() for path in paths}


def test_a_second_report_draws_and_resamples_nothing(kept_before, drawn, tmp_path, monkeypatch):
    monkeypatch.setattr("atinuke_bench.reports.statistics.resampled.resample_together", lambda *_: 1 / 0)
    write_report([kept_before.store], tmp_path / "second")
    assert not drawn
    assert files_of(tmp_path / "second") == kept_before.files


def test_a_new_run_changes_its_own_task_alone(kept_before, drawn, tmp_path, write_run, monkeypatch):
    folder = write_run(kept_before.store, "atinuke", task="snli", seed=7, right=0.9, num=40)
    try:
        write_report([kept_before.store], tmp_path / "second")
        # At most the four of the task, and its table's ranks and profile.
        assert 0 < len(drawn) <= 6
        without = tmp_path / "other"
        monkeypatch.setenv("ATINUKE_CACHE", str(without / "cache"))
        write_report([kept_before.store], without / "out")
    finally:
        shutil.rmtree(folder)
    assert files_of(without / "out") == files_of(tmp_path / "second")


def test_damaged_entries_are_made_again(kept_before, cache, drawn, tmp_path):
    for path in cache.iterdir():
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
    write_report([kept_before.store], tmp_path / "second")
    num_plots = len(kept_before.made.plots)
    assert len(drawn) == num_plots
    assert files_of(tmp_path / "second") == kept_before.files
    write_report([kept_before.store], tmp_path / "third")
    assert len(drawn) == num_plots


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 100])
def test_what_is_no_entry_counts_as_none(cache, content):
    assert kept("thing", (1,), lambda: ([1], (b"a",))) == ([1], (b"a",))
    (path,) = cache.iterdir()
    path.write_bytes(content)
    assert kept("thing", (1,), lambda: ([2], ())) == ([2], ())


def test_other_code_keeps_apart(cache, monkeypatch):
    assert kept("thing", (1,), lambda: ("old", ())) == ("old", ())
    monkeypatch.setattr(module, "_code", lambda: "changed")
    assert kept("thing", (1,), lambda: ("new", ())) == ("new", ())


@pytest.mark.usefixtures("drawn")
def test_other_predictions_under_the_same_name_size_and_time_are_noticed(kept_before, tmp_path):
    path = next(kept_before.store.rglob("predictions.parquet"))
    before, content = path.stat(), path.read_bytes()
    path.write_bytes(bytes(before.st_size))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    try:
        made = write_report([kept_before.store], tmp_path / "second")
    finally:
        path.write_bytes(content)
    assert [gap.where for gap in made.gaps if str(path.parent) in gap.where + gap.reason]


def test_a_cache_that_cannot_be_written_stops_no_report(tmp_path, monkeypatch, drawn, first):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ATINUKE_CACHE", str(tmp_path / "file"))
    assert len(write_report([first.store], tmp_path / "out").plots) == len(drawn)
    assert (tmp_path / "out" / "report.html").exists()


def test_the_entries_used_least_recently_go(cache, monkeypatch):
    for number in range(3):
        kept("thing", (number,), lambda: (None, (b"x" * 1000,)))
    for path in cache.iterdir():
        os.utime(path, (0, 0))
    kept("thing", (1,), lambda: (None, ()))  # used again
    monkeypatch.setattr(module, "MOST_BYTES", 2000)
    forget_oldest()
    assert len(list(cache.iterdir())) == 1
    assert kept("thing", (1,), lambda: (None, ())) == (None, (b"x" * 1000,))


@dataclass(frozen=True)
class Pair:
    a: object
    b: object


def test_values_that_differ_have_different_digests():
    frame = pd.DataFrame({"a": [1.0, 2.0]}, index=["x", "y"])
    values = [
        1, 1.0, "1", b"1", True, None, float("nan"), -0.0, 0.0, [], [1], [[1]], (1,), ["ab", "c"], ["a", "bc"],
        {"a": 1}, {"a": [1]}, np.array([1.0]), np.array([[1.0]]), np.array([1]), np.array(["1"], dtype=object), frame,
        frame.rename(index={"x": "z"}), frame.rename(columns={"a": "b"}), frame["a"], frame.astype(int), Pair(1, 2),
        Pair(2, 1), Pair((1, 2), ()), range(3), [0, 1, 2],
    ]  # fmt: skip
    digests = [module._digest(value) for value in values]
    assert len(set(digests)) == len(values)
    assert digests == [module._digest(value) for value in values]


def test_what_has_no_digest_is_made_each_time(cache):
    assert kept("thing", (object(),), lambda: (1, ())) == (1, ())
    assert not cache.exists()
