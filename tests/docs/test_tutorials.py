"""Tutorials are followed word for word, and their Python has no error of types."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from site_tools.follow import PageError, follow
from site_tools.listings import ROOT, files_of, listings, tutorials

#: Where tutorials are typed, and what lies there.
HERE = ROOT / "examples" / "reviews"
TUTORIALS = pytest.mark.parametrize("page", tutorials(), ids=lambda page: page.stem)


def _page(folder: Path, text: str) -> Path:
    (folder / "page.md").write_text(text, encoding="utf-8")
    return folder / "page.md"


def test_files_are_saved_commands_carried_out_and_output_compared(tmp_path):
    page = _page(
        tmp_path,
        "```yaml\n# a/b.yaml\nx: 1\n```\n```sh\ncat a/b.yaml\n```\n```text\n# a/b.yaml x: 27\n```\n"
        "<!-- fails -->\n```sh\nls\nexit 2\n```\n```text\n…\npage.md\n```\n<!-- not run: why -->\n```sh\nfalse\n```\n",
    )
    steps = list(follow(page, tmp_path))
    assert steps == [
        "page.md:2: a/b.yaml",
        "page.md:6: cat a/b.yaml",
        "# a/b.yaml\nx: 1\n",
        "page.md:13: ls\nexit 2",
        "a\npage.md\n",
    ]


def test_a_reader_may_stop_at_a_heading(tmp_path):
    picture = "```{image} images/a.png\n:alt: a\n```\n"
    page = _page(tmp_path, f"# A\n{picture}```sh\necho a\n```\n## B c\n```sh\nfalse\n```\n")
    assert list(follow(page, tmp_path, "B c"))[-1] == "a\n"
    with pytest.raises(PageError, match="no heading 'B d'"):
        list(follow(page, tmp_path, "B d"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("```sh\nfalse\n```\n", "page.md:2: ended with 1, not 0"),
        ("<!-- fails -->\n```sh\ntrue\n```\n", "page.md:3: ended with 0, not 2"),
        ("```sh\necho a\n```\n```text\nb\n```\n", "(?s)the page shows\nb\n.*printed:\na\n"),
        ("```python\nprint()\n```\n", "page.md:2: a listing is of"),
    ],
)
def test_what_a_page_says_wrongly_is_found(tmp_path, text, message):
    with pytest.raises(PageError, match=message):
        list(follow(_page(tmp_path, text), tmp_path))


@pytest.mark.parametrize("page", [*tutorials(), ROOT / "docs" / "start.md"], ids=lambda page: page.stem)
def test_every_listing_can_be_followed_and_every_output_is_of_a_command(page):
    before = ""
    for one in listings(page):
        known = one.reason or one.is_directive or one.language in ("sh", "text") or one.file is not None
        assert known, f"{one.place}: a file without a name"
        if one.language == "text":
            assert before == "sh", f"{one.place}: what printed this?"
        before = one.language


@pytest.mark.slow
@TUTORIALS
def test_a_tutorial_does_what_it_says(page, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    folder = shutil.copytree(HERE, tmp_path / "reviews")
    assert list(follow(page, folder))


@pytest.mark.slow
def test_types_of_the_python_of_tutorials_and_notebooks_are_right(tmp_path):
    files = {name: text for page in tutorials() for name, text in files_of(page).items() if name.endswith(".py")}
    for path in (ROOT / "docs" / "notebooks").glob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        files[f"{path.stem.replace('-', '_')}.py"] = "\n\n".join(code)
    assert len(files) > 5
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    # The package as an installed one has it, in links; `make types` has left them, and what mypy knows of them.
    links, cache = ROOT / ".mypy" / "src", ROOT / ".mypy" / "cache"
    if not links.is_dir():
        links, cache = tmp_path / "links", tmp_path / "cache"
        rooms = links / "atinuke_bench"
        rooms.mkdir(parents=True)
        for room in (*(ROOT / "atinuke_bench").iterdir(), *(ROOT / name for name in ("tasks", "sweeps", "reports"))):
            (rooms / room.name).symlink_to(room)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", ROOT / "pyproject.toml", "--cache-dir", cache, *files],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": f"{tmp_path}{os.pathsep}{links}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
