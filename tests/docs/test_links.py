"""Links of the pages that hands wrote lead to files and headings that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from site_tools.listings import ROOT, pages

PAGES = [*pages(), *sorted([*ROOT.glob("benchmarks/**/*.md"), *ROOT.glob(".github/*.md")])]
#: Pages that `make docs` generates, by the folder that they are written to.
GENERATED = "docs/generated"


def without_code(path: Path) -> str:
    text = re.sub(r"^(```+).*?^\1$", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]+`", "code", text)


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as forges and the site make them; those of a page that it includes too."""
    included = re.findall(r"^```\{include\} (\S+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    text = re.sub(r"^(```+).*?^\1$", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    found = {anchor for name in included for anchor in anchors(path.parent / name)}
    for heading in re.findall(r"^#{1,4} (.+)$", text, flags=re.MULTILINE):
        words = re.sub(r"[^\w\- ]", "", heading.lower())
        found.add(words.replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(page):
    missing = []
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(page)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        place = (page.parent / name).resolve() if name else page
        if place.is_relative_to(ROOT / GENERATED):
            continue  # the build holds these
        if not place.exists() or (anchor and anchor not in anchors(place)):
            missing.append(target)
    assert missing == []


def test_a_wrong_anchor_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# What `a_b` is: first & last?\n```\n# no heading\n```\n", encoding="utf-8")
    assert anchors(page) == {"what-a_b-is-first--last"}
