"""The page and the tables as other programs read them: an HTML parser, a browser, LaTeX."""

from __future__ import annotations

import base64
import hashlib
import html
import re
import shutil
import subprocess
from importlib import resources

import pytest

from atinuke_bench.reports.writing.render import write_report

html5lib = pytest.importorskip("html5lib", reason="html5lib is not installed")

EVIL = "<script>alert(1)</script>"
TEX = r"a & b 100 % $x_1$ #2 {y} ~ ^ \ < > | – ▲ ▼ ≈ → ² − é “q” · × … 中 ąđ «ядро» \input{x} [1] *"


@pytest.fixture(scope="module", name="written")
def _written(tmp_path_factory, write_run):
    """A report in which every text that comes from a run is hostile."""
    store, out = tmp_path_factory.mktemp("runs"), tmp_path_factory.mktemp("out")
    config = f"core:\n  name: atinuke\n  norm: 'pre'\ntraining:\n  note: '{EVIL}'\n"
    evil = {f"<b>slice {EVIL}": {f"label {EVIL}": {f"f1 {EVIL}": 50.0, "num": 9}, TEX: {f"f1 {EVIL}": 1.0, "num": 2}}}
    for seed in range(2):
        for label, right in ((f"atinuke-nano[{EVIL}]", 0.9), ("atinuke-nano", 0.5)):
            changed = config if "[" in label else config.replace("pre", f"post {EVIL}")
            write_run(
                store, task=f"snli {EVIL}", label=label, seed=seed, right=right, config=changed, num=60,
                edit={"slices": {"test": evil}}, answers=(f"yes {EVIL} {TEX}", "no"), source=f"local {EVIL}",
            )  # fmt: skip
    (write_run(store, label="torn", task=f"torn {EVIL}") / "result.json").write_text("{")
    return write_report([store], out), out


def test_the_page_is_valid_html_whose_only_script_is_its_own(written):
    _, out = written
    text = (out / "report.html").read_text(encoding="utf-8")
    # Strict: the first error of the HTML5 parser is raised.
    tree = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text)
    (script,) = tree.iter("script")
    own = resources.files("atinuke_bench.reports.writing") / "templates" / "parts" / "page.js"
    assert script.text == own.read_text(encoding="utf-8")
    assert not script.attrib
    (policy,) = [meta.attrib["content"] for meta in tree.iter("meta") if "http-equiv" in meta.attrib]
    digest = base64.b64encode(hashlib.sha256(script.text.encode()).digest()).decode()
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert (rules["default-src"], rules["script-src"]) == ("'none'", f"'sha256-{digest}'")
    assert not [name for element in tree.iter() for name in element.attrib if str(name).startswith("on")]
    ids = [element.attrib["id"] for element in tree.iter() if "id" in element.attrib]
    assert len(ids) == len(set(ids))
    assert text.count("&lt;script&gt;") > 20


def test_every_hostile_text_shows_as_text(written):
    made, out = written
    tree = html5lib.parse((out / "report.html").read_text(encoding="utf-8"), namespaceHTMLElements=False)
    shown = " ".join("".join(element.itertext()) for element in tree.iter("section"))
    for part in (
        f"atinuke-nano[{EVIL}]",
        f"label {EVIL}",
        f"slice {EVIL}",
        f"yes {EVIL}",
        f"norm: post {EVIL}",
        "torn",
    ):
        assert part in shown, part
    assert {plot.section for plot in made.plots} >= {"figures", "cost", "ablation"}
    for plot in made.plots:
        assert "<script" not in plot.svg


def test_references_inside_figures_lead_somewhere(written):
    _, out = written
    text = (out / "report.html").read_text(encoding="utf-8")
    ids = set(re.findall(r'\bid="([^"]+)"', text))
    targets = re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', text)
    assert targets
    assert {a or b for a, b in targets} <= ids


def _chromium():
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    return chromium or pytest.skip("no chromium here")


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_shows_the_page_without_complaint(written, tmp_path, width):
    chromium = _chromium()
    _, out = written
    picture = tmp_path / "page.png"
    command = [
        chromium, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
        f"--user-data-dir={tmp_path}",
        f"--window-size={width},2000", f"--screenshot={picture}", (out / "report.html").as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "CONSOLE" not in done.stderr
    # A page without content would be a picture of nearly one colour.
    assert picture.stat().st_size > 20_000


@pytest.mark.latex
def test_latex_sets_every_table(written, tmp_path):
    if shutil.which("pdflatex") is None:
        pytest.skip("no pdflatex here")
    made, out = written
    assert {"headline-1", "comparisons", "ablation", "cost", "published", "slices"} <= {t.name for t in made.tables}
    shutil.copytree(out / "tables", tmp_path, dirs_exist_ok=True)
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, errors="replace",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "all.pdf").stat().st_size > 1000


_TABLE = """<!DOCTYPE html><meta charset="utf-8"><div aria-label="t"><table data-sorts>
<thead><tr><th>core</th><th>p</th></tr></thead>
<tbody>{rows}</tbody></table></div><script>{script}</script><script>
const body = document.querySelector("tbody"), [core, p] = document.querySelectorAll("thead button");
const shown = () => [...body.rows].filter(row => !row.hidden).map(row => row.cells[0].textContent).join(" ");
const said = [], say = () => said.push(shown());
p.click(); say(); p.click(); say(); core.click(); say();
const input = document.querySelector("input");
input.value = "C1 <"; input.dispatchEvent(new Event("input")); say();
said.push(p.closest("th").ariaSort + " " + core.closest("th").ariaSort);
said.push(document.querySelector("[role=status]").textContent);
document.body.append(Object.assign(document.createElement("pre"), {textContent: said.join("|")}));
</script>"""


@pytest.mark.browser
def test_tables_sort_and_filter(tmp_path):
    """Numbers with intervals, p values and counts by their value, texts by their letters, what is missing last."""
    chromium = _chromium()
    script = (resources.files("atinuke_bench.reports.writing") / "templates/parts/page.js").read_text(encoding="utf-8")
    cells = ["0.0123", "–", "<0.0001", "1,000.50 [–, –]", "-2.00 [-3, -1]", "+9.10 n=3", "10", "0.5 ▲"]
    rows = "".join(
        f"<tr><th>c{n}</th><td>{html.escape(cell)}</td></tr>" for n, cell in enumerate([*cells, "3"], start=2)
    )
    page = tmp_path / "table.html"
    page.write_text(_TABLE.replace("{rows}", rows).replace("{script}", script), encoding="utf-8")
    command = [
        chromium,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path}",
        "--dump-dom",
        page.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    (said,) = re.findall("<pre>(.*?)</pre>", done.stdout)
    found = html.unescape(said).split("|")
    rising = "c6 c4 c2 c9 c10 c7 c8 c5"
    falling = " ".join(reversed(rising.split()))
    assert found == [
        f"{rising} c3",
        f"{falling} c3",
        "c2 c3 c4 c5 c6 c7 c8 c9 c10",
        "",
        "null ascending",
        "0 of 9 rows",
    ]
