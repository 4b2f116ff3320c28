"""What a report says of runs, studies and suites: every section, computed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .drawing.style import Plot
from .reading.code import mixed_code_notes
from .reading.frame import Frame, Gap
from .reading.named import named
from .reading.published import Published, read_published
from .reading.studies import Study
from .reading.suites import Suite
from .sections.ablation import ablation_plots, ablation_table, ablations
from .sections.attention import attention_heads
from .sections.attribution import attribution_plots, attribution_tables, attributions
from .sections.averages import across_tasks
from .sections.comparisons import comparison_table
from .sections.cost import cost_table
from .sections.disagreements import Disagreement, disagreements
from .sections.elsewhere import elsewhere
from .sections.figures import draw, looks_of
from .sections.findings import Findings, findings
from .sections.gains import gain_plots
from .sections.headline import Block, blocks_of, headline
from .sections.positions import position_plots
from .sections.published import beside, published_plots, published_table
from .sections.scaling import Scaling, scaling_findings, scaling_tables, scalings
from .sections.scaling_figures import scaling_plots
from .sections.scaling_points import series_of
from .sections.slice_examples import SliceExamples, slice_examples
from .sections.slices import slices_table
from .sections.studies import importance_table, pairs_table, rivals_table, studies_plots, studies_table
from .sections.suites import suites_table, unfinished
from .sections.table import Table
from .sections.training import marked, trainings, warned
from .sections.transfer import transfer_plots, transfer_table, transfers
from .statistics.cells import Cells, measure
from .statistics.comparison import Comparison, Family, all_against_reference, best_against_others
from .statistics.verdict import require_margin


@dataclass(frozen=True)
class Report:
    """All that a report shows. `notes` say what a section leaves out."""

    frame: Frame
    tables: tuple[Table, ...] = ()
    findings: Findings = field(default_factory=Findings)
    comparisons: tuple[Comparison, ...] = ()
    plots: tuple[Plot, ...] = ()
    disagreements: tuple[Disagreement, ...] = ()
    slice_examples: tuple[SliceExamples, ...] = ()
    gaps: tuple[Gap, ...] = ()
    notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def summary(self) -> dict[str, Any]:
        """The report as plain data: every sentence, table and gap, and how many runs there are."""
        return {
            "num_runs": len(self.frame.runs),
            "gaps": [vars(gap) for gap in self.gaps],
            "findings": [found.record() for found in self.findings.tables],
            "tables": {table.name: table.data.to_dict("records") for table in self.tables},
            "titles": {table.name: table.title for table in self.tables},
        }


def make_report(
    frame: Frame,
    studies: Iterable[Study] = (),
    suites: Iterable[Suite] = (),
    reference: str | None = None,
    margin: float | None = None,
    published: Iterable[Published] | None = None,
) -> Report:
    """Compute everything that a report shows of some runs, studies and suites.

    `published` stands in place of the record that comes with the package.

    With a reference, every other core is compared with it; UnknownNameError where no run is of it, ConfigError where
    it is several cores. With a margin in points, what is not told apart is equal within it or undecided; ConfigError
    for one that is not between 0 and 100.
    """
    require_margin(margin)
    studies, suites = list(studies), list(suites)
    trials = f"{frame.num_trials} runs are trials of studies; they are shown under Studies and in no other table."
    notes = (*((trials,) if frame.num_trials else ()), *mixed_code_notes(frame))
    gaps = (*frame.gaps, *unfinished(frame, suites))
    made = Report(frame, gaps=gaps, notes={"scores": notes})
    if not frame.runs.empty:
        record = read_published() if published is None else list(published)
        made = _with_trainings(_of_runs(made, suites, reference, margin, record))
    if suites:
        made = replace(made, tables=(*made.tables, suites_table(frame, suites)))
    if studies:
        drawn, left_out = studies_plots(studies)
        found = (
            studies_table(studies),
            importance_table(studies),
            pairs_table(studies),
            rivals_table(studies),
        )
        learned = [table for table in found if table is not None]
        made = replace(
            made,
            tables=(*made.tables, *learned),
            plots=(*made.plots, *drawn),
            notes={**made.notes, "studies": tuple(left_out)},
        )
    return made


def _of_runs(
    made: Report, suites: list[Suite], reference: str | None, margin: float | None, published: Sequence[Published]
) -> Report:
    frame = made.frame
    cells, unusable = measure(frame)
    runs = [] if reference is None else list(frame.runs.index[named(frame, reference)])
    blocks = _compared(frame, cells, reference, runs, margin)
    comparisons = [one for _, family in blocks for one in family.comparisons]
    look = looks_of(frame, cells)
    drawn, left_out = draw(frame, cells, look)
    others = elsewhere(frame, cells, look, reference, runs)
    across = across_tasks(frame, cells, blocks, look)
    said = findings(frame, cells, blocks, across, others, look)
    laws = scalings(series_of(frame, cells))
    said = replace(said, tables=(*said.tables, *scaling_findings(laws)))
    tables, plots = _deeper(frame, cells, laws, margin)
    record = beside(frame, cells, published)
    factorials, not_taken_apart = attributions(frame, cells, suites, margin)
    heads = attention_heads(frame)
    found = [
        *headline(frame, cells, blocks),
        comparison_table([(block.title, family) for block, family in blocks]) if comparisons else None,
        *across.tables,
        *tables,
        *attribution_tables(frame, factorials),
        cost_table(frame),
        published_table(record),
        slices_table(frame, cells),
        *heads.tables,
        *others.tables,
    ]
    return replace(
        made,
        tables=tuple(table for table in found if table is not None),
        findings=said,
        comparisons=tuple(comparisons),
        plots=(
            *said.plots,
            *across.plots,
            *plots,
            *attribution_plots(frame, factorials),
            *position_plots(frame, cells),
            *gain_plots(frame, cells),
            *drawn,
            *heads.plots,
            *others.plots,
            *published_plots(record, look),
        ),
        disagreements=tuple(disagreements(frame, comparisons)),
        slice_examples=tuple(slice_examples(frame, cells)),
        gaps=(*made.gaps, *unusable, *others.gaps, *heads.gaps, *frame.damaged.values()),
        notes={
            **made.notes,
            "findings": said.notes,
            "across": across.notes,
            "figures": tuple(left_out),
            "attribution": tuple(not_taken_apart),
            "attention": heads.notes,
        },
    )


def _compared(
    frame: Frame, cells: Cells, reference: str | None, runs: list[Any], margin: float | None
) -> list[tuple[Block, Family]]:
    """Each block of columns with its comparisons: of all with the reference, or of the best with the others."""
    blocks = []
    for block in blocks_of(frame):
        own = {column: cells[column] for column in block.columns if column in cells}
        family = all_against_reference(own, reference, runs, margin) if reference else best_against_others(own, margin)
        blocks.append((block, family))
    return blocks


def _with_trainings(made: Report) -> Report:
    """The report with how its trainings went, and marks beside scores that a failed one is behind."""
    found = trainings(made.frame)
    if found.table is None:
        return replace(made, gaps=(*made.gaps, *found.gaps))
    return replace(
        made,
        tables=(*marked(made.tables, made.frame, found.hints), found.table),
        findings=replace(made.findings, tables=warned(made.findings.tables, made.frame, found.hints)),
        plots=(*made.plots, *found.plots),
        gaps=(*made.gaps, *found.gaps),
        notes={**made.notes, "training": (found.overview,)},
    )


def _deeper(
    frame: Frame, cells: Cells, laws: Sequence[Scaling], margin: float | None
) -> tuple[list[Table], list[Plot]]:
    """What needs several variants of one core: its ablation, how it scales, its gain from earlier training."""
    tables, plots = [], []
    if changed := ablations(frame, cells, margin):
        tables.append(ablation_table(frame, changed, margin))
        plots += ablation_plots(frame, changed, margin)
    if laws:
        tables += scaling_tables(laws)
        plots += scaling_plots(laws)
    if (moved := transfers(frame, margin)).gains:
        tables.append(transfer_table(moved, margin))
        plots += transfer_plots(moved)
    return tables, plots
