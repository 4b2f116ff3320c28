"""The listings of Markdown pages, and what a page says of how each is tested.

A comment on the line above a listing marks it:

    <!-- slow -->               it is run by `make slow` alone
    <!-- not run: WHY -->       it is not run; the commands of a shell's listing are parsed all the same
    <!-- fails -->              of a tutorial: a mistake is made on purpose, and the command ends with status 2

Listings in `sh`, `yaml` and `python` without a mark are run by `make test`. Tutorials are followed as a whole
(`follow.py`), each from its first listing to its last.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
#: Languages whose listings are run.
RUN = ("sh", "yaml", "python")
_LISTING = re.compile(
    r"(?:^<!-- (?P<mark>.+?) -->\n)?^```(?P<language>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_FILE = re.compile(r"# (?P<name>[\w./-]+\.\w+)\n")


@dataclass(frozen=True)
class Listing:
    page: Path
    #: Of the listing's first line, counted from 1.
    line: int
    language: str
    text: str
    #: What the comment above says; empty without one.
    mark: str

    @property
    def file(self) -> str | None:
        """The file that the listing is of, where its first line names one (`# topics/metric.py`)."""
        found = _FILE.match(self.text)
        return found["name"] if found else None

    @property
    def is_directive(self) -> bool:
        """Whether it is no listing but a directive of the site, such as a picture."""
        return self.language.startswith("{")

    @property
    def is_slow(self) -> bool:
        return self.mark == "slow"

    @property
    def fails(self) -> bool:
        """Whether it shows a mistake, with which its command ends."""
        return self.mark == "fails"

    @property
    def reason(self) -> str:
        """Why it is not run; empty where it is."""
        return self.mark.removeprefix("not run: ") if self.mark.startswith("not run: ") else ""

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    """All pages that hands wrote: those at the top, and of the documentation."""
    docs = ROOT / "docs"
    left_out = (docs / "_build", docs / "generated")
    below = [path for path in docs.rglob("*.md") if not any(path.is_relative_to(folder) for folder in left_out)]
    return sorted([*ROOT.glob("*.md"), *below])


def tutorials() -> list[Path]:
    """Pages that are followed as a whole."""
    return [page for page in pages() if page.parent == ROOT / "docs" / "tutorials"]


def listings(page: Path) -> list[Listing]:
    """The listings of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Listing(
            page, text.count("\n", 0, found.start("text")) + 1, found["language"], found["text"], found["mark"] or ""
        )
        for found in _LISTING.finditer(text)
    ]


def files_of(page: Path) -> dict[str, str]:
    """The files that a page's listings are of, by name."""
    return {name: one.text for one in listings(page) if (name := one.file) is not None}


def commands(listing: Listing) -> Iterator[list[str]]:
    """The commands of a shell's listing as words, comments left out, lines that end in a backslash joined."""
    for line in listing.text.replace("\\\n", " ").splitlines():
        if words := shlex.split(line, comments=True):
            yield words
