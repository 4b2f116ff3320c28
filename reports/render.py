"""Run folders in, a report out: one HTML page without any network, its tables and its figures as files."""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import jinja2

from atinuke_bench.files import make_folder, write_bytes, write_text

from .ablation import ablation_plots, ablation_table, ablations
from .compare import Cell, Comparison, best_against_others, measure
from .drawing import Plot
from .examples import Disagreement, disagreements
from .figures import draw, looks_of
from .formats import write_table
from .frame import Collector, Frame, Gap, collect_folders, expand
from .published import published_table
from .scaling import scaling_plots, scaling_table, series_of
from .studies import Study, importance_table, read_studies, studies_plots, studies_table
from .suites import Suite, read_suites, suites_table, unfinished
from .tables import Table, comparison_table, cost_table, headline, slices_table
from .transfer import transfer_plots, transfer_table, transfers
from .wandb_project import collect_project

#: Rows of one table that the page shows; the files have all.
MOST_ROWS = 300
#: Sections of the page that hold tables and figures, in order: id, title.
SECTIONS = (
    ("scores", "Scores"),
    ("suites", "Suites"),
    ("comparisons", "Comparisons"),
    ("ablation", "Ablation"),
    ("scaling", "Scaling"),
    ("cost", "Cost"),
    ("studies", "Studies"),
    ("published", "Published record"),
    ("figures", "Curves and slices"),
)


@dataclass(frozen=True)
class Report:
    """All that a report shows. `notes` say what a section leaves out."""

    frame: Frame
    tables: tuple[Table, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    plots: tuple[Plot, ...] = ()
    disagreements: tuple[Disagreement, ...] = ()
    gaps: tuple[Gap, ...] = ()
    notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def summary(self) -> dict[str, Any]:
        """The report as plain data: every table, gap and how many runs there are."""
        return {
            "num_runs": len(self.frame.runs),
            "gaps": [vars(gap) for gap in self.gaps],
            "tables": {table.name: table.data.to_dict("records") for table in self.tables},
            "titles": {table.name: table.title for table in self.tables},
        }


def make_report(frame: Frame, studies: Iterable[Study] = (), suites: Iterable[Suite] = ()) -> Report:
    """Compute everything that a report shows of some runs, studies and suites."""
    studies, suites = list(studies), list(suites)
    frame, trial_note = _without_trials(frame, studies, suites)
    made = Report(frame, gaps=(*frame.gaps, *unfinished(frame, suites)), notes={"scores": trial_note})
    if not frame.runs.empty:
        made = _of_runs(made)
    if suites:
        made = replace(made, tables=(*made.tables, suites_table(frame, suites)))
    if studies:
        drawn, left_out = studies_plots(studies)
        made = replace(
            made,
            tables=(*made.tables, studies_table(studies), importance_table(studies)),
            plots=(*made.plots, *drawn),
            notes={**made.notes, "studies": tuple(left_out)},
        )
    return made


def _of_runs(made: Report) -> Report:
    frame = made.frame
    cells, unusable = measure(frame)
    comparisons = best_against_others(frame, cells)
    drawn, left_out = draw(frame, cells, looks_of(frame, cells))
    tables, plots = _deeper(frame, cells)
    found = [
        *headline(frame, cells, comparisons),
        comparison_table(comparisons) if comparisons else None,
        *tables,
        cost_table(frame),
        published_table(frame, cells),
        slices_table(frame, cells),
    ]
    return replace(
        made,
        tables=tuple(table for table in found if table is not None),
        comparisons=tuple(comparisons),
        plots=(*plots, *drawn),
        disagreements=tuple(disagreements(frame, comparisons)),
        gaps=(*made.gaps, *unusable),
        notes={**made.notes, "figures": tuple(left_out)},
    )


def _deeper(frame: Frame, cells: Mapping[tuple[str, str], Cell]) -> tuple[list[Table], list[Plot]]:
    """What needs several variants of one core: its ablation, how it scales, its gain from earlier training."""
    tables, plots = [], []
    if changed := ablations(frame, cells):
        tables.append(ablation_table(frame, changed))
        plots += ablation_plots(frame, changed)
    if sizes := series_of(frame, cells):
        tables.append(scaling_table(frame, sizes))
        plots += scaling_plots(frame, sizes)
    if (moved := transfers(frame)).gains:
        tables.append(transfer_table(moved))
        plots += transfer_plots(moved)
    return tables, plots


def _without_trials(frame: Frame, studies: Iterable[Study], suites: Iterable[Suite]) -> tuple[Frame, tuple[str, ...]]:
    """The runs that are no trials of a study: the best of many trials would stand as if it were one measurement."""
    trials = {folder for study in studies for folder in study.folders()}
    trials -= {folder for suite in suites for folder in suite.folders()}
    if not trials or frame.runs.empty:
        return frame, ()
    is_trial = frame.runs["folder"].map(lambda folder: str(Path(folder).resolve()) in trials)
    note = f"{int(is_trial.sum())} runs are trials of studies; they stand under Studies and in no other table."
    return replace(frame, runs=frame.runs[~is_trial]), (note,) if is_trial.any() else ()


def write_report(places: Iterable[str | Path], out: Path, projects: Iterable[str] = ()) -> Report:
    """Make a report of run folders, and of the runs of W&B projects (`entity/project`), and write it.

    RunFolderError when a place holds no run at all; TrackerError when a project cannot be read.
    """
    places = list(places)
    collector = Collector()
    if places:
        collect_folders(places, collector)
    for project in projects:
        collect_project(project, collector)
    studies, damaged = read_studies(expand(places))
    suites, damaged_suites = read_suites(expand(places))
    frame = collector.frame()
    report = make_report(replace(frame, gaps=(*frame.gaps, *damaged, *damaged_suites)), studies, suites)
    write_files(report, out)
    return report


def write_files(report: Report, out: Path) -> None:
    """Write `report.html`, `tables/` and `figures/` under `out`."""
    tables, figures = (make_folder(out / name) for name in ("tables", "figures"))
    for table in report.tables:
        write_table(table, tables)
    for plot in report.plots:
        write_text(figures / f"{plot.name}.svg", plot.svg)
        write_bytes(figures / f"{plot.name}.png", plot.png)
    captions = "".join(f"- `{plot.name}`: {plot.title}\n" for plot in report.plots)
    write_text(figures / "captions.md", captions)
    write_text(out / "report.html", render_html(report))


def render_html(report: Report) -> str:
    """The page. Every name and example is escaped; figures alone are trusted, since they are made here."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("atinuke_bench.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    protocols = [
        {"column": column, **{name: value for name, value in protocol.items() if name != "task"}}
        for column, protocol in report.frame.protocols.items()
    ]
    return environment.get_template("report.html.j2").render(
        report=report,
        sections=[_section(report, *section) for section in SECTIONS],
        protocols=protocols,
        most_rows=MOST_ROWS,
        version=importlib.metadata.version("atinuke-bench"),
        created=time.strftime("%Y-%m-%d %H:%M"),
    )


def _section(report: Report, name: str, title: str) -> dict[str, Any]:
    return {
        "id": name,
        "title": title,
        "tables": [table for table in report.tables if table.section == name],
        "plots": [plot for plot in report.plots if plot.section == name],
        "notes": report.notes.get(name, ()),
    }
