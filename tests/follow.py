#!/usr/bin/env python3
"""Follows a page word for word: saves the files that it shows, and carries out its commands, in the order of the page.

    tests/follow.py PAGE FOLDER

Of the fenced blocks of a page

- `sh` is carried out by bash in FOLDER, and must end well;
- those whose first line is a comment with a file's name (`# sweep.yaml`) are saved there under this name;
- `text` is what the commands before it print: `…` stands for anything, and a number for any number;
- a comment `<!-- fails -->` above a block says that its last command ends with status 2, as mistakes of users do;
- a comment `<!-- not run: REASON -->` above a block says why nobody carries it out.

Any other block is a fault of the page. Only the standard library is used, so that any environment can follow a page.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^(?:<!-- ([^\n]*?) -->\n)?```([\w-]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_NAME = re.compile(r"# ([\w./-]+\.\w+)\n")
_NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")


class PageError(Exception):
    """A page that cannot be followed: which block, and what became of it."""


@dataclass(frozen=True)
class Block:
    """A fenced block; `line` is that of its text in the page."""

    line: int
    language: str
    text: str
    #: `fails`, `not run: …`, or nothing.
    mark: str = ""

    @property
    def file(self) -> str | None:
        """The name that it is saved under; None where it is no file."""
        found = _NAME.match(self.text)
        return found[1] if found and self.language not in ("sh", "text") else None

    @property
    def is_run(self) -> bool:
        return not self.mark.startswith("not run: ")


def blocks_of(page: str) -> list[Block]:
    """The fenced blocks of a page; PageError for one that says nothing of what is done with it."""
    found = [
        Block(page.count("\n", 0, one.start(3)) + 1, one[2], one[3], one[1] or "") for one in _FENCE.finditer(page)
    ]
    for block in found:
        if block.is_run and block.language not in ("sh", "text") and block.file is None:
            raise PageError(f"line {block.line}: a block is `sh`, `text`, a file with its name, or marked as not run")
        if block.mark not in ("", "fails") and block.is_run:
            raise PageError(f"line {block.line}: a mark is `fails` or `not run: REASON`; found {block.mark!r}")
    return found


def follow(page: Path, folder: Path) -> Iterator[str]:
    """Follow a page in a folder; what is done before each step, and what it printed. PageError where that is not right."""
    printed = ""
    for block in blocks_of(page.read_text(encoding="utf-8")):
        where = f"{page.name}:{block.line}"
        if not block.is_run:
            continue
        if block.file is not None:
            yield f"{where}: {block.file}"
            (folder / block.file).parent.mkdir(parents=True, exist_ok=True)
            (folder / block.file).write_text(block.text, encoding="utf-8")
        elif block.language == "sh":
            yield f"{where}: {block.text.strip()}"
            printed = _carry_out(block, folder, where)
            yield printed
        elif not says(block.text, printed):
            raise PageError(f"{where}: the page shows\n{block.text}\nand this was printed:\n{printed}")


def _carry_out(block: Block, folder: Path, where: str) -> str:
    # Where Python writes at once, errors and output stand in the order in which a terminal shows them.
    env = {**os.environ, "COLUMNS": "110", "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.text],
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    expected = 2 if block.mark == "fails" else 0
    if done.returncode != expected:
        raise PageError(f"{where}: ended with {done.returncode}, not {expected}:\n{block.text}\n{done.stdout}")
    return done.stdout


def says(shown: str, printed: str) -> bool:
    """Whether a page's text is what was printed, `…` and numbers aside.

    >>> says("a 1.5 … z", "a  27\\nb\\nz"), says("a", "b")
    (True, False)
    """
    wanted = [re.escape(part) for part in _plain(shown).split("…")]
    return re.fullmatch(".*".join(wanted), _plain(printed), re.DOTALL) is not None


def _plain(text: str) -> str:
    return " ".join(_NUMBER.sub("0", text).split())


def main() -> None:
    page, folder = map(Path, sys.argv[1:])
    folder.mkdir(parents=True, exist_ok=True)
    try:
        for step in follow(page, folder):
            print(step, flush=True)
    except PageError as error:
        sys.exit(f"cannot be followed: {error}")


if __name__ == "__main__":
    main()
