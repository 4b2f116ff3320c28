"""Follows a page word for word: saves the files that it shows, and carries out its commands, in the order of the page.

    PYTHONPATH=docs/_ext python -m site_tools.follow PAGE FOLDER [HEADING]

The reader is in FOLDER, with the commands of the environment, and stops before HEADING where one is given. Of the
listings of a page

- `sh` is carried out by bash, and must end well;
- one whose first line names a file (`# grid.yaml`) is saved under this name;
- `text` is what the listing of a shell before it prints: `…` stands for anything, and a number for any number.

Marks are those of `listings.py`; `<!-- fails -->` above a shell's listing says that it ends with status 2, as users'
mistakes do. Directives of the site (`{image}`) are passed over. Any other listing is a fault of the page. Only the
standard library is used, so that any environment can follow a page.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from site_tools.listings import Listing, listings

_NUMBER = re.compile(r"(?:(?<!\w)[-+])?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")
#: Lines of tables, whose length follows numbers.
_RULES = re.compile(r"[─━╌]+|-{3,}")


class PageError(Exception):
    """A page that cannot be followed: where, and what became of it."""


def follow(page: Path, folder: Path, until: str = "") -> Iterator[str]:
    """Follow a page in a folder: what is done before each step, and what it printed. PageError where that is wrong.

    `until` is the heading at which the reader stops.
    """
    end, printed = _line_of(page, until), ""
    for one in listings(page):
        where = f"{page.name}:{one.line}"
        if one.line > end:
            return
        if one.reason or one.is_directive:
            continue
        if one.language == "sh":
            yield f"{where}: {one.text.rstrip()}"
            printed = _carry_out(one, folder, where)
            yield printed
        elif one.language == "text":
            if not says(one.text, printed):
                raise PageError(f"{where}: the page shows\n{one.text}\nand this was printed:\n{printed}")
        elif one.file is not None:
            yield f"{where}: {one.file}"
            (folder / one.file).parent.mkdir(parents=True, exist_ok=True)
            (folder / one.file).write_text(one.text, encoding="utf-8")
        else:
            raise PageError(f"{where}: a listing is of `sh`, `text` or a file with its name, or says why it is not run")


def _line_of(page: Path, heading: str) -> int:
    lines = page.read_text(encoding="utf-8").splitlines()
    if not heading:
        return len(lines)
    found = [number for number, line in enumerate(lines, 1) if re.fullmatch(rf"#+ {re.escape(heading)}", line)]
    if not found:
        raise PageError(f"{page.name}: no heading {heading!r}")
    return found[0]


def _carry_out(listing: Listing, folder: Path, where: str) -> str:
    # Where Python writes at once, errors and output stand in the order in which a terminal shows them.
    env = {**os.environ, "COLUMNS": "110", "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", listing.text],
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    expected = 2 if listing.fails else 0
    if done.returncode != expected:
        raise PageError(f"{where}: ended with {done.returncode}, not {expected}:\n{listing.text}\n{done.stdout}")
    return done.stdout


def says(shown: str, printed: str) -> bool:
    """Whether a page's text is what was printed, `…`, numbers and lines of tables aside.

    >>> says("a-1 is 1.5 … z", "a-20 is  -27\\nb\\nz"), says("a", "b")
    (True, False)
    """
    wanted = [re.escape(part) for part in _plain(shown).split("…")]
    return re.fullmatch(".*".join(wanted), _plain(printed), re.DOTALL) is not None


def _plain(text: str) -> str:
    return " ".join(_RULES.sub("", _NUMBER.sub("0", text)).split())


def main() -> None:
    page, folder, *until = sys.argv[1:]
    try:
        for step in follow(Path(page), Path(folder), *until):
            print(step, flush=True)
    except PageError as error:
        sys.exit(f"cannot be followed: {error}")


if __name__ == "__main__":
    main()
