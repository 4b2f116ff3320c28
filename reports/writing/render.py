"""Run folders in, a report out: one HTML page without any network, its tables and its figures as files."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import time
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2

from atinuke_bench.files import make_folder, require_writable, write_bytes, write_text

from ..collection import seldom_collected
from ..drawing.names import short, short_names
from ..drawing.style import themed
from ..kept import forget_oldest
from ..reading.collect import Collector, collect_folders, expand
from ..reading.published import read_published
from ..reading.studies import read_studies
from ..reading.suites import read_suites
from ..reading.wandb_project import collect_project
from ..report import Report, make_report
from ..sections.findings import HOW_TO_READ
from ..statistics.verdict import require_margin
from .formats import write_table
from .latex import document
from .sentences import findings_to_markdown

#: Rows of one table that the page shows; the files have all.
MOST_ROWS = 300
#: Sentences of one table that are not folded up.
MOST_SENTENCES = 10
#: Columns of tables that hold names of cores; a long name is shortened, with all of it to be read.
NAME_COLUMNS = frozenset({"core", "A", "B", "variant", "reference", "best trial"})
#: Sections of the page that hold tables and figures, in order: id, title.
SECTIONS = (
    ("scores", "Scores"),
    ("test-sets", "Other test sets"),
    ("suites", "Suites"),
    ("comparisons", "Comparisons"),
    ("across", "Across tasks"),
    ("ablation", "Ablation"),
    ("attribution", "Why one is better"),
    ("scaling", "Scaling"),
    ("attention", "Attention heads"),
    ("positions", "Positions"),
    ("cost", "Cost"),
    ("training", "Training"),
    ("studies", "Studies"),
    ("published", "Published record"),
    ("figures", "Curves and slices"),
)


@seldom_collected()
def write_report(
    places: Iterable[str | Path],
    out: Path,
    projects: Iterable[str] = (),
    reference: str | None = None,
    margin: float | None = None,
    published: Iterable[Path] = (),
) -> Report:
    """Make a report of run folders, and of the runs of W&B projects (`entity/project`), and write it.

    `published` are a user's own files of published figures. RunFolderError when a place holds no run at all;
    TrackerError when a project cannot be read; ConfigError for a wrong record, and as in `make_report`.
    """
    require_margin(margin)
    record = read_published(published)
    places = list(places)
    collector = Collector()
    if places:
        collect_folders(places, collector)
    for project in projects:
        collect_project(project, collector)
    # What of them cannot be read is among the gaps of the folders.
    studies, suites = read_studies(expand(places))[0], read_suites(expand(places))[0]
    require_writable(make_folder(out) / "report.html")  # before the work, which takes a while
    report = make_report(collector.frame(), studies, suites, reference, margin, record)
    write_files(report, out)
    forget_oldest()
    return report


def write_files(report: Report, out: Path) -> None:
    """Write `report.html`, `findings.md`, `tables/` and `figures/` under `out`."""
    tables, figures = (make_folder(out / name) for name in ("tables", "figures"))
    for table in report.tables:
        write_table(table, tables)
    write_text(tables / "all.tex", document(table.name for table in report.tables))
    for plot in report.plots:
        write_text(figures / f"{plot.name}.svg", plot.svg)
        write_bytes(figures / f"{plot.name}.png", plot.png)
        write_bytes(figures / f"{plot.name}.pdf", plot.pdf)
    notes = (HOW_TO_READ, *report.findings.notes) if report.findings.tables else ()
    write_text(out / "findings.md", findings_to_markdown(report.findings.tables, notes, len(report.gaps)))
    captions = "".join(f"- `{plot.name}`: {plot.title}\n" for plot in report.plots)
    write_text(figures / "captions.md", captions)
    write_text(out / "report.html", render_html(report))


def render_html(report: Report) -> str:
    """The page. Every name and example is escaped; figures alone are trusted, since they are made here.

    Its one script sorts and filters tables; the page's policy lets no other run, and nothing be fetched.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("atinuke_bench.reports.writing"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"themed": themed, "short": short}
    script = (resources.files(__package__) / "templates" / "parts" / "page.js").read_text(encoding="utf-8")
    protocols = [
        {"column": str(column), **{name: value for name, value in protocol.items() if name != "task"}}
        for column, protocol in report.frame.protocols.items()
    ]
    return environment.get_template("report.html.j2").render(
        report=report,
        sections=[_section(report, *section) for section in SECTIONS],
        protocol_list=protocols,
        most_rows=MOST_ROWS,
        most_sentences=MOST_SENTENCES,
        how_to_read=HOW_TO_READ,
        name_columns=NAME_COLUMNS,
        names=short_names(report.frame.runs.get("variant", ())),
        script=script,
        policy=_policy(script),
        version=importlib.metadata.version("atinuke-bench"),
        created=time.strftime("%Y-%m-%d %H:%M"),
    )


def _policy(script: str) -> str:
    """A Content-Security-Policy under which this script alone runs."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    rules = ("default-src 'none'", f"script-src 'sha256-{digest}'", "style-src 'unsafe-inline'", "img-src data:")
    return "; ".join((*rules, "base-uri 'none'", "form-action 'none'"))


def _section(report: Report, name: str, title: str) -> dict[str, Any]:
    return {
        "id": name,
        "title": title,
        "tables": [table for table in report.tables if table.section == name],
        "plots": [plot for plot in report.plots if plot.section == name],
        "notes": report.notes.get(name, ()),
    }
