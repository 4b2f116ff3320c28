"""What a manifest says of the code's checkout: of this project's and of plug-ins' alone."""

from __future__ import annotations

import getpass
import os
import subprocess
import sys
from pathlib import Path

import pytest

from atinuke_bench.environment import fit_surroundings, git_state

NOTHING = {"commit": None, "diff": None}


def git(folder, *arguments):
    done = subprocess.run(
        ["git", "-C", str(folder), "-c", "user.name=A", "-c", "user.email=a@example.org", *arguments],
        check=True,
        capture_output=True,
    )
    return done.stdout.decode().strip()


@pytest.fixture
def paper(tmp_path, monkeypatch):
    """The repository of a paper, in which the plug-in `plugcore` lies; committed, importable."""
    folder = tmp_path / "paper"
    (folder / "plugcore").mkdir(parents=True)
    (folder / "plugcore" / "__init__.py").write_text("DEPTH = 1\n", encoding="utf-8")
    (folder / "notes.txt").write_text("a draft\n", encoding="utf-8")
    git(folder.parent, "init", "-q", str(folder))
    git(folder, "add", "notes.txt", "plugcore")
    git(folder, "commit", "-q", "-m", "begin")
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    sys.modules.pop("plugcore", None)


def test_a_plug_in_that_is_tracked_is_described(paper):
    state = git_state("plugcore.heads")
    assert state == {"commit": git(paper, "rev-parse", "HEAD"), "diff": ""}


def test_only_the_packages_own_changes_are_told(paper):
    (paper / "notes.txt").write_text("password: 12345\n", encoding="utf-8")
    (paper / "plugcore" / "__init__.py").write_text("DEPTH = 2\n", encoding="utf-8")
    diff = git_state("plugcore")["diff"] or ""
    assert "+DEPTH = 2" in diff
    assert "12345" not in diff


def test_a_repository_that_encloses_an_installation_is_not_described(paper, monkeypatch):
    site = paper / ".venv" / "site-packages"
    (site / "installed").mkdir(parents=True)
    (site / "installed" / "__init__.py").write_text("", encoding="utf-8")
    monkeypatch.syspath_prepend(str(site))
    assert git_state("installed") == NOTHING


def test_bytes_that_are_not_utf8_are_written_as_escapes(paper):
    (paper / "plugcore" / "__init__.py").write_bytes(b"# caf\xe9\n")
    assert "+# caf\\xe9" in (git_state("plugcore")["diff"] or "")


def test_a_long_diff_is_cut(paper):
    (paper / "plugcore" / "__init__.py").write_text("x = 1\n" * 50_000, encoding="utf-8")
    diff = git_state("plugcore")["diff"] or ""
    assert len(diff) < 101_000
    assert "characters, cut here; sha256" in diff


def test_a_diff_can_be_left_out(paper, monkeypatch):
    monkeypatch.setenv("ATINUKE_GIT_DIFF", "off")
    (paper / "plugcore" / "__init__.py").write_text("DEPTH = 2\n", encoding="utf-8")
    assert git_state("plugcore") == {"commit": git(paper, "rev-parse", "HEAD"), "diff": None}


def test_what_is_no_file_has_no_checkout():
    assert git_state("sys") == git_state("no_such_module_anywhere") == NOTHING


def test_a_user_without_home_and_name_gets_both(monkeypatch, tmp_path):
    for name in ("HOME", "LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda uid: {}[uid])
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    fit_surroundings()
    assert Path.home() == tmp_path / f"atinuke-bench-{os.getuid()}"
    assert getpass.getuser() == f"user-{os.getuid()}"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_what_a_terminal_cannot_show_is_no_error(encoding):
    code = "from atinuke_bench.environment import fit_surroundings; fit_surroundings(); print('47 \\u2013 53 \\u03c3')"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONIOENCODING": encoding}, capture_output=True, check=True
    )
    assert done.stdout.startswith(b"47 ")
    assert done.stdout.endswith(b" ?\n")
