"""The site is built without a doubt, its links and anchors lead somewhere, and it asks nothing of a network."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from site_tools.listings import ROOT

pytest.importorskip("sphinx", reason="the extra `docs` is not installed")
pytest.importorskip("furo", reason="the extra `docs` is not installed")
pytestmark = pytest.mark.docs

#: What a browser fetches, by element: the attribute that names it.
FETCHED = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src"}


class Page(HTMLParser):
    """Addresses that a page leads to or fetches, and the places in it that can be led to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.ids: set[str] = set()
        self.without_text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if "id" in found:
            self.ids.add(found["id"])
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        if tag in FETCHED and FETCHED[tag] in found and found.get("rel") not in ("search", "next", "prev", "index"):
            self.fetched.append(found[FETCHED[tag]])
        if tag == "img" and not found.get("alt"):
            self.without_text.append(found.get("src", ""))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Page]:
    """The pages of a site that is built anew, as strictly as `make docs` does."""
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-d", str(out / "trees")]
    done = subprocess.run([*command, str(ROOT / "docs"), str(out / "html")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    files = sorted((out / "html").rglob("*.html"))
    return {path: Page(path.read_text(encoding="utf-8")) for path in files}


def test_links_and_anchors_lead_somewhere(site):
    missing = []
    for path, page in site.items():
        for link in [*page.links, *page.fetched]:
            parts = urlsplit(link)
            if parts.scheme or link.startswith("//"):
                continue
            place = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchor = unquote(parts.fragment)
            if not place.exists() or (anchor and place in site and anchor not in site[place].ids):
                missing.append(f"{path.name}: {link}")
    assert missing == []


def test_nothing_is_fetched_from_elsewhere(site):
    assert [link for page in site.values() for link in page.fetched if urlsplit(link).netloc] == []
    folder = next(iter(site)).parent
    root = next(parent for parent in [folder, *folder.parents] if (parent / "_static").is_dir())
    styles = [path.read_text(encoding="utf-8") for path in (root / "_static").rglob("*.css")]
    assert not any(re.search(r"(?:@import|url\()\s*['\"]?(?:https?:)?//", text) for text in styles)


def test_every_page_is_reached_and_every_picture_has_a_text(site):
    names = {path.name for path in site}
    assert {"index.html", "start.html", "comparisons.html", "faq.html", "changelog.html", "contributing.html"} <= names
    assert [name for page in site.values() for name in page.without_text if "_images" in name] == []


def test_public_names_are_documented_with_their_docstrings(site):
    (page,) = [page for path, page in site.items() if path.name == "python-api.html"]
    import atinuke_bench

    names = {name for name in atinuke_bench.__all__ if not name.startswith("__")}
    assert {name for name in names if f"atinuke_bench.{name}" not in page.ids} == set()


def test_what_scrolls_takes_the_focus_and_headings_have_levels(site):
    texts = {path.name: path.read_text(encoding="utf-8") for path in site}
    for wanted, attribute in (
        (r"<pre\b[^>]*>", "tabindex"),
        (r'<div class="(?:table-wrapper|formula)[^>]*>', "tabindex"),
        (r'<p [^>]*role="heading"[^>]*>', "aria-level"),
        (r"<aside\b[^>]*>", "aria-label"),
    ):
        found = [(name, tag) for name, text in texts.items() for tag in re.findall(wanted, text)]
        assert found
        assert [one for one in found if attribute not in one[1]] == []


def test_formulas_are_of_the_page_itself(site):
    (path,) = [path for path in site if path.name == "comparisons.html"]
    text = path.read_text(encoding="utf-8")
    assert text.count("<math") > 20
    assert not re.search(r"<script[^>]*mathjax", text, flags=re.IGNORECASE)
